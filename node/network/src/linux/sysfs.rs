//! What only sysfs tells of a NIC. All of it may be missing.

use std::fs;
use std::path::Path;

/// What is behind a NIC.
#[derive(Default)]
pub struct Device {
    /// Speed in Mbit/s.
    pub speed: Option<u32>,
    /// Whether both ways at once.
    pub full_duplex: Option<bool>,
    /// Name of the kernel's driver.
    pub driver: String,
    /// PCI address.
    pub pci_path: String,
}

/// Looks at a NIC; `mac` guards against a sysfs that shows another namespace.
pub fn device(name: &str, mac: &str) -> Device {
    let folder = Path::new("/sys/class/net").join(name);
    let text = |file: &str| {
        fs::read_to_string(folder.join(file))
            .map(|text| text.trim().to_owned())
            .ok()
    };
    if text("address").as_deref() != Some(mac) {
        return Device::default();
    }
    let last = |link: &str| {
        let target = fs::canonicalize(folder.join(link)).ok()?;
        Some(target.file_name()?.to_str()?.to_owned())
    };
    Device {
        // Without a link it is -1 or unreadable.
        speed: text("speed")
            .and_then(|speed| speed.parse().ok())
            .filter(|speed| *speed > 0),
        full_duplex: match text("duplex").as_deref() {
            Some("full") => Some(true),
            Some("half") => Some(false),
            _ => None,
        },
        driver: last("device/driver").unwrap_or_default(),
        pci_path: last("device").filter(|name| is_pci(name)).unwrap_or_default(),
    }
}

/// Whether a name looks like `0000:00:03.0`.
fn is_pci(name: &str) -> bool {
    let mut parts = name.split([':', '.']);
    let lengths: Vec<usize> = parts.by_ref().map(str::len).collect();
    lengths == [4, 2, 2, 1]
}
