//! How the driver is told what to use.

use std::path::{Path, PathBuf};
use std::time::Duration;

use node_hypervisor::Accelerator;

/// What to use and how long to wait for it.
#[derive(Clone, Debug)]
pub struct LibvirtConfig {
    /// libvirt's URI.
    pub uri: String,
    /// What executes guests; `None` probes once whether KVM works.
    pub accelerator: Option<Accelerator>,
    /// The emulator, for that probe only: libvirt chooses its own.
    pub emulator: PathBuf,
    /// Machine type. An alias such as `q35` is fixed to a version by QEMU when a domain starts.
    pub machine: String,
    /// libvirt's Unix socket on this host, to which migrations from other hosts are forwarded; `None` looks at the usual places.
    pub socket: Option<PathBuf>,
    /// Where libvirt keeps what emulated trusted platform modules hold.
    pub tpm_dir: PathBuf,
    /// How long things may take.
    pub limits: Limits,
}

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Reading, pausing, plugging, asking.
    pub short: Duration,
    /// Starting, resetting, destroying.
    pub lifecycle: Duration,
    /// Waiting for a guest to let go of a device.
    pub detach: Duration,
    /// Saving, restoring, migrating without another deadline.
    pub long: Duration,
    /// Waiting for the guest agent.
    pub agent: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            short: Duration::from_secs(30),
            lifecycle: Duration::from_secs(120),
            detach: Duration::from_secs(30),
            long: Duration::from_secs(4 * 3600),
            agent: Duration::from_secs(5),
        }
    }
}

impl Default for LibvirtConfig {
    fn default() -> Self {
        LibvirtConfig {
            uri: "qemu:///system".into(),
            accelerator: None,
            emulator: "/usr/bin/qemu-system-x86_64".into(),
            machine: "q35".into(),
            socket: None,
            tpm_dir: "/var/lib/libvirt/swtpm".into(),
            limits: Limits::default(),
        }
    }
}

/// Where libvirt listens: one daemon for all, or one for QEMU alone.
const USUAL_SOCKETS: [&str; 2] = ["/run/libvirt/libvirt-sock", "/run/libvirt/virtqemud-sock"];

impl LibvirtConfig {
    /// Whether it is about libvirt's test driver.
    pub(crate) fn is_test(&self) -> bool {
        self.uri.starts_with("test:")
    }

    /// The socket to which migrations are forwarded.
    pub(crate) fn migration_socket(&self) -> Option<PathBuf> {
        if let Some(socket) = &self.socket {
            return Some(socket.clone());
        }
        if let Some((_, socket)) = self.uri.split_once("socket=") {
            return Some(socket.split('&').next().unwrap_or(socket).into());
        }
        USUAL_SOCKETS
            .iter()
            .map(Path::new)
            .find(|p| p.exists())
            .map(PathBuf::from)
    }
}
