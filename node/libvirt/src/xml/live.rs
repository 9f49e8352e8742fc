//! What the driver needs to know of a live domain's XML.

use std::path::PathBuf;

use node_hypervisor::foreign::number_of_target;
use node_hypervisor::{ConsoleEndpoints, DeviceNumbers, DiskIndex, DiskSource, NicIndex};
use uuid::Uuid;

use super::tree::{Element, NotXml};
use super::{NAMESPACE, NUMBERS, devices, foreign};

/// A live domain, or the one in a save image.
pub(crate) struct LiveDomain {
    pub(crate) root: Element,
    /// If it was taken over: the numbers of the devices it had then.
    numbers: Option<DeviceNumbers>,
}

/// A disk of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LiveDisk {
    pub(crate) index: DiskIndex,
    pub(crate) target: String,
    pub(crate) cdrom: bool,
    /// File, device or name within the network source.
    pub(crate) source: Option<String>,
    /// The whole element, as libvirt wants it back for detaching.
    pub(crate) element: Element,
}

/// An interface of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LiveNic {
    pub(crate) index: NicIndex,
    pub(crate) mac: String,
    pub(crate) tap: Option<String>,
    /// The whole element, as libvirt wants it back for detaching.
    pub(crate) element: Element,
}

impl LiveDomain {
    pub(crate) fn parse(xml: &str) -> Result<LiveDomain, NotXml> {
        Element::parse(xml).map(LiveDomain::of)
    }

    /// Of XML that is read.
    pub(crate) fn of(root: Element) -> LiveDomain {
        let notes = root
            .find("metadata")
            .into_iter()
            .flat_map(|notes| &notes.children);
        let numbers = notes
            .filter(|note| is_of(note, NUMBERS))
            .map(foreign::numbers)
            .next();
        LiveDomain { root, numbers }
    }

    pub(crate) fn uuid(&self) -> Option<Uuid> {
        self.root.find("uuid")?.text.trim().parse().ok()
    }

    /// The operation that has brought the domain here.
    #[cfg(test)]
    pub(crate) fn operation(&self) -> Option<String> {
        let notes = self.root.find("metadata")?;
        notes.children.iter().find_map(operation_of_note)
    }

    /// What follows a power-off or reboot.
    pub(crate) fn lifecycle(&self, which: &str) -> Option<&str> {
        self.root.find(which).map(|e| e.text.trim())
    }

    fn devices(&self) -> impl Iterator<Item = &Element> {
        self.root.find("devices").into_iter().flat_map(|d| &d.children)
    }

    pub(crate) fn disks(&self) -> Vec<LiveDisk> {
        self.devices()
            .filter(|d| d.name == "disk")
            .filter_map(|d| disk(d, self.index_of_disk(d)?))
            .collect()
    }

    /// The number of a disk, if it is one of the pool's.
    pub(crate) fn index_of_disk(&self, element: &Element) -> Option<DiskIndex> {
        let target = element.of("target", "dev")?;
        let Some(numbers) = &self.numbers else {
            return number_of_target(target);
        };
        let plugged = element.of("alias", "name").and_then(devices::disk_of_alias);
        numbers.disks.get(target).copied().or(plugged)
    }

    /// The number of an interface, if it is one of the pool's.
    pub(crate) fn index_of_nic(&self, element: &Element) -> Option<NicIndex> {
        let own = element.of("alias", "name").and_then(devices::nic_of_alias);
        own.or_else(|| {
            let mac = element.of("mac", "address")?.to_lowercase();
            self.numbers.as_ref()?.nics.get(&mac).copied()
        })
    }

    pub(crate) fn disk(&self, index: DiskIndex) -> Option<LiveDisk> {
        self.disks().into_iter().find(|d| d.index == index)
    }

    pub(crate) fn nics(&self) -> Vec<LiveNic> {
        self.devices()
            .filter(|d| d.name == "interface")
            .filter_map(|d| nic(d, self.index_of_nic(d)?))
            .collect()
    }

    pub(crate) fn nic(&self, index: NicIndex) -> Option<LiveNic> {
        self.nics().into_iter().find(|n| n.index == index)
    }

    /// Devices that the pool did not give it, of the kinds that it gives. Those are disks without a number, though one that was
    /// added under a name like the pool's has the number of that name.
    pub(crate) fn others(&self) -> impl Iterator<Item = &Element> {
        self.devices().filter(|device| match device.name.as_str() {
            "disk" => self.index_of_disk(device).is_none(),
            "interface" => self.index_of_nic(device).is_none(),
            "hostdev" => !device
                .of("alias", "name")
                .is_some_and(|alias| alias.starts_with(devices::USB_ALIAS)),
            "filesystem" => true,
            _ => false,
        })
    }

    /// The element of a USB device of the host's, as libvirt wants it back for detaching.
    pub(crate) fn usb(&self, path: &str) -> Option<Element> {
        let alias = devices::usb_alias(path);
        self.devices()
            .filter(|d| d.name == "hostdev")
            .find(|d| d.of("alias", "name") == Some(alias.as_str()))
            .cloned()
    }

    pub(crate) fn consoles(&self) -> ConsoleEndpoints {
        let mut found = ConsoleEndpoints::default();
        for device in self.devices() {
            match device.name.as_str() {
                "graphics" if device.attribute("type") == Some("vnc") => {
                    let listen = device.of("listen", "socket");
                    found.vnc_socket = device.attribute("socket").or(listen).map(PathBuf::from);
                }
                "serial" if found.serial_pty.is_none() && found.serial_log.is_none() => {
                    found.serial_pty = device.of("source", "path").map(PathBuf::from);
                    found.serial_log = device.of("log", "file").map(PathBuf::from);
                }
                _ => {}
            }
        }
        found
    }
}

/// The operation in one note of the metadata, if it is the driver's.
pub(crate) fn operation_of_note(note: &Element) -> Option<String> {
    if is_of(note, NAMESPACE) {
        note.attribute("operation").map(String::from)
    } else {
        None
    }
}

/// Whether a note of the metadata belongs to a namespace.
fn is_of(note: &Element, namespace: &str) -> bool {
    note.attributes
        .iter()
        .any(|(name, value)| name.starts_with("xmlns") && value == namespace)
}

fn disk(element: &Element, index: DiskIndex) -> Option<LiveDisk> {
    Some(LiveDisk {
        index,
        target: element.of("target", "dev")?.to_owned(),
        cdrom: element.attribute("device") == Some("cdrom"),
        source: element.find("source").and_then(source_name),
        element: element.clone(),
    })
}

fn source_name(source: &Element) -> Option<String> {
    ["file", "dev", "name"]
        .iter()
        .find_map(|key| source.attribute(key))
        .map(String::from)
}

/// How a wanted source would be named in a live domain.
pub(crate) fn name_of_source(source: &DiskSource) -> Option<String> {
    let (_, element) = devices::source(source).ok()?;
    source_name(&element?)
}

fn nic(element: &Element, index: NicIndex) -> Option<LiveNic> {
    Some(LiveNic {
        index,
        mac: element.of("mac", "address")?.to_lowercase(),
        tap: element.of("target", "dev").map(String::from),
        element: element.clone(),
    })
}
