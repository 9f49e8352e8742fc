//! Changes a domain's XML where the next host calls things otherwise.
//!
//! Only disks' sources, bridges and the noted operation change: everything else, above all the addresses of devices,
//! must stay as the guest knows it.

use node_hypervisor::{DestinationChanges, DomainSpec, HypervisorError, Result};

use super::devices;
use super::domain::note;
use super::live::{LiveDomain, operation_of_note};
use super::tree::Element;

/// What a spec calls its disks and bridges.
pub(crate) fn changes_of(spec: &DomainSpec) -> DestinationChanges {
    DestinationChanges {
        disks: spec.disks.iter().map(|d| (d.index, d.source.clone())).collect(),
        bridges: spec.nics.iter().map(|n| (n.index, n.bridge.clone())).collect(),
    }
}

/// Applies the changes.
pub(crate) fn apply(
    domain: &mut LiveDomain,
    changes: &DestinationChanges,
    operation: Option<&str>,
) -> Result<()> {
    if let Some(operation) = operation {
        let mut metadata = domain
            .root
            .find("metadata")
            .cloned()
            .unwrap_or_else(|| Element::new("metadata"));
        metadata.children.retain(|n| operation_of_note(n).is_none());
        metadata.children.push(note(operation));
        domain.root.replace(metadata);
    }
    let Some(mut list) = domain.root.find("devices").cloned() else {
        return Err(HypervisorError::BadSpec {
            reason: "the domain has no devices".into(),
        });
    };
    for device in &mut list.children {
        match device.name.as_str() {
            "disk" => {
                let index = domain.index_of_disk(device);
                let Some(wanted) = index.and_then(|i| changes.disks.get(&i)) else {
                    continue;
                };
                let (kind, source) = devices::source(wanted)?;
                set_attribute(device, "type", kind);
                match source {
                    Some(source) => device.replace(source),
                    None => device.children.retain(|c| c.name != "source"),
                }
                // It describes the old source and would contradict the new one.
                device.children.retain(|c| c.name != "backingStore");
                device.children.extend(devices::backing_store(wanted)?);
            }
            "interface" => {
                let index = domain.index_of_nic(device);
                let Some(bridge) = index.and_then(|i| changes.bridges.get(&i)) else {
                    continue;
                };
                device.replace(Element::new("source").with("bridge", bridge.as_str()));
            }
            _ => {}
        }
    }
    domain.root.replace(list);
    Ok(())
}

fn set_attribute(element: &mut Element, name: &str, value: &str) {
    match element.attributes.iter_mut().find(|(n, _)| n == name) {
        Some((_, there)) => value.clone_into(there),
        None => element.attributes.push((name.into(), value.into())),
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use node_hypervisor::{DiskFormat, DiskIndex, DiskSource, NicIndex};

    const LIVE: &str = "<domain><uuid>00000000-0000-0000-0000-000000000007</uuid>
      <metadata><tarn:domain xmlns:tarn='urn:tarn:domain:1' operation='old'/><other xmlns='x'/></metadata>
      <devices>
        <disk type='file' device='disk'><source file='/old' index='1'/><backingStore/>
          <target dev='vdb' bus='virtio'/><address type='pci' slot='0x05'/></disk>
        <disk type='file' device='disk'><source file='/stays'/><target dev='vda' bus='virtio'/></disk>
        <interface type='bridge'><source bridge='old0'/><alias name='ua-tarn-nic-2'/><address slot='0x06'/></interface>
      </devices></domain>";

    #[test]
    fn only_what_is_named_otherwise_changes() {
        let mut live = LiveDomain::parse(LIVE).unwrap();
        let mut changes = DestinationChanges::default();
        let new = DiskSource::File {
            path: "/new".into(),
            format: DiskFormat::Qcow2,
        };
        changes.disks.insert(DiskIndex(1), new);
        changes.bridges.insert(NicIndex(2), "new0".into());
        apply(&mut live, &changes, Some("new")).unwrap();
        let again = LiveDomain::parse(&live.root.to_xml()).unwrap();
        assert_eq!(again.operation().as_deref(), Some("new"));
        assert_eq!(again.disk(DiskIndex(1)).unwrap().source.as_deref(), Some("/new"));
        assert_eq!(
            again.disk(DiskIndex(0)).unwrap().source.as_deref(),
            Some("/stays")
        );
        let xml = again.root.to_xml();
        assert!(
            xml.contains("new0") && !xml.contains("old0") && xml.contains("0x05") && xml.contains("0x06")
        );
        assert_eq!(again.root.find("metadata").unwrap().children.len(), 2);
    }
}
