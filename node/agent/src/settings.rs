//! What an operator can set of a host's agent.

use std::path::{Path, PathBuf};
use std::time::Duration;

use node_commands::lease::Margins;

use crate::guard::GuardSettings;
use crate::machine::MachineSettings;

/// Folders, limits and choices. Every one can be set, so that many nodes fit on one machine.
#[derive(Clone, Debug)]
pub struct AgentSettings {
    /// Where the agent keeps what must outlive its restart. Made when missing.
    pub state_dir: PathBuf,
    /// Where consoles' sockets and logs are. The same on all hosts of a pool, since a domain takes the paths along.
    pub console_dir: PathBuf,
    /// Where UEFI variables of VMs are. The same on all hosts of a pool.
    pub nvram_dir: PathBuf,
    /// Where is kept what libvirt knew of domains before the pool took them over.
    pub adopted_dir: PathBuf,
    /// Where sockets for migrations are made; kept short, since a socket's path is limited to 107 bytes. The same on all
    /// hosts of a pool.
    pub migration_dir: PathBuf,
    /// Folders from which kernels and RAM disks may be booted.
    pub boot_dirs: Vec<PathBuf>,
    /// Folders from which volumes may be filled.
    pub image_dirs: Vec<PathBuf>,
    /// Whether the memory of domains that come here travels within the nodes' encrypted channel. Otherwise QEMU carries
    /// it over TCP in the clear, which is faster and for trusted networks only.
    pub tunnel_memory: bool,
    /// How often the host says that it lives.
    pub heartbeat: Duration,
    /// How often the host and its domains are counted.
    pub sampling: Duration,
    /// How often the archives of figures are written to disk; also when the node stops and when a domain goes.
    pub archiving: Duration,
    /// Longest time for a migration, unless the command sets one.
    pub migration_deadline: Duration,
    /// The program that copies save images into volumes and out of them.
    pub qemu_img: PathBuf,
    /// The program that serves volumes to those who read or write them from outside.
    pub qemu_nbd: PathBuf,
    /// How often guests' agents are asked.
    pub guest_pace: Duration,
    /// How often domains are compared with what they were made from.
    pub drift_pace: Duration,
    /// How often it is seen whether domains that stand still for want of a disk can go on.
    pub stall_pace: Duration,
    /// The host as a machine.
    pub machine: MachineSettings,
    /// What keeps it from running guests without a lease.
    pub guard: GuardSettings,
}

impl AgentSettings {
    /// Usual settings with everything below one folder.
    pub fn below(state_dir: &Path) -> AgentSettings {
        AgentSettings {
            state_dir: state_dir.to_owned(),
            console_dir: state_dir.join("console"),
            nvram_dir: state_dir.join("nvram"),
            adopted_dir: state_dir.join("adopted"),
            migration_dir: state_dir.join("mig"),
            boot_dirs: vec![
                state_dir.join("guest"),
                PathBuf::from("/boot/guest"),
                PathBuf::from("/var/lib/xcp/guest"),
            ],
            image_dirs: vec![state_dir.join("images")],
            tunnel_memory: true,
            heartbeat: Duration::from_secs(1),
            sampling: Duration::from_secs(5),
            archiving: Duration::from_secs(600),
            migration_deadline: Duration::from_secs(3600),
            qemu_img: PathBuf::from("qemu-img"),
            qemu_nbd: PathBuf::from("qemu-nbd"),
            guest_pace: Duration::from_secs(10),
            drift_pace: Duration::from_secs(20),
            stall_pace: Duration::from_secs(5),
            machine: MachineSettings::default(),
            guard: GuardSettings {
                lease_file: state_dir.join("lease"),
                guests_file: state_dir.join("guests"),
                watchdog_file: None,
                margins: Margins::default(),
            },
        }
    }

    /// Where archives of figures are.
    pub(crate) fn archive_dir(&self) -> PathBuf {
        self.state_dir.join("rrd")
    }

    /// Where save images are while they are written or read.
    pub(crate) fn spool_dir(&self) -> PathBuf {
        self.state_dir.join("spool")
    }
}

impl Default for AgentSettings {
    fn default() -> Self {
        AgentSettings {
            console_dir: PathBuf::from("/run/tarn/console"),
            migration_dir: PathBuf::from("/run/tarn/mig"),
            ..AgentSettings::below(Path::new("/var/lib/tarn"))
        }
    }
}
