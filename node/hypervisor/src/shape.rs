//! What a live domain of the pool consists of, to see what others have changed about it.

use std::collections::BTreeMap;
use std::fmt;

use proto_types::Bytes;

use crate::device::{DiskIndex, DiskSource, NicIndex};
use crate::domain::DomainSpec;

/// Memory may be off by so much: hypervisors round.
const ROUNDING: u64 = Bytes::MIB;

/// What a live domain consists of, as far as somebody could change it while it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DomainShape {
    /// Its virtual CPUs at this moment.
    pub vcpus: u32,
    /// What it finds at boot.
    pub memory_maximum: Bytes,
    /// What its balloon leaves to it.
    pub memory: Bytes,
    /// Its disks and drives by their number, with the name of what is in them, if anything is.
    pub disks: BTreeMap<DiskIndex, Option<String>>,
    /// Its network interfaces by their number.
    pub nics: BTreeMap<NicIndex, NicShape>,
    /// Devices that have no number, in words: the pool gives none without one.
    pub others: Vec<String>,
    /// Whether something would start it again without the pool.
    pub is_defined: bool,
}

/// A network interface of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NicShape {
    /// Its hardware address, in lower case.
    pub mac: String,
    /// The bridge it is on.
    pub bridge: String,
}

impl DomainShape {
    /// What a domain would consist of that was made from a spec; `name` names a disk's source as the driver finds it.
    pub fn wanted(spec: &DomainSpec, name: impl Fn(&DiskSource) -> Option<String>) -> DomainShape {
        DomainShape {
            vcpus: spec.vcpus.at_startup,
            memory_maximum: spec.memory.maximum,
            memory: spec.memory.target,
            disks: spec
                .disks
                .iter()
                .map(|disk| (disk.index, name(&disk.source)))
                .collect(),
            nics: spec
                .nics
                .iter()
                .map(|nic| {
                    let shape = NicShape {
                        mac: nic.mac.to_lowercase(),
                        bridge: nic.bridge.clone(),
                    };
                    (nic.index, shape)
                })
                .collect(),
            others: Vec::new(),
            is_defined: false,
        }
    }

    /// What is different about a domain from what is wanted, in words for people; nothing if nothing is.
    pub fn differences(&self, found: &DomainShape) -> Vec<String> {
        let mut said = Vec::new();
        if self.vcpus != found.vcpus {
            said.push(format!(
                "it has {} virtual CPUs instead of {}",
                found.vcpus, self.vcpus
            ));
        }
        if !self.memory_agrees(found) {
            said.push(format!(
                "it has {} MiB of memory instead of {}",
                found.memory.get() / Bytes::MIB,
                self.memory.get() / Bytes::MIB
            ));
        }
        compare(&self.disks, &found.disks, &mut said);
        compare(&self.nics, &found.nics, &mut said);
        said.extend(found.others.iter().map(|other| format!("{other} was added")));
        if found.is_defined {
            said.push("it is defined on its host, which could start it without the pool".to_owned());
        }
        said
    }

    /// A guest that has no balloon keeps all its memory, whatever is wanted.
    fn memory_agrees(&self, found: &DomainShape) -> bool {
        let near = |a: Bytes, b: Bytes| a.get().abs_diff(b.get()) <= ROUNDING;
        near(found.memory, self.memory) || near(found.memory, found.memory_maximum)
    }
}

/// A device in words.
trait Described: PartialEq {
    fn described(&self) -> String;
}

impl Described for Option<String> {
    fn described(&self) -> String {
        self.as_ref().map_or("nothing", String::as_str).to_owned()
    }
}

impl Described for NicShape {
    fn described(&self) -> String {
        format!("{} on {}", self.mac, self.bridge)
    }
}

fn compare<N: Ord + fmt::Display, D: Described>(
    wanted: &BTreeMap<N, D>,
    found: &BTreeMap<N, D>,
    said: &mut Vec<String>,
) {
    for (number, device) in wanted {
        match found.get(number) {
            None => said.push(format!("{number} ({}) was taken away", device.described())),
            Some(other) if other != device => said.push(format!(
                "{number} is {} instead of {}",
                other.described(),
                device.described()
            )),
            Some(_) => {}
        }
    }
    for (number, device) in found.iter().filter(|(number, _)| !wanted.contains_key(number)) {
        said.push(format!("{number} ({}) was added", device.described()));
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn shape() -> DomainShape {
        let nic = NicShape {
            mac: "52:54:00:00:00:01".into(),
            bridge: "xapi0".into(),
        };
        DomainShape {
            vcpus: 2,
            memory_maximum: Bytes::mib(512),
            memory: Bytes::mib(256),
            disks: [(DiskIndex(0), Some("/sr/a.qcow2".into())), (DiskIndex(3), None)].into(),
            nics: [(NicIndex(0), nic)].into(),
            ..DomainShape::default()
        }
    }

    #[test]
    fn what_is_as_wanted_is_not_said() {
        assert!(shape().differences(&shape()).is_empty());
        let mut without_balloon = shape();
        without_balloon.memory = Bytes::mib(512);
        assert!(shape().differences(&without_balloon).is_empty());
        without_balloon.memory = Bytes(Bytes::mib(256).get() + 4096);
        assert!(shape().differences(&without_balloon).is_empty());
    }

    #[test]
    fn each_change_is_said_once() {
        let mut found = shape();
        found.vcpus = 1;
        found.memory = Bytes::mib(128);
        found.disks = [
            (DiskIndex(1), Some("/tmp/b.raw".into())),
            (DiskIndex(3), Some("/iso/c.iso".into())),
        ]
        .into();
        found.nics.get_mut(&NicIndex(0)).unwrap().bridge = "virbr0".into();
        found.others.push("an interface 52:54:00:00:00:09".into());
        found.is_defined = true;
        let expected = [
            "it has 1 virtual CPUs instead of 2",
            "it has 128 MiB of memory instead of 256",
            "disk 0 (/sr/a.qcow2) was taken away",
            "disk 3 is /iso/c.iso instead of nothing",
            "disk 1 (/tmp/b.raw) was added",
            "interface 0 is 52:54:00:00:00:01 on virbr0 instead of 52:54:00:00:00:01 on xapi0",
            "an interface 52:54:00:00:00:09 was added",
            "it is defined on its host, which could start it without the pool",
        ];
        assert_eq!(shape().differences(&found), expected);
    }
}
