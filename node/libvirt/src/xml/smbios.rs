//! Strings that the firmware shows the guest.

use node_hypervisor::{DomainSpec, HypervisorError, Result};

use super::tree::Element;

/// Where libvirt has each string: the block and the entry's name.
///
/// Source: libvirt's domain XML, `<sysinfo type="smbios">`.
const ENTRIES: &[(&str, &str, &str)] = &[
    ("bios-vendor", "bios", "vendor"),
    ("bios-version", "bios", "version"),
    ("system-manufacturer", "system", "manufacturer"),
    ("system-product-name", "system", "product"),
    ("system-version", "system", "version"),
    ("system-serial-number", "system", "serial"),
    ("baseboard-manufacturer", "baseBoard", "manufacturer"),
    ("baseboard-product-name", "baseBoard", "product"),
    ("baseboard-version", "baseBoard", "version"),
    ("baseboard-serial-number", "baseBoard", "serial"),
    ("baseboard-asset-tag", "baseBoard", "asset"),
    ("baseboard-location-in-chassis", "baseBoard", "location"),
    ("enclosure-asset-tag", "chassis", "asset"),
];

/// The `sysinfo` element.
///
/// # Errors
/// [`HypervisorError::BadSpec`] for a string that has no place, or holds what firmware cannot show.
pub(crate) fn sysinfo(spec: &DomainSpec) -> Result<Element> {
    let bad = |reason: String| HypervisorError::BadSpec { reason };
    for (name, value) in &spec.bios_strings {
        if !ENTRIES.iter().any(|(known, _, _)| known == name) {
            return Err(bad(format!("{name:?} is no string of the firmware")));
        }
        // QEMU takes a comma as the end of the string.
        if !value
            .chars()
            .all(|c| c == ' ' || (c.is_ascii_graphic() && c != ','))
        {
            return Err(bad(format!(
                "the string {name:?} has characters that do not pass"
            )));
        }
    }
    let mut info = Element::new("sysinfo").with("type", "smbios");
    for block in ["bios", "system", "baseBoard", "chassis"] {
        let entries: Vec<Element> = ENTRIES
            .iter()
            .filter(|(_, of, _)| *of == block)
            .filter_map(|(name, _, entry)| {
                let value = spec.bios_strings.get(*name).filter(|v| !v.is_empty())?;
                Some(Element::new("entry").with("name", *entry).text(value.as_str()))
            })
            .collect();
        if !entries.is_empty() {
            let mut element = Element::new(block);
            element.children = entries;
            info.children.push(element);
        }
    }
    Ok(info)
}
