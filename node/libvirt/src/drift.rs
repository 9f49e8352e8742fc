//! What others have changed about a domain of the driver's.

use std::path::Path;

use node_hypervisor::{DomainShape, DomainSpec, NicShape};
use virt::connect::Connect;

use crate::bridge::find;
use crate::error::Fault;
use crate::lifecycle::live;
use crate::xml::foreign;
use crate::xml::live::{LiveDomain, name_of_source};
use crate::xml::tree::Element;

pub(crate) fn look(connect: &Connect, spec: &DomainSpec) -> Result<Vec<String>, Fault> {
    let domain = find(connect, spec.uuid)?;
    let wanted = DomainShape::wanted(spec, name_of_source);
    let mut found = shape(&live(&domain)?);
    found.is_defined = domain.is_persistent()?;
    for (number, name) in &wanted.disks {
        if let (Some(wanted), Some(Some(found))) = (name, found.disks.get_mut(number))
            && is_one_file(wanted, found)
        {
            found.clone_from(wanted);
        }
    }
    Ok(wanted.differences(&found))
}

/// What a live domain's XML says that it consists of.
fn shape(live: &LiveDomain) -> DomainShape {
    let of = |name: &str| foreign::size(live.root.find(name)).unwrap_or_default();
    let mut shape = DomainShape {
        vcpus: foreign::vcpus(&live.root).at_startup,
        memory_maximum: of("memory"),
        memory: of("currentMemory"),
        others: live.others().map(in_words).collect(),
        ..DomainShape::default()
    };
    for disk in live.disks() {
        shape.disks.insert(disk.index, disk.source);
    }
    for nic in live.nics() {
        let bridge = nic.element.of("source", "bridge").unwrap_or_default().to_owned();
        shape.nics.insert(nic.index, NicShape { mac: nic.mac, bridge });
    }
    shape
}

fn in_words(device: &Element) -> String {
    let source = device.find("source").and_then(|source| {
        ["file", "dev", "dir", "bridge", "network", "name"]
            .iter()
            .find_map(|key| source.attribute(key))
    });
    let mut words = format!("a device `{}`", device.name);
    for part in [device.of("mac", "address"), device.of("target", "dev"), source] {
        if let Some(part) = part {
            words.push(' ');
            words.push_str(part);
        }
    }
    words
}

/// Whether two names are of one file: a domain that was taken over has the name under which others started it.
fn is_one_file(one: &str, other: &str) -> bool {
    one != other
        && match (Path::new(one).canonicalize(), Path::new(other).canonicalize()) {
            (Ok(one), Ok(other)) => one == other,
            _ => false,
        }
}

#[cfg(test)]
mod test {
    use super::*;
    use node_hypervisor::{Bytes, DiskIndex, NicIndex};

    #[test]
    fn what_others_added_has_no_number() {
        let xml = "<domain type='kvm' id='3'><name>web</name><memory unit='KiB'>524288</memory>
          <currentMemory unit='KiB'>262144</currentMemory><vcpu placement='static' current='1'>2</vcpu><devices>
          <disk type='file' device='disk'><driver type='qcow2'/><source file='/sr/a.qcow2'/><target dev='vda' bus='virtio'/>
            <alias name='ua-tarn-disk-0'/></disk>
          <disk type='file' device='cdrom'><target dev='sdd' bus='scsi'/><alias name='ua-tarn-disk-3'/></disk>
          <disk type='block' device='lun'><source dev='/dev/sdz'/><target dev='xvdb' bus='scsi'/></disk>
          <interface type='bridge'><mac address='52:54:00:AA:00:01'/><source bridge='xapi0'/><target dev='t1'/>
            <alias name='ua-tarn-nic-0'/></interface>
          <interface type='network'><mac address='52:54:00:aa:00:02'/><source network='default' bridge='virbr0'/>
            <target dev='vnet3'/><alias name='net1'/></interface>
          <hostdev mode='subsystem' type='usb'><alias name='ua-tarn-usb-1-2'/></hostdev>
          <hostdev mode='subsystem' type='pci'><alias name='hostdev0'/></hostdev>
          <serial type='pty'/><memballoon model='virtio'/></devices></domain>";
        let found = shape(&LiveDomain::parse(xml).unwrap());
        let nic = NicShape {
            mac: "52:54:00:aa:00:01".into(),
            bridge: "xapi0".into(),
        };
        let expected = DomainShape {
            vcpus: 1,
            memory_maximum: Bytes::mib(512),
            memory: Bytes::mib(256),
            disks: [(DiskIndex(0), Some("/sr/a.qcow2".into())), (DiskIndex(3), None)].into(),
            nics: [(NicIndex(0), nic)].into(),
            others: vec![
                "a device `disk` xvdb /dev/sdz".into(),
                "a device `interface` 52:54:00:aa:00:02 vnet3 virbr0".into(),
                "a device `hostdev`".into(),
            ],
            is_defined: false,
        };
        assert_eq!(found, expected);
    }
}
