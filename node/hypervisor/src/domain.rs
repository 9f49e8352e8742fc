//! What a domain is made of, and what state it is in.

use std::collections::BTreeMap;
use std::path::PathBuf;

use proto_types::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::device::{DiskSpec, NicSpec};

/// Everything a driver needs to start a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainSpec {
    /// Names the operation that starts the domain. Kept with the domain, so that a repeated start is known again.
    pub operation: String,
    /// The VM's uuid, which is also the domain's.
    pub uuid: Uuid,
    /// For people only; need not be unique in the pool. Drivers add the uuid where their names must be unique.
    pub name: String,
    /// Memory limits.
    pub memory: MemorySpec,
    /// Virtual CPUs.
    pub vcpus: VcpuSpec,
    /// Which CPU the guest sees.
    pub cpu: CpuModel,
    /// BIOS or UEFI.
    pub firmware: Firmware,
    /// What is started.
    pub boot: Boot,
    /// Disks and CD drives, each with another index.
    pub disks: Vec<DiskSpec>,
    /// Network interfaces, each with another index.
    pub nics: Vec<NicSpec>,
    /// File to which the serial port's output is appended, if kept. Its folder is made when missing.
    pub serial_log: Option<PathBuf>,
    /// Unix socket on which the graphical console listens; `None` means no graphical console.
    pub vnc_socket: Option<PathBuf>,
    /// Values for the guest to read under `/sys/firmware/qemu_fw_cfg/by_name`.
    pub fw_cfg: Vec<FwCfg>,
    /// Whether there is a channel for the guest agent.
    pub guest_agent: bool,
    /// What follows when the guest ends by itself.
    pub end_actions: EndActions,
    /// Switches of the machine.
    pub platform: Platform,
    /// Strings that the firmware shows the guest: `bios-vendor`, `system-serial-number` and the like. What is not named
    /// is as the driver has it.
    #[serde(default)]
    pub bios_strings: BTreeMap<String, String>,
    /// Whether it has a trusted platform module; see [`crate::Hypervisor::put_tpm_state`].
    #[serde(default)]
    pub tpm: bool,
    /// USB devices of the host that it has.
    #[serde(default)]
    pub usb: Vec<UsbSpec>,
}

impl DomainSpec {
    /// A spec with no devices and usual settings, to be filled in.
    pub fn new(
        operation: impl Into<String>,
        uuid: Uuid,
        name: impl Into<String>,
        memory: Bytes,
    ) -> DomainSpec {
        DomainSpec {
            operation: operation.into(),
            uuid,
            name: name.into(),
            memory: MemorySpec {
                maximum: memory,
                target: memory,
            },
            vcpus: VcpuSpec {
                maximum: 1,
                at_startup: 1,
            },
            cpu: CpuModel::default(),
            firmware: Firmware::default(),
            boot: Boot::default(),
            disks: Vec::new(),
            nics: Vec::new(),
            serial_log: None,
            vnc_socket: None,
            fw_cfg: Vec::new(),
            guest_agent: true,
            end_actions: EndActions::default(),
            platform: Platform::default(),
            bios_strings: BTreeMap::new(),
            tpm: false,
            usb: Vec::new(),
        }
    }
}

/// A USB device of the host, for one domain alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsbSpec {
    /// Where it is plugged in, such as `1-2.1`: names it for as long as the domain has it.
    pub path: String,
    /// Number of its bus.
    pub bus: u32,
    /// Its number on the bus, another one each time it is plugged in.
    pub device: u32,
}

/// Memory of a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemorySpec {
    /// The static maximum: what the guest finds at boot.
    pub maximum: Bytes,
    /// The balloon's first target, at most `maximum`.
    pub target: Bytes,
}

/// Virtual CPUs of a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VcpuSpec {
    /// How many there can be while it runs, at least one.
    pub maximum: u32,
    /// How many are there at first, from one to `maximum`.
    pub at_startup: u32,
}

/// How a domain's virtual CPUs share the host's processors. The default is no limit and an equal share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuTuning {
    /// Share against others, 256 being usual, from 1 to 65535.
    #[serde(default)]
    pub weight: Option<u32>,
    /// Most time of all its CPUs together, in hundredths of one processor; 0 is no limit.
    #[serde(default)]
    pub cap: Option<u32>,
    /// The host's processors it may run on; empty means all.
    #[serde(default)]
    pub mask: Vec<u32>,
}

/// Which CPU the guest sees.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CpuModel {
    /// The driver's choice: one that can migrate between like hosts.
    #[default]
    Automatic,
    /// A model by the name QEMU has for it, with features added (`+aes`) or taken away (`-vmx`).
    Named {
        /// For instance `qemu64` or `Haswell-noTSX`.
        model: String,
        /// Each begins with `+` or `-`.
        features: Vec<String>,
    },
    /// The host's own, which ties the guest to equal hosts. Not with emulation.
    HostPassthrough,
}

fn yes() -> bool {
    true
}

/// What runs before the guest's system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Firmware {
    /// SeaBIOS.
    #[default]
    Bios,
    /// UEFI by OVMF.
    Uefi {
        /// Enforce signatures from the first boot on.
        secure_boot: bool,
        /// Whether new variables come with the usual keys; without them Secure Boot is in its setup mode.
        #[serde(default = "yes")]
        enrolled_keys: bool,
        /// The file of this VM's variables; made from the template when missing.
        nvram: PathBuf,
    },
}

/// What a domain starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Boot {
    /// The firmware tries these kinds of device, in this order.
    Devices(Vec<BootDevice>),
    /// A kernel from the host's file system, without boot loader.
    Kernel {
        /// Path of the kernel on the host.
        kernel: PathBuf,
        /// Path of the initial RAM disk on the host.
        initrd: Option<PathBuf>,
        /// Kernel command line.
        args: String,
    },
}

impl Default for Boot {
    fn default() -> Self {
        Boot::Devices(vec![BootDevice::Disk])
    }
}

/// A kind of device to boot from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BootDevice {
    /// The disks in order of their index; `c` in HVM_boot_params.
    Disk,
    /// The CD drives in order of their index; `d`.
    Cdrom,
    /// The network interfaces in order of their index; `n`.
    Network,
}

/// One value that the guest can read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FwCfg {
    /// Must begin with `opt/`, at most 55 characters.
    pub name: String,
    /// Text; control characters other than tab and newline are refused.
    pub value: String,
}

/// What follows each way in which a guest can end by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndActions {
    /// The guest powered off.
    pub on_poweroff: EndAction,
    /// The guest rebooted.
    pub on_reboot: EndAction,
    /// The guest crashed.
    pub on_crash: EndAction,
}

impl Default for EndActions {
    fn default() -> Self {
        EndActions {
            on_poweroff: EndAction::Destroy,
            on_reboot: EndAction::Restart,
            on_crash: EndAction::Destroy,
        }
    }
}

/// What happens to a domain whose guest has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndAction {
    /// The domain goes.
    Destroy,
    /// The machine is reset and starts again in the same domain.
    Restart,
    /// The domain stays for inspection, its CPUs stopped. Drivers that cannot do so after a power-off destroy.
    Preserve,
    /// Memory is written to a file of the host, then as `Destroy`. Crash only; else as `Destroy`.
    CoredumpAndDestroy,
    /// Memory is written to a file of the host, then as `Restart`. Crash only; else as `Restart`.
    CoredumpAndRestart,
}

/// Switches of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// ACPI tables. Without them guests do not hear of a shutdown request.
    pub acpi: bool,
    /// APIC.
    pub apic: bool,
    /// PAE.
    pub pae: bool,
    /// Enlightenments for Windows guests.
    pub viridian: bool,
    /// What the real-time clock shows.
    pub clock: Clock,
}

impl Default for Platform {
    fn default() -> Self {
        Platform {
            acpi: true,
            apic: true,
            pae: true,
            viridian: false,
            clock: Clock::Utc,
        }
    }
}

/// What the real-time clock of a domain shows at start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Clock {
    /// UTC plus nothing.
    #[default]
    Utc,
    /// The host's local time, as Windows likes it.
    LocalTime,
    /// UTC plus so many seconds.
    Offset(i64),
}

/// Whether a started domain runs at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StartMode {
    /// Its CPUs run.
    Running,
    /// Its CPUs wait for [`crate::Hypervisor::unpause`].
    Paused,
}

/// A domain as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domain {
    /// The VM it carries out.
    pub uuid: Uuid,
    /// The host's number for it, never used twice on one host until the host restarts; -1 when it has none yet.
    pub id: i64,
    /// Running, paused or on its way out.
    pub state: DomainState,
    /// The operation that started it, if the driver could tell.
    pub operation: Option<String>,
}

/// The states in which a domain can be. A domain that is absent has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DomainState {
    /// Its CPUs run.
    Running,
    /// Its CPUs are stopped.
    Paused(PauseReason),
    /// The guest is powering off.
    ShuttingDown,
    /// The guest has crashed and the domain is kept.
    Crashed,
    /// Ended, but still known to the driver for a moment.
    Off,
}

impl DomainState {
    /// Whether the domain holds memory and may touch its disks.
    pub fn is_live(self) -> bool {
        !matches!(self, DomainState::Off)
    }
}

/// Why a domain's CPUs are stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PauseReason {
    /// Asked for.
    Requested,
    /// A copy that is still coming in from another host, or the source of one in its last step.
    Migrating,
    /// Being saved or restored.
    Saving,
    /// A disk failed, for instance because its storage is full.
    DiskError,
    /// Started paused, still starting, or for a reason the driver does not know.
    Other,
}
