//! Live domains that the pool did not start, and what it must know to take one over.

use std::collections::BTreeMap;
use std::path::PathBuf;

use proto_types::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::device::{
    DiskBus, DiskCache, DiskErrorPolicy, DiskIndex, DiskKind, DiskSource, DiskSpec, NicIndex, NicModel,
    NicSpec,
};
use crate::domain::{DomainSpec, DomainState, Firmware, MemorySpec, VcpuSpec};

/// A live domain that the pool did not start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignDomain {
    /// Its uuid, which becomes the VM's.
    pub uuid: Uuid,
    /// Its name on this host.
    pub name: String,
    /// What is written about it.
    pub description: String,
    /// Its state.
    pub state: DomainState,
    /// Its memory.
    pub memory: MemorySpec,
    /// Its virtual CPUs.
    pub vcpus: VcpuSpec,
    /// The file of its UEFI variables, if it is started by UEFI.
    pub uefi: Option<PathBuf>,
    /// Its disks and drives, in the order in which it has them.
    pub disks: Vec<ForeignDisk>,
    /// Its network interfaces, in the order in which it has them.
    pub nics: Vec<ForeignNic>,
    /// Why it cannot be taken over, in words for people; none if it can.
    pub obstacles: Vec<String>,
}

impl ForeignDomain {
    /// One that runs, with one processor and no devices, to be filled in.
    pub fn new(uuid: Uuid, name: impl Into<String>, memory: Bytes) -> ForeignDomain {
        ForeignDomain {
            uuid,
            name: name.into(),
            description: String::new(),
            state: DomainState::Running,
            memory: MemorySpec {
                maximum: memory,
                target: memory,
            },
            vcpus: VcpuSpec {
                maximum: 1,
                at_startup: 1,
            },
            uefi: None,
            disks: Vec::new(),
            nics: Vec::new(),
            obstacles: Vec::new(),
        }
    }

    /// What the pool would have started in its place: for what looks at a domain's spec, not for starting it.
    pub fn spec(&self, operation: &str, numbers: &DeviceNumbers) -> DomainSpec {
        let mut spec = DomainSpec::new(operation, self.uuid, self.name.as_str(), self.memory.maximum);
        spec.memory = self.memory;
        spec.vcpus = self.vcpus;
        if let Some(nvram) = &self.uefi {
            spec.firmware = Firmware::Uefi {
                secure_boot: false,
                enrolled_keys: true,
                nvram: nvram.clone(),
            };
        }
        for disk in &self.disks {
            let Some(index) = numbers.disks.get(&disk.target) else {
                continue;
            };
            spec.disks.push(DiskSpec {
                index: *index,
                kind: disk.kind,
                bus: if disk.target.starts_with("vd") {
                    DiskBus::Virtio
                } else {
                    DiskBus::Sata
                },
                source: disk.source.clone(),
                read_only: disk.read_only,
                shareable: disk.shareable,
                serial: String::new(),
                cache: DiskCache::Automatic,
                on_error: DiskErrorPolicy::Automatic,
            });
        }
        for nic in &self.nics {
            let Some(index) = numbers.nics.get(&nic.mac) else {
                continue;
            };
            spec.nics.push(NicSpec {
                index: *index,
                mac: nic.mac.clone(),
                bridge: nic.bridge.clone(),
                tap: None,
                mtu: None,
                model: NicModel::Virtio,
            });
        }
        spec
    }
}

/// A disk or drive of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignDisk {
    /// Its name within the domain, such as `vda`.
    pub target: String,
    /// Disk or CD drive.
    pub kind: DiskKind,
    /// Where its bytes are.
    pub source: DiskSource,
    /// Whether the guest may only read.
    pub read_only: bool,
    /// Whether others may have it open for writing too.
    pub shareable: bool,
}

/// A network interface of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignNic {
    /// Its hardware address, in lower case.
    pub mac: String,
    /// The bridge it is on.
    pub bridge: String,
}

/// Which device of a domain that was taken over has which number. Devices that are not named are not the pool's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceNumbers {
    /// By [`ForeignDisk::target`].
    pub disks: BTreeMap<String, DiskIndex>,
    /// By [`ForeignNic::mac`].
    pub nics: BTreeMap<String, NicIndex>,
}

impl DeviceNumbers {
    /// Numbers for all devices: disks keep the number of their letter, as the pool names its own; what has the letter of
    /// another one gets the next free number.
    pub fn of(domain: &ForeignDomain) -> DeviceNumbers {
        let mut numbers = DeviceNumbers::default();
        // Disks first: a drive gives way.
        let (disks, drives): (Vec<_>, Vec<_>) =
            domain.disks.iter().partition(|disk| disk.kind == DiskKind::Disk);
        for disk in disks.into_iter().chain(drives) {
            let taken = |index: &DiskIndex| numbers.disks.values().any(|other| other == index);
            let own = number_of_target(&disk.target).filter(|index| !taken(index));
            let index = own.or_else(|| (0..=254).map(DiskIndex).find(|index| !taken(index)));
            if let Some(index) = index {
                numbers.disks.insert(disk.target.clone(), index);
            }
        }
        for (nic, number) in domain.nics.iter().zip(0_u16..) {
            numbers.nics.insert(nic.mac.clone(), NicIndex(number));
        }
        numbers
    }
}

/// The number behind a disk's name: `vda`, `sda`, `hda` are all 0.
pub fn number_of_target(target: &str) -> Option<DiskIndex> {
    let letters = ["vd", "sd", "hd"]
        .iter()
        .find_map(|prefix| target.strip_prefix(prefix))?;
    DiskIndex::from_letters(letters)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn disks_keep_their_letters_and_drives_give_way() {
        let disk = |target: &str, kind| ForeignDisk {
            target: target.into(),
            kind,
            source: DiskSource::Empty,
            read_only: false,
            shareable: false,
        };
        let nic = |mac: &str| ForeignNic {
            mac: mac.into(),
            bridge: "br0".into(),
        };
        let mut domain = ForeignDomain::new(Uuid::nil(), "web", Bytes::mib(1));
        domain.disks = vec![
            disk("sda", DiskKind::Cdrom),
            disk("vda", DiskKind::Disk),
            disk("vdc", DiskKind::Disk),
            disk("fda", DiskKind::Disk),
        ];
        domain.nics = vec![nic("b"), nic("a")];
        let numbers = DeviceNumbers::of(&domain);
        let expected = [("fda", 1), ("sda", 3), ("vda", 0), ("vdc", 2)];
        let found: Vec<(&str, u16)> = numbers.disks.iter().map(|(t, i)| (t.as_str(), i.0)).collect();
        assert_eq!(found, expected);
        assert_eq!(numbers.nics["b"], NicIndex(0));
    }
}
