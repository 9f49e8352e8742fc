//! The XML of disks and interfaces.

use std::path::Path;

use node_hypervisor::{
    DiskBus, DiskCache, DiskErrorPolicy, DiskFormat, DiskIndex, DiskKind, DiskSource, DiskSpec,
    HypervisorError, NicIndex, NicModel, NicSpec, Result, UsbSpec,
};

use super::tree::Element;
use crate::passwords;

fn bad(reason: impl Into<String>) -> HypervisorError {
    HypervisorError::BadSpec {
        reason: reason.into(),
    }
}

/// A path as libvirt wants it: absolute and text.
pub(crate) fn path_text(path: &Path) -> Result<String> {
    match path.to_str() {
        Some(text) if path.is_absolute() => Ok(text.to_owned()),
        Some(text) => Err(bad(format!("the path {text:?} is not absolute"))),
        None => Err(bad(format!("the path {path:?} is not text"))),
    }
}

pub(crate) fn format_name(format: DiskFormat) -> &'static str {
    match format {
        DiskFormat::Raw => "raw",
        DiskFormat::Qcow2 => "qcow2",
        DiskFormat::Vhd => "vpc",
    }
}

/// The format in which a source is stored.
pub(crate) fn format_of(source: &DiskSource) -> DiskFormat {
    match source {
        DiskSource::File { format, .. } | DiskSource::Block { format, .. } => *format,
        DiskSource::Network { format, .. } => *format,
        DiskSource::Empty => DiskFormat::Raw,
    }
}

/// The disk's `type` attribute and `source` element.
pub(crate) fn source(source: &DiskSource) -> Result<(&'static str, Option<Element>)> {
    Ok(match source {
        DiskSource::File { path, .. } => (
            "file",
            Some(Element::new("source").with("file", path_text(path)?)),
        ),
        DiskSource::Block { path, .. } => (
            "block",
            Some(Element::new("source").with("dev", path_text(path)?)),
        ),
        DiskSource::Network { url, login, .. } => {
            let mut element = network_source(url)?;
            if let Some(login) = login {
                let secret = Element::new("secret")
                    .with("type", "iscsi")
                    .with("usage", passwords::usage(url, login));
                let auth = Element::new("auth").with("username", login.user.as_str());
                element = element.child(auth.child(secret));
            }
            ("network", Some(element))
        }
        DiskSource::Empty => ("file", None),
    })
}

/// What an image builds on, where neither libvirt nor QEMU can find it by itself. It ends with an empty element, so that
/// QEMU opens nothing that an image names.
pub(crate) fn backing_store(source: &DiskSource) -> Result<Option<Element>> {
    let DiskSource::Network {
        format: DiskFormat::Qcow2,
        below,
        ..
    } = source
    else {
        return Ok(None);
    };
    let mut store = Element::new("backingStore");
    for image in below.iter().rev() {
        store = Element::new("backingStore")
            .with("type", "network")
            .child(Element::new("format").with("type", format_name(image.format)))
            .child(network_source(&image.url)?)
            .child(store);
    }
    Ok(Some(store))
}

/// Undoes the escapes of a URL's path.
fn unescaped(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Turns a URL into libvirt's words for it.
fn network_source(url: &str) -> Result<Element> {
    let unknown = || {
        bad(format!(
            "{url:?} is not nfs://, iscsi://, rbd:, http:// or https://"
        ))
    };
    if let Some(rest) = url.strip_prefix("rbd:") {
        let mut parts = rest.split(':');
        let name = parts.next().filter(|n| n.contains('/')).ok_or_else(unknown)?;
        let mut source = Element::new("source").with("protocol", "rbd").with("name", name);
        for option in parts {
            // Monitors are separated by semicolons, and a port follows an escaped colon, which `split` has cut off.
            if let Some(hosts) = option.strip_prefix("mon_host=") {
                for host in hosts.split(';').filter(|h| !h.is_empty()) {
                    source
                        .children
                        .push(Element::new("host").with("name", host.trim_end_matches('\\')));
                }
            }
        }
        return Ok(source);
    }
    let (scheme, rest) = url.split_once("://").ok_or_else(unknown)?;
    let (authority, name) = rest.split_once('/').ok_or_else(unknown)?;
    if !["nfs", "iscsi", "http", "https"].contains(&scheme) || authority.is_empty() || name.is_empty() {
        return Err(unknown());
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => (host, Some(port)),
        _ => (authority, None),
    };
    let mut element = Element::new("host").with("name", host);
    if let Some(port) = port {
        element = element.with("port", port);
    }
    // libvirt wants the leading slash in the name of an NFS file and not in the others.
    let name = if scheme == "nfs" {
        format!("/{}", unescaped(name).ok_or_else(unknown)?)
    } else {
        name.to_owned()
    };
    Ok(Element::new("source")
        .with("protocol", scheme)
        .with("name", name)
        .child(element))
}

/// Whether the host's file system lets a file be opened without the page cache. A missing file counts as yes.
fn direct_io_works(path: &Path) -> bool {
    use std::os::unix::fs::OpenOptionsExt;
    let direct = nix::fcntl::OFlag::O_DIRECT.bits();
    match std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(direct)
        .open(path)
    {
        Ok(_) => true,
        Err(error) => error.kind() != std::io::ErrorKind::InvalidInput,
    }
}

/// libvirt's word for the cache mode. May touch the file, so it can block.
fn cache_name(disk: &DiskSpec) -> &'static str {
    match (disk.cache, &disk.source) {
        (DiskCache::None, _) => "none",
        (DiskCache::Writeback, _) => "writeback",
        (DiskCache::Writethrough, _) => "writethrough",
        (DiskCache::Unsafe, _) => "unsafe",
        (DiskCache::Automatic, DiskSource::File { path, .. }) if !direct_io_works(path) => "writeback",
        (DiskCache::Automatic, DiskSource::Network { url, .. }) if url.starts_with("http") => "writeback",
        (DiskCache::Automatic, _) => "none",
    }
}

fn bus_name(bus: DiskBus) -> &'static str {
    match bus {
        DiskBus::Virtio => "virtio",
        DiskBus::Scsi => "scsi",
        DiskBus::Sata => "sata",
    }
}

/// The element of a disk or CD drive. May touch the disk's file, so it can block.
pub(crate) fn disk(disk: &DiskSpec, boot_order: Option<u32>) -> Result<Element> {
    if disk.kind == DiskKind::Cdrom && disk.bus == DiskBus::Virtio {
        return Err(bad(format!(
            "{} is a CD drive and cannot be on virtio",
            disk.index
        )));
    }
    if disk.kind == DiskKind::Disk && disk.source == DiskSource::Empty {
        return Err(bad(format!("{} is empty and no CD drive", disk.index)));
    }
    let (kind, source) = source(&disk.source)?;
    let device = match disk.kind {
        DiskKind::Disk => "disk",
        DiskKind::Cdrom => "cdrom",
    };
    let mut driver = Element::new("driver")
        .with("name", "qemu")
        .with("type", format_name(format_of(&disk.source)));
    if source.is_some() {
        driver = driver.with("cache", cache_name(disk));
    }
    if disk.kind == DiskKind::Disk {
        driver = driver.with("discard", "unmap");
    }
    let policy = match disk.on_error {
        DiskErrorPolicy::Automatic => None,
        DiskErrorPolicy::Pause => Some("stop"),
        DiskErrorPolicy::Report => Some("report"),
    };
    if let Some(policy) = policy {
        driver = driver.with("error_policy", policy).with("rerror_policy", policy);
    }
    let mut element = Element::new("disk")
        .with("type", kind)
        .with("device", device)
        .child(driver);
    element.children.extend(source);
    element.children.extend(backing_store(&disk.source)?);
    element.children.push(
        Element::new("target")
            .with("dev", disk.target_name())
            .with("bus", bus_name(disk.bus)),
    );
    if let Some(order) = boot_order {
        element
            .children
            .push(Element::new("boot").with("order", order.to_string()));
    }
    if !disk.serial.is_empty() {
        element = element.leaf("serial", disk.serial.as_str());
    }
    if disk.read_only || disk.kind == DiskKind::Cdrom {
        element.children.push(Element::new("readonly"));
    }
    if disk.shareable && disk.kind == DiskKind::Disk {
        element.children.push(Element::new("shareable"));
    }
    element
        .children
        .push(Element::new("alias").with("name", disk_alias(disk.index)));
    Ok(element)
}

/// The name by which the driver knows a disk in events; libvirt keeps aliases that begin with `ua-`.
fn disk_alias(index: DiskIndex) -> String {
    format!("ua-tarn-disk-{}", index.0)
}

/// Reads the alias back.
pub(crate) fn disk_of_alias(alias: &str) -> Option<DiskIndex> {
    alias.strip_prefix("ua-tarn-disk-")?.parse().ok().map(DiskIndex)
}

/// The name by which the driver finds an interface again; libvirt keeps aliases that begin with `ua-`.
pub(crate) fn nic_alias(index: NicIndex) -> String {
    format!("ua-tarn-nic-{}", index.0)
}

/// Reads the alias back.
pub(crate) fn nic_of_alias(alias: &str) -> Option<NicIndex> {
    alias.strip_prefix("ua-tarn-nic-")?.parse().ok().map(NicIndex)
}

/// What the names begin with by which the driver finds USB devices again; libvirt keeps aliases that begin with `ua-`.
pub(crate) const USB_ALIAS: &str = "ua-tarn-usb-";

/// The name by which the driver finds a USB device again.
pub(crate) fn usb_alias(path: &str) -> String {
    format!("{USB_ALIAS}{path}")
}

/// The element of a USB device of the host.
pub(crate) fn usb(device: &UsbSpec) -> Result<Element> {
    let is_place = |c: char| c.is_ascii_digit() || matches!(c, '-' | '.');
    if device.path.is_empty() || !device.path.chars().all(is_place) {
        return Err(bad(format!("{:?} is no place of a USB device", device.path)));
    }
    let address = Element::new("address")
        .with("bus", device.bus.to_string())
        .with("device", device.device.to_string());
    Ok(Element::new("hostdev")
        .with("mode", "subsystem")
        .with("type", "usb")
        .with("managed", "yes")
        .child(Element::new("source").child(address))
        .child(Element::new("alias").with("name", usb_alias(&device.path))))
}

/// The element of an interface.
pub(crate) fn nic(nic: &NicSpec, boot_order: Option<u32>) -> Result<Element> {
    if nic.bridge.is_empty() {
        return Err(bad(format!("{} has no bridge", nic.index)));
    }
    let model = match nic.model {
        NicModel::Virtio => "virtio",
        NicModel::E1000e => "e1000e",
        NicModel::Rtl8139 => "rtl8139",
    };
    let mut element = Element::new("interface")
        .with("type", "bridge")
        .child(Element::new("mac").with("address", nic.mac.as_str()))
        .child(Element::new("source").with("bridge", nic.bridge.as_str()));
    if let Some(tap) = &nic.tap {
        if tap.is_empty() || tap.len() > 15 {
            return Err(bad(format!("the tap name {tap:?} has not 1 to 15 characters")));
        }
        element
            .children
            .push(Element::new("target").with("dev", tap.as_str()));
    }
    element.children.push(Element::new("model").with("type", model));
    if let Some(order) = boot_order {
        element
            .children
            .push(Element::new("boot").with("order", order.to_string()));
    }
    if let Some(mtu) = nic.mtu {
        element
            .children
            .push(Element::new("mtu").with("size", mtu.to_string()));
    }
    element
        .children
        .push(Element::new("alias").with("name", nic_alias(nic.index)));
    Ok(element)
}

#[cfg(test)]
mod test {
    use super::*;
    use node_hypervisor::{ImageBelow, NetworkLogin};

    #[test]
    fn urls_become_what_libvirt_calls_them() {
        let nfs = network_source("nfs://10.0.0.1/export/a/disk.qcow2").unwrap();
        assert_eq!(nfs.attribute("name"), Some("/export/a/disk.qcow2"));
        assert_eq!(nfs.of("host", "name"), Some("10.0.0.1"));
        let spaced = network_source("nfs://h/export/a%20b.img").unwrap();
        assert_eq!(spaced.attribute("name"), Some("/export/a b.img"));
        let iscsi = network_source("iscsi://server:3261/iqn.2024-01.x:y/1").unwrap();
        assert_eq!(iscsi.attribute("name"), Some("iqn.2024-01.x:y/1"));
        assert_eq!(iscsi.of("host", "port"), Some("3261"));
        let rbd = network_source("rbd:pool/image:mon_host=a;b").unwrap();
        assert_eq!(rbd.all("host").count(), 2);
        for wrong in [
            "nfs://host",
            "ftp://host/file",
            "nfs:///file",
            "disk.qcow2",
            "rbd:image",
        ] {
            assert!(network_source(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_password_is_named_and_not_said() {
        let source = DiskSource::Network {
            url: "iscsi://h:3260/iqn.x:y/7".to_owned(),
            format: DiskFormat::Raw,
            below: Vec::new(),
            login: Some(NetworkLogin {
                user: "jo <e>".to_owned(),
                password: "s3cret".to_owned(),
            }),
        };
        let spec = DiskSpec::disk(DiskIndex(0), source, "x");
        assert!(!format!("{spec:?}").contains("s3cret"));
        let xml = disk(&spec, None).unwrap();
        assert!(!xml.to_xml().contains("s3cret"));
        let auth = xml.find("source").unwrap().find("auth").unwrap();
        assert_eq!(auth.attribute("username"), Some("jo <e>"));
        assert_eq!(
            auth.of("secret", "usage"),
            Some("tarn iscsi://h:3260/iqn.x:y jo <e>")
        );
    }

    #[test]
    fn an_image_on_a_server_comes_with_all_that_it_builds_on() {
        let below = |url: &str, format| ImageBelow {
            url: url.to_owned(),
            format,
        };
        let source = DiskSource::Network {
            url: "nfs://h/e/top.qcow2".to_owned(),
            format: DiskFormat::Qcow2,
            below: vec![
                below("nfs://h/e/middle.qcow2", DiskFormat::Qcow2),
                below("nfs://h/e/base.raw", DiskFormat::Raw),
            ],
            login: None,
        };
        let xml = disk(&DiskSpec::disk(DiskIndex(0), source, "x"), None).unwrap();
        let middle = xml.find("backingStore").unwrap();
        assert_eq!(middle.of("source", "name"), Some("/e/middle.qcow2"));
        assert_eq!(middle.of("format", "type"), Some("qcow2"));
        let base = middle.find("backingStore").unwrap();
        assert_eq!(base.of("source", "name"), Some("/e/base.raw"));
        assert!(base.find("backingStore").unwrap().children.is_empty(), "an end");
    }

    #[test]
    fn what_becomes_of_errors_is_said_for_reads_and_writes() {
        for (on_error, said) in [
            (DiskErrorPolicy::Automatic, None),
            (DiskErrorPolicy::Pause, Some("stop")),
            (DiskErrorPolicy::Report, Some("report")),
        ] {
            let source = DiskSource::File {
                path: "/sr/disk.qcow2".into(),
                format: DiskFormat::Qcow2,
            };
            let spec = DiskSpec {
                on_error,
                ..DiskSpec::disk(DiskIndex(0), source, "x")
            };
            let xml = disk(&spec, None).unwrap();
            for policy in ["error_policy", "rerror_policy"] {
                assert_eq!(xml.of("driver", policy), said, "{on_error:?}");
            }
        }
    }

    #[test]
    fn a_relative_path_is_refused() {
        let source = DiskSource::File {
            path: "disk.qcow2".into(),
            format: DiskFormat::Qcow2,
        };
        assert!(disk(&DiskSpec::disk(DiskIndex(0), source, "x"), None).is_err());
    }

    #[test]
    fn an_empty_drive_has_no_source() {
        let xml = disk(&DiskSpec::cdrom(DiskIndex(3), DiskSource::Empty), None).unwrap();
        assert!(xml.find("source").is_none() && xml.find("readonly").is_some());
        assert_eq!(xml.of("target", "dev"), Some("sdd"));
    }
}
