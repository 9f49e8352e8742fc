//! What a domain is made of, in the leader's terms: volumes by repository and location, bridges by description.

use std::collections::BTreeMap;
use std::path::PathBuf;

use node_hypervisor::{
    BootDevice, CpuModel, CpuTuning, DiskErrorPolicy, DiskKind, EndActions, NicModel, Platform,
};
use proto_types::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::machine::SecretText;

use crate::network::{BridgeRequest, NicPolicy};

/// One volume of the pool.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VolumeRef {
    /// The repository's uuid.
    pub sr: Uuid,
    /// The volume within it, in its driver's words; the VDI's `location`.
    pub location: String,
}

impl VolumeRef {
    /// A volume of a repository.
    pub fn new(sr: Uuid, location: impl Into<String>) -> VolumeRef {
        VolumeRef {
            sr,
            location: location.into(),
        }
    }
}

/// A domain to start, to bring back or to expect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainRequest {
    /// The VM's uuid, which is also the domain's.
    pub vm: Uuid,
    /// Names this start; another start of the same VM has another. The saga's own id does.
    pub start_id: Uuid,
    /// For people only.
    pub name: String,
    /// What the guest finds at boot.
    pub memory_static_max: Bytes,
    /// First target of the balloon, at most `memory_static_max`.
    pub memory_target: Bytes,
    /// How many CPUs there can be.
    pub vcpus_max: u32,
    /// How many are there at first.
    pub vcpus_at_startup: u32,
    /// Which CPU the guest sees.
    #[serde(default)]
    pub cpu: CpuModel,
    /// What runs before the guest's system.
    #[serde(default)]
    pub firmware: FirmwareRequest,
    /// What is started.
    #[serde(default)]
    pub boot: BootRequest,
    /// Disks and CD drives, each with another number.
    #[serde(default)]
    pub disks: Vec<DiskRequest>,
    /// Network interfaces, each with another number.
    #[serde(default)]
    pub nics: Vec<NicRequest>,
    /// `xenstore_data` of the VM; keys under `vm-data` reach the guest.
    #[serde(default)]
    pub guest_data: BTreeMap<String, String>,
    /// What follows when the guest ends by itself.
    #[serde(default)]
    pub end_actions: EndActions,
    /// Switches of the machine.
    #[serde(default)]
    pub platform: Platform,
    /// Whether there is a graphical console.
    #[serde(default = "yes")]
    pub graphical_console: bool,
    /// Strings that the firmware shows the guest, by XenServer's names.
    #[serde(default)]
    pub bios_strings: BTreeMap<String, String>,
    /// How its CPUs share the host's processors.
    #[serde(default)]
    pub tuning: CpuTuning,
    /// Its trusted platform module, if it has one.
    #[serde(default)]
    pub tpm: Option<TpmRequest>,
    /// USB devices of the host that it has, by where they are plugged in, such as `1-2.1`.
    #[serde(default)]
    pub usb: Vec<String>,
}

fn yes() -> bool {
    true
}

impl DomainRequest {
    /// A request without devices and with usual settings, to be filled in.
    pub fn new(vm: Uuid, start_id: Uuid, name: impl Into<String>, memory: Bytes) -> DomainRequest {
        DomainRequest {
            vm,
            start_id,
            name: name.into(),
            memory_static_max: memory,
            memory_target: memory,
            vcpus_max: 1,
            vcpus_at_startup: 1,
            cpu: CpuModel::default(),
            firmware: FirmwareRequest::default(),
            boot: BootRequest::default(),
            disks: Vec::new(),
            nics: Vec::new(),
            guest_data: BTreeMap::new(),
            end_actions: EndActions::default(),
            platform: Platform::default(),
            graphical_console: true,
            bios_strings: BTreeMap::new(),
            tuning: CpuTuning::default(),
            tpm: None,
            usb: Vec::new(),
        }
    }
}

/// A trusted platform module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TpmRequest {
    /// What it holds when the domain starts, in base64; empty means a new one. Looked at by `StartDomain` only: a domain
    /// that is brought back or moves in has it with its memory.
    #[serde(default)]
    pub contents: SecretText,
}

/// What runs before the guest's system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FirmwareRequest {
    /// A BIOS.
    #[default]
    Bios,
    /// UEFI; the host keeps the VM's variables.
    Uefi {
        /// Enforce signatures from the first boot on.
        secure_boot: bool,
        /// Whether new variables come with the usual keys.
        #[serde(default = "yes")]
        enrolled_keys: bool,
        /// Whether it begins with new variables, whatever the host has kept.
        #[serde(default)]
        anew: bool,
    },
}

/// What a domain starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BootRequest {
    /// These kinds of device, in this order (`order` of HVM_boot_params).
    Devices(Vec<BootDevice>),
    /// A kernel from the host's file system (PV_kernel, PV_ramdisk, PV_args).
    Kernel {
        /// Path on the host; must lie in one of the folders the host's configuration allows.
        kernel: PathBuf,
        /// The same of the initial RAM disk.
        ramdisk: Option<PathBuf>,
        /// Kernel command line.
        args: String,
    },
}

impl Default for BootRequest {
    fn default() -> Self {
        BootRequest::Devices(vec![BootDevice::Disk])
    }
}

/// A disk or CD drive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskRequest {
    /// The VBD's `userdevice` as a number.
    pub userdevice: u16,
    /// Disk or CD drive.
    pub kind: DiskKind,
    /// What is in it; `None` is an empty drive, for CD drives only.
    pub volume: Option<VolumeRef>,
    /// Whether the guest may only read.
    #[serde(default)]
    pub read_only: bool,
    /// Whether other VMs may write it at the same time.
    #[serde(default)]
    pub shareable: bool,
    /// Whether what the guest writes is thrown away when it stops.
    #[serde(default)]
    pub reset: bool,
    /// What happens when the host cannot read or write it.
    #[serde(default)]
    pub on_error: DiskErrorPolicy,
}

impl DiskRequest {
    /// A writable disk.
    pub fn disk(userdevice: u16, volume: VolumeRef) -> DiskRequest {
        DiskRequest {
            userdevice,
            kind: DiskKind::Disk,
            volume: Some(volume),
            read_only: false,
            shareable: false,
            reset: false,
            on_error: DiskErrorPolicy::Automatic,
        }
    }

    /// A CD drive with a medium or without.
    pub fn cd(userdevice: u16, volume: Option<VolumeRef>) -> DiskRequest {
        DiskRequest {
            userdevice,
            kind: DiskKind::Cdrom,
            volume,
            read_only: true,
            shareable: true,
            reset: false,
            on_error: DiskErrorPolicy::Automatic,
        }
    }
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NicRequest {
    /// The VIF's `device` as a number.
    pub device: u16,
    /// `xx:xx:xx:xx:xx:xx`.
    pub mac: String,
    /// The bridge, made if missing.
    pub bridge: BridgeRequest,
    /// Largest packet in bytes; `None` is the bridge's.
    #[serde(default)]
    pub mtu: Option<u32>,
    /// What the guest sees.
    #[serde(default)]
    pub model: NicModel,
    /// What it lets through.
    #[serde(default)]
    pub policy: NicPolicy,
}

/// A disk of a live domain that goes from one volume to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorRequest {
    /// The VM.
    pub vm: Uuid,
    /// The disk's number.
    pub userdevice: u16,
    /// The volume it has.
    pub from: VolumeRef,
    /// The one it is to have.
    pub to: VolumeRef,
}
