//! USB devices of the host, as the kernel shows them.

use std::path::Path;

use node_commands::{CommandError, CommandErrorKind, UsbDevice};
use node_hypervisor::{ErrorKind, UsbSpec};
use uuid::Uuid;

use crate::agent::{Agent, done};
use crate::operations::Outcome;

/// Longest text of a device that is read.
const LONGEST: usize = 256;
/// Class of devices that only lead to others.
const HUB: &str = "09";

/// The devices in a folder like `/sys/bus/usb/devices`, by their place. Hubs and interfaces of devices are left out.
pub(crate) fn devices(folder: &Path) -> Vec<UsbDevice> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        // A host without USB.
        return Vec::new();
    };
    let mut found: Vec<UsbDevice> = entries
        .flatten()
        .filter_map(|entry| device(&entry.path(), entry.file_name().to_str()?))
        .collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn device(folder: &Path, name: &str) -> Option<UsbDevice> {
    // `1-2:1.0` is an interface of `1-2`; `usb1` is the hub at the root.
    let is_device = name.starts_with(|c: char| c.is_ascii_digit()) && !name.contains([':', '/']);
    let text = |file: &str| {
        let text = std::fs::read_to_string(folder.join(file)).unwrap_or_default();
        text.trim()
            .chars()
            .filter(|c| !c.is_control())
            .take(LONGEST)
            .collect::<String>()
    };
    if !is_device || text("bDeviceClass") == HUB {
        return None;
    }
    Some(UsbDevice {
        path: name.to_owned(),
        vendor_id: text("idVendor"),
        vendor: text("manufacturer"),
        product_id: text("idProduct"),
        product: text("product"),
        serial: text("serial"),
        version: text("version"),
        speed: text("speed").parse().unwrap_or(-1.0),
    })
}

/// What a hypervisor needs to know of the device at a place; nothing if none is plugged in there.
fn spec(folder: &Path, path: &str) -> Option<UsbSpec> {
    let number = |file: &str| {
        let text = std::fs::read_to_string(folder.join(path).join(file)).ok()?;
        text.trim().parse().ok()
    };
    device(&folder.join(path), path)?;
    Some(UsbSpec {
        path: path.to_owned(),
        bus: number("busnum")?,
        device: number("devnum")?,
    })
}

impl Agent {
    pub(crate) async fn detach_usb(&self, vm: Uuid, path: &str) -> Outcome {
        done(self.inner.hypervisor.detach_usb(vm, path).await)
    }

    /// Looks up the devices that a domain is to have.
    pub(crate) async fn find_usb(&self, paths: &[String]) -> Result<Vec<UsbSpec>, CommandError> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let folder = self.inner.settings.machine.usb_dir.clone();
        let wanted = paths.to_vec();
        let find = move || {
            let look = |path: &String| {
                folder.as_ref().and_then(|f| spec(f, path)).ok_or_else(|| {
                    let text = format!("no USB device is plugged in at {path}");
                    CommandError::new(CommandErrorKind::Hypervisor(ErrorKind::NoSuchDevice), text)
                })
            };
            wanted.iter().map(look).collect()
        };
        tokio::task::spawn_blocking(find)
            .await
            .map_err(|e| CommandError::new(CommandErrorKind::Internal, e.to_string()))?
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn devices_are_told_from_hubs_and_interfaces() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str, files: &[(&str, &str)]| {
            let device = folder.path().join(name);
            std::fs::create_dir(&device).unwrap();
            for (file, text) in files {
                std::fs::write(device.join(file), format!("{text}\n")).unwrap();
            }
        };
        make("usb1", &[("bDeviceClass", "09")]);
        make("1-1", &[("bDeviceClass", "09"), ("idVendor", "05e3")]);
        make("1-1:1.0", &[("bInterfaceClass", "09")]);
        let stick = [
            ("bDeviceClass", "00"),
            ("idVendor", "0781"),
            ("idProduct", "5567"),
            ("manufacturer", "SanDisk"),
            ("product", "Cruzer Blade"),
            ("serial", "4C53"),
            ("version", " 2.00"),
            ("speed", "480"),
            ("busnum", "1"),
            ("devnum", "7"),
        ];
        make("1-1.2", &stick);
        let [found] = devices(folder.path()).try_into().unwrap();
        assert_eq!(
            (found.path.as_str(), found.version.as_str(), found.speed),
            ("1-1.2", "2.00", 480.0)
        );
        assert_eq!(
            (found.vendor_id.as_str(), found.product.as_str()),
            ("0781", "Cruzer Blade")
        );
        assert!(devices(&folder.path().join("none")).is_empty());
        let given = spec(folder.path(), "1-1.2").unwrap();
        assert_eq!((given.path.as_str(), given.bus, given.device), ("1-1.2", 1, 7));
        // A hub, nothing at all, and a way out of the folder.
        for path in ["1-1", "1-3", "../1-1.2", ""] {
            assert!(spec(folder.path(), path).is_none(), "{path}");
        }
    }
}
