//! What the XML of a domain says that the pool did not start, and the note of its devices' numbers once it is the pool's.

use node_hypervisor::{
    Bytes, DeviceNumbers, DiskFormat, DiskIndex, DiskKind, DiskSource, DomainState, ForeignDisk,
    ForeignDomain, ForeignNic, MemorySpec, NicIndex, VcpuSpec,
};
use uuid::Uuid;

use super::tree::Element;

/// The note.
pub(crate) fn note(numbers: &DeviceNumbers) -> Element {
    let mut note = Element::new("devices");
    for (target, index) in &numbers.disks {
        let disk = Element::new("disk").with("target", target.as_str());
        note = note.child(disk.with("number", index.0.to_string()));
    }
    for (mac, index) in &numbers.nics {
        let nic = Element::new("interface").with("mac", mac.as_str());
        note = note.child(nic.with("number", index.0.to_string()));
    }
    note
}

/// Reads the note back; libvirt gives its elements the prefix of their namespace.
pub(crate) fn numbers(note: &Element) -> DeviceNumbers {
    let mut numbers = DeviceNumbers::default();
    for child in &note.children {
        let number = child.attribute("number").and_then(|number| number.parse().ok());
        let plain = child
            .name
            .rsplit_once(':')
            .map_or(child.name.as_str(), |(_, name)| name);
        match (plain, child.attribute("target"), child.attribute("mac"), number) {
            ("disk", Some(target), _, Some(number)) => {
                numbers.disks.insert(target.to_owned(), DiskIndex(number));
            }
            ("interface", _, Some(mac), Some(number)) => {
                numbers.nics.insert(mac.to_owned(), NicIndex(number));
            }
            _ => {}
        }
    }
    numbers
}

/// Reads a domain's XML.
pub(crate) fn domain(root: &Element, uuid: Uuid, state: DomainState) -> ForeignDomain {
    let text = |name: &str| root.find(name).map_or("", |e| e.text.trim());
    let mut obstacles = Vec::new();
    let maximum = size(root.find("memory")).unwrap_or_else(|| {
        obstacles.push("its memory is not known".to_owned());
        Bytes(0)
    });
    let os = root.find("os");
    let loader = os.and_then(|os| os.find("loader"));
    let is_uefi = os.is_some_and(|os| os.attribute("firmware") == Some("efi"))
        || loader.is_some_and(|loader| loader.attribute("type") == Some("pflash"));
    let nvram = os
        .and_then(|os| os.find("nvram"))
        .map(|nvram| nvram.text.trim().into());
    if loader.is_some_and(|loader| loader.attribute("secure") == Some("yes")) {
        obstacles.push("it is started by Secure Boot".to_owned());
    }
    if is_uefi && nvram.is_none() {
        obstacles.push("the file of its UEFI variables is not known".to_owned());
    }
    let (mut disks, mut nics) = (Vec::new(), Vec::new());
    for device in root.find("devices").into_iter().flat_map(|list| &list.children) {
        let found = match device.name.as_str() {
            "disk" => disk(device).map(|disk| disks.extend(disk)),
            "interface" => nic(device).map(|nic| nics.push(nic)),
            "hostdev" => Err("it has a device of the host".to_owned()),
            "filesystem" => Err("it has a folder of the host".to_owned()),
            "tpm" => Err("it has a trusted platform module".to_owned()),
            _ => Ok(()),
        };
        obstacles.extend(found.err());
    }
    if !matches!(state, DomainState::Running) {
        obstacles.push("it does not run".to_owned());
    }
    ForeignDomain {
        uuid,
        name: text("name").to_owned(),
        description: text("description").to_owned(),
        state,
        memory: MemorySpec {
            maximum,
            target: size(root.find("currentMemory")).unwrap_or(maximum),
        },
        vcpus: vcpus(root),
        uefi: nvram.filter(|_| is_uefi),
        disks,
        nics,
        obstacles,
    }
}

/// Its virtual CPUs now, and how many there can be.
pub(crate) fn vcpus(root: &Element) -> VcpuSpec {
    let count = root.find("vcpu").and_then(|vcpu| vcpu.text.trim().parse().ok());
    let maximum = count.unwrap_or(1);
    let current = root.of("vcpu", "current").and_then(|count| count.parse().ok());
    VcpuSpec {
        maximum,
        at_startup: current.unwrap_or(maximum),
    }
}

/// libvirt writes KiB, and says so.
pub(crate) fn size(element: Option<&Element>) -> Option<Bytes> {
    let element = element?;
    let number: u64 = element.text.trim().parse().ok()?;
    let unit = match element.attribute("unit").unwrap_or("KiB") {
        "b" | "bytes" => 1,
        "KiB" | "k" => Bytes::KIB,
        "MiB" | "M" => Bytes::MIB,
        "GiB" | "G" => Bytes::GIB,
        _ => return None,
    };
    number.checked_mul(unit).map(Bytes)
}

/// A disk or drive; nothing for one that has no place in the pool and does no harm.
fn disk(element: &Element) -> Result<Option<ForeignDisk>, String> {
    let target = element.of("target", "dev").unwrap_or_default().to_owned();
    let kind = match element.attribute("device").unwrap_or("disk") {
        "disk" => DiskKind::Disk,
        "cdrom" => DiskKind::Cdrom,
        // An empty floppy drive harms nobody.
        "floppy" if element.find("source").is_none() => return Ok(None),
        other => return Err(format!("{target} is a {other}")),
    };
    let flagged = |name: &str| element.find(name).is_some();
    let source = source(element, &target, kind)?;
    if flagged("encryption") {
        return Err(format!("{target} is encrypted"));
    }
    Ok(Some(ForeignDisk {
        kind,
        source,
        read_only: flagged("readonly") || kind == DiskKind::Cdrom,
        shareable: flagged("shareable"),
        target,
    }))
}

fn source(element: &Element, target: &str, kind: DiskKind) -> Result<DiskSource, String> {
    let format = match element.of("driver", "type").unwrap_or("raw") {
        "raw" => DiskFormat::Raw,
        "qcow2" => DiskFormat::Qcow2,
        other => return Err(format!("{target} is in the form {other}")),
    };
    let builds_on_another = element
        .find("backingStore")
        .is_some_and(|store| store.find("source").is_some());
    if builds_on_another {
        return Err(format!(
            "{target} builds on another image: `virsh blockpull` makes it whole"
        ));
    }
    let Some(source) = element.find("source") else {
        return match kind {
            DiskKind::Cdrom => Ok(DiskSource::Empty),
            DiskKind::Disk => Err(format!("{target} is nowhere")),
        };
    };
    match (element.attribute("type"), source.attribute("file")) {
        (Some("file"), Some(path)) => Ok(DiskSource::File {
            path: path.into(),
            format,
        }),
        (other, _) => Err(format!("{target} is a {} and no file", other.unwrap_or("thing"))),
    }
}

fn nic(element: &Element) -> Result<ForeignNic, String> {
    let mac = element.of("mac", "address").unwrap_or_default().to_lowercase();
    // Also that of a network of libvirt's, once the domain runs.
    match element.of("source", "bridge") {
        Some(bridge) => Ok(ForeignNic {
            mac,
            bridge: bridge.to_owned(),
        }),
        None => Err(format!("the interface {mac} is on no bridge")),
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::xml::live::LiveDomain;

    const WEB: &str = "<domain type='kvm' id='3'><name>web</name><description>Serves</description>
      <memory unit='KiB'>524288</memory><currentMemory unit='KiB'>262144</currentMemory>
      <vcpu placement='static' current='1'>2</vcpu><os><type machine='pc-i440fx-7.2'>hvm</type></os>
      <metadata><tarn:devices xmlns:tarn='urn:tarn:devices:1'><tarn:disk target='vda' number='0'/>
        <tarn:disk target='sda' number='1'/><tarn:interface mac='52:54:00:aa:bb:cc' number='0'/></tarn:devices></metadata>
      <devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/i/web.qcow2' index='2'/>
        <backingStore/><target dev='vda' bus='virtio'/><alias name='virtio-disk0'/></disk>
        <disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/><alias name='sata0-0-0'/></disk>
        <disk type='file' device='disk'><driver type='raw'/><source file='/i/own.raw'/><target dev='vdc' bus='virtio'/>
          <alias name='ua-tarn-disk-2'/></disk>
        <disk type='file' device='disk'><source file='/i/other.raw'/><target dev='vdd' bus='virtio'/>
          <alias name='virtio-disk3'/></disk>
        <interface type='network'><mac address='52:54:00:AA:bb:cc'/><source network='default' bridge='virbr0'/>
          <alias name='net0'/></interface></devices></domain>";

    fn parsed(xml: &str) -> Element {
        Element::parse(xml).unwrap()
    }

    #[test]
    fn a_usual_domain_is_understood() {
        let found = domain(&parsed(WEB), Uuid::nil(), DomainState::Running);
        assert_eq!(
            (found.name.as_str(), found.description.as_str()),
            ("web", "Serves")
        );
        assert_eq!(
            (found.memory.maximum, found.memory.target),
            (Bytes::mib(512), Bytes::mib(256))
        );
        assert_eq!((found.vcpus.maximum, found.vcpus.at_startup), (2, 1));
        let targets: Vec<&str> = found.disks.iter().map(|disk| disk.target.as_str()).collect();
        assert_eq!(targets, ["vda", "sda", "vdc", "vdd"]);
        assert_eq!(found.disks[1].source, DiskSource::Empty);
        assert_eq!(found.nics[0].bridge, "virbr0");
        assert!(found.obstacles.is_empty(), "{:?}", found.obstacles);
    }

    #[test]
    fn what_the_pool_cannot_take_is_named() {
        for (was, becomes, why) in [
            (
                "<backingStore/>",
                "<backingStore type='file'><source file='/b'/></backingStore>",
                "builds on",
            ),
            ("type='qcow2'", "type='vdi'", "the form vdi"),
            (
                "<disk type='file' device='disk'><driver name",
                "<disk type='block' device='disk'><driver name",
                "no file",
            ),
            ("bridge='virbr0'", "", "on no bridge"),
            (
                "</os>",
                "<loader type='pflash' secure='yes'/></os>",
                "Secure Boot",
            ),
            ("</devices>", "<hostdev/></devices>", "device of the host"),
            ("device='cdrom'", "device='lun'", "is a lun"),
        ] {
            let found = domain(
                &parsed(&WEB.replace(was, becomes)),
                Uuid::nil(),
                DomainState::Running,
            );
            assert!(
                found.obstacles.iter().any(|o| o.contains(why)),
                "{why}: {:?}",
                found.obstacles
            );
        }
        let off = domain(&parsed(WEB), Uuid::nil(), DomainState::Off);
        assert_eq!(off.obstacles, ["it does not run"]);
    }

    #[test]
    fn devices_go_by_the_numbers_that_are_noted() {
        let live = LiveDomain::parse(WEB).unwrap();
        let disks: Vec<(u16, String)> = live.disks().into_iter().map(|d| (d.index.0, d.target)).collect();
        let expected = [(0, "vda"), (1, "sda"), (2, "vdc")].map(|(n, t)| (n, t.to_owned()));
        assert_eq!(disks, expected, "one that came from elsewhere is not the pool's");
        assert_eq!(live.nic(NicIndex(0)).unwrap().mac, "52:54:00:aa:bb:cc");
        let domain = domain(&parsed(WEB), Uuid::nil(), DomainState::Running);
        let all = DeviceNumbers::of(&domain);
        assert_eq!(numbers(&note(&all)), all);
    }
}
