//! The node's settings: one TOML file, overridden by the environment.
//!
//! `keys.rs` describes each key; what is not described there cannot be set. From it come the checks, the commented file
//! that packages install, and the page of the manual.

mod check;
mod document;
mod keys;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

pub use document::{commented_file, manual_page};

/// All settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The host.
    pub node: Node,
    /// Where to listen.
    #[serde(default)]
    pub listen: Listen,
    /// What to tell and where.
    #[serde(default)]
    pub telemetry: Telemetry,
    /// Sessions.
    #[serde(default)]
    pub session: Session,
    /// How much clients may take.
    #[serde(default)]
    pub limits: Limits,
    /// The audit trail.
    #[serde(default)]
    pub audit: Audit,
    /// The pool's past.
    #[serde(default)]
    pub history: History,
    /// The host as a machine.
    #[serde(default)]
    pub machine: Machine,
    /// High availability.
    #[serde(default)]
    pub ha: Ha,
}

/// High availability: when this host ends its guests because it no longer hears from the pool. How long the lease is,
/// the pool says (`timeout` of its `ha_configuration`, 15 s unless given); pool/decisions/0004 has the reasoning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ha {
    /// How often the lease is renewed. Several tries fit into what is left of it after the margins.
    pub renew_ms: u64,
    /// The node ends the guests so long before the end of the lease: the time it takes libvirt to end them.
    pub node_margin_ms: u64,
    /// The watchdog kills what is left so long before the end of the lease.
    pub watchdog_margin_ms: u64,
    /// What the watchdog runs where guests do not die: a program and its arguments, such as one that resets the
    /// machine. None unless given: a machine that is reset by a mistake in a setting is worse than a lock on a disk.
    pub last_resort: Vec<String>,
    /// The folder, on a tmpfs, by which the node and its watchdog know of each other. `/run/tarn` for QEMU, below the
    /// state folder for simulated guests, which end with the node and need no watchdog.
    pub run_dir: Option<PathBuf>,
}

impl Default for Ha {
    fn default() -> Self {
        let margins = node_commands::lease::Margins::default();
        let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Ha {
            renew_ms: 1000,
            node_margin_ms: millis(margins.node),
            watchdog_margin_ms: millis(margins.watchdog),
            last_resort: Vec::new(),
            run_dir: None,
        }
    }
}

impl Config {
    /// Where the node and its watchdog know of each other.
    pub fn run_dir(&self) -> PathBuf {
        match (&self.ha.run_dir, self.node.hypervisor) {
            (Some(dir), _) => dir.clone(),
            (None, Hypervisor::Qemu) => PathBuf::from("/run/tarn"),
            (None, Hypervisor::Sim) => self.node.state_dir.join("run"),
        }
    }

    /// Where the lease is written.
    pub fn lease_file(&self) -> PathBuf {
        self.run_dir().join("lease")
    }

    /// Where the guests of this host are written.
    pub fn guests_file(&self) -> PathBuf {
        self.run_dir().join("guests")
    }

    /// Where the watchdog writes that it lives.
    pub fn watchdog_file(&self) -> PathBuf {
        self.run_dir().join("watchdog")
    }
}

/// The host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// The host's name.
    #[serde(default = "host_name")]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hypervisor {
    /// QEMU through libvirt.
    #[default]
    Qemu,
    /// Nothing: guests are simulated.
    Sim,
}

/// What executes guests' code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// The API.
    pub https: SocketAddr,
    /// Redirects to it.
    pub http: Option<SocketAddr>,
    /// Other nodes.
    pub grpc: SocketAddr,
    /// Unix sockets for local root.
    pub socket: Vec<PathBuf>,
}

impl Default for Listen {
    fn default() -> Self {
        let everywhere = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
        Listen {
            https: everywhere(443),
            http: None,
            grpc: everywhere(7443),
            socket: ["/var/xapi/xapi", "/var/lib/xcp/xapi"]
                .map(PathBuf::from)
                .to_vec(),
        }
    }
}

/// What to tell and where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// How much clients may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections in all.
    pub connections: usize,
    /// Connections from one address.
    pub connections_per_address: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let limits = gateway_server::TransportLimits::default();
        Limits {
            connections: limits.connections,
            connections_per_address: limits.connections_per_peer,
        }
    }
}

/// How much of the audit trail this host keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// How much of the pool's past this host keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct History {
    /// How far it reaches back; 0 keeps none.
    pub hours: u32,
    /// MiB of log beyond which less is kept.
    pub mebibytes: u32,
}

impl Default for History {
    fn default() -> Self {
        History {
            hours: 48,
            mebibytes: 512,
        }
    }
}

/// The programs by which the host is switched off and the like, each with its first arguments. `[]` takes one away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

fn host_name() -> String {
    nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .unwrap_or_default()
}

/// Reads the settings, with what the environment says instead.
///
/// # Errors
/// When the file cannot be read, or for each key that is unknown or has a value that is not allowed; the message names
/// the key, the value and what is allowed.
pub fn load(path: &Path) -> Result<Config> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    match check::read(&text, &environment) {
        Ok(config) => Ok(config),
        Err(complaints) => {
            let lines: Vec<String> = complaints.iter().map(ToString::to_string).collect();
            bail!("settings in {}:\n  {}", path.display(), lines.join("\n  "))
        }
    }
}

/// The settings as they are now in force, as a file of settings.
///
/// # Errors
/// If they cannot be written as TOML, which would be a mistake in the description.
pub fn shown(config: &Config) -> Result<String> {
    toml::to_string_pretty(config).context("write the settings")
}

/// Names of the keys that differ and take effect only when the node starts anew.
pub fn needs_restart(old: &Config, new: &Config) -> Vec<String> {
    check::differing(old, new)
        .into_iter()
        .filter(|name| !keys::KEYS.iter().any(|key| key.is_live && key.path() == *name))
        .collect()
}
