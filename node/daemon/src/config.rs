//! The node's settings: one TOML file.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

/// All settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The host.
    pub node: Node,
    /// Where to listen.
    pub listen: Listen,
    /// What to tell and where.
    #[serde(default)]
    pub telemetry: Telemetry,
    /// Sessions.
    #[serde(default)]
    pub session: Session,
    /// The audit trail.
    #[serde(default)]
    pub audit: Audit,
    /// The host as a machine.
    #[serde(default)]
    pub machine: Machine,
}

/// The host.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// The host's name.
    pub name: String,
    /// The address by which clients and other nodes reach it; no port.
    pub address: String,
    /// Where the node keeps its state.
    #[serde(default = "state_dir")]
    pub state_dir: PathBuf,
    /// `qemu` or `sim`.
    #[serde(default)]
    pub hypervisor: Hypervisor,
    /// `auto`, `kvm` or `tcg`.
    #[serde(default)]
    pub accelerator: Accelerator,
    /// libvirt's URI.
    #[serde(default = "libvirt_uri")]
    pub libvirt_uri: String,
    /// Further folders from which kernels may be booted.
    #[serde(default)]
    pub boot_dirs: Vec<PathBuf>,
}

/// What runs guests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hypervisor {
    /// QEMU through libvirt.
    #[default]
    Qemu,
    /// Nothing: guests are simulated.
    Sim,
}

/// What executes guests' code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Accelerator {
    /// KVM where it really works.
    #[default]
    Auto,
    /// KVM.
    Kvm,
    /// Emulation.
    Tcg,
}

/// Where to listen.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// The API.
    pub https: SocketAddr,
    /// Redirects to it.
    #[serde(default)]
    pub http: Option<SocketAddr>,
    /// Other nodes.
    pub grpc: SocketAddr,
    /// Unix sockets for local root.
    #[serde(default = "sockets")]
    pub socket: Vec<PathBuf>,
}

/// What to tell and where.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// Filter of the log, such as `info` or `info,pool_raft=debug`.
    #[serde(default)]
    pub log: Option<String>,
    /// Where traces go (OTLP over gRPC).
    #[serde(default)]
    pub otlp_endpoint: Option<String>,
}

/// Sessions.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Session {
    /// Most at once.
    pub most: usize,
    /// Seconds of idleness after which one ends.
    pub idle_seconds: i64,
}

impl Default for Session {
    fn default() -> Self {
        let limits = pool_domain::decide::session::SessionLimits::default();
        Session {
            most: limits.most,
            idle_seconds: limits.idle_seconds,
        }
    }
}

/// How much of the audit trail this host keeps.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Files, the one that is written to included.
    pub files: usize,
}

impl Default for Audit {
    fn default() -> Self {
        Audit {
            file_bytes: 4 << 20,
            files: 8,
        }
    }
}

/// The programs by which the host is switched off and the like, each with its first arguments. `[]` takes one away.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Machine {
    /// Switches the host off; `systemctl poweroff`.
    pub power_off: Option<Vec<String>>,
    /// Reboots the host; `systemctl reboot`.
    pub reboot: Option<Vec<String>>,
    /// Starts the node anew; `systemctl restart tarn`.
    pub restart_node: Option<Vec<String>>,
    /// Changes the host's name, the last argument; `hostnamectl set-hostname`.
    pub set_hostname: Option<Vec<String>>,
    /// Sends the log to the last argument as well, or no longer if that is empty. There is none by default.
    pub set_syslog: Option<Vec<String>>,
    /// Prints the kernel's messages; `dmesg`.
    pub kernel_log: Option<Vec<String>>,
    /// The folder of plug-ins.
    pub plugin_dir: Option<PathBuf>,
    /// The folder of extensions.
    pub extension_dir: Option<PathBuf>,
}

fn state_dir() -> PathBuf {
    PathBuf::from("/var/lib/tarn")
}

fn libvirt_uri() -> String {
    "qemu:///system".to_owned()
}

fn sockets() -> Vec<PathBuf> {
    ["/var/xapi/xapi", "/var/lib/xcp/xapi"]
        .map(PathBuf::from)
        .to_vec()
}

/// Reads the settings.
///
/// # Errors
/// When the file cannot be read, or a key is unknown or has a value that does not fit; the message names it.
pub fn load(path: &Path) -> Result<Config> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("settings in {}", path.display()))
}
