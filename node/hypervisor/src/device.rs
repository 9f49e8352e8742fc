//! Disks and network interfaces of a domain.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Number of a disk within its domain, the API's `userdevice`; 0 to 254.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DiskIndex(pub u16);

impl DiskIndex {
    /// The letters that follow `vd`, `sd` or `xvd`: `a` for 0, `aa` for 26.
    pub fn letters(self) -> String {
        let mut rest = u32::from(self.0);
        let mut letters = Vec::new();
        loop {
            // Below 26, so it fits.
            letters.push(b'a'.saturating_add(u8::try_from(rest % 26).unwrap_or(0)));
            if rest < 26 {
                break;
            }
            rest = rest / 26 - 1;
        }
        letters.iter().rev().map(|b| char::from(*b)).collect()
    }

    /// Reads the letters back; `None` if they are not such letters or beyond 254.
    pub fn from_letters(letters: &str) -> Option<DiskIndex> {
        let mut number: u32 = 0;
        if letters.is_empty() || letters.len() > 3 {
            return None;
        }
        for b in letters.bytes() {
            if !b.is_ascii_lowercase() {
                return None;
            }
            number = number * 26 + u32::from(b - b'a') + 1;
        }
        u16::try_from(number - 1)
            .ok()
            .filter(|n| *n <= 254)
            .map(DiskIndex)
    }
}

impl fmt::Display for DiskIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "disk {}", self.0)
    }
}

/// Number of a network interface within its domain, the API's `device`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NicIndex(pub u16);

impl fmt::Display for NicIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "interface {}", self.0)
    }
}

/// A disk or CD drive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskSpec {
    /// Which one it is.
    pub index: DiskIndex,
    /// Disk or CD drive.
    pub kind: DiskKind,
    /// How the guest sees it.
    pub bus: DiskBus,
    /// Where its bytes are.
    pub source: DiskSource,
    /// Whether the guest may only read.
    pub read_only: bool,
    /// Whether other domains may have it open for writing at the same time.
    pub shareable: bool,
    /// Serial number the guest sees; virtio shows its first 20 bytes.
    pub serial: String,
    /// How the host caches it.
    pub cache: DiskCache,
    /// What happens when the host cannot read or write it.
    #[serde(default)]
    pub on_error: DiskErrorPolicy,
}

/// What happens when the host cannot read or write a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskErrorPolicy {
    /// The guest is told of it; when the medium is full it is stopped instead. What QEMU does by itself.
    #[default]
    Automatic,
    /// The guest is stopped, and finds what it asked for done when it is let go on and the disk works again.
    Pause,
    /// The guest is told of it.
    Report,
}

impl DiskSpec {
    /// A disk with usual settings.
    pub fn disk(index: DiskIndex, source: DiskSource, serial: impl Into<String>) -> DiskSpec {
        DiskSpec {
            index,
            kind: DiskKind::Disk,
            bus: DiskBus::Virtio,
            source,
            read_only: false,
            shareable: false,
            serial: serial.into(),
            cache: DiskCache::Automatic,
            on_error: DiskErrorPolicy::Automatic,
        }
    }

    /// A CD drive with usual settings.
    pub fn cdrom(index: DiskIndex, source: DiskSource) -> DiskSpec {
        DiskSpec {
            index,
            kind: DiskKind::Cdrom,
            bus: DiskBus::Scsi,
            source,
            read_only: true,
            shareable: true,
            serial: String::new(),
            cache: DiskCache::Automatic,
            on_error: DiskErrorPolicy::Automatic,
        }
    }

    /// The name that the guest probably has for it, such as `vda`. Unique within the domain if the indices are.
    pub fn target_name(&self) -> String {
        format!("{}{}", self.bus.prefix(), self.index.letters())
    }
}

/// What a disk is to the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskKind {
    /// A disk.
    Disk,
    /// A drive with removable medium, always read-only.
    Cdrom,
}

/// How a disk is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskBus {
    /// virtio-blk; can be plugged.
    Virtio,
    /// virtio-scsi; can be plugged.
    Scsi,
    /// AHCI, for guests without virtio drivers; cannot be plugged.
    Sata,
}

impl DiskBus {
    /// What the device names of this bus begin with.
    pub fn prefix(self) -> &'static str {
        match self {
            DiskBus::Virtio => "vd",
            DiskBus::Scsi | DiskBus::Sata => "sd",
        }
    }
}

/// Where the bytes of a disk are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskSource {
    /// A file of the host.
    File {
        /// Absolute path.
        path: PathBuf,
        /// Format of its content; never guessed, since a guest could write another header.
        format: DiskFormat,
    },
    /// A block device of the host.
    Block {
        /// Absolute path.
        path: PathBuf,
        /// Format of its content.
        format: DiskFormat,
    },
    /// Something QEMU opens by itself: `nfs://server/path/file`, `iscsi://server[:port]/iqn/lun`, `rbd:pool/image[:mon_host=..]`, `http(s)://`.
    Network {
        /// The URL.
        url: String,
        /// Format of its content.
        format: DiskFormat,
        /// The images it builds on, downwards, where the hypervisor cannot find them by itself.
        #[serde(default)]
        below: Vec<ImageBelow>,
        /// Who the server is told that the host is, if it asks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        login: Option<NetworkLogin>,
    },
    /// An empty CD drive.
    Empty,
}

impl DiskSource {
    /// Variables by which QEMU's programs log in to the source's server: other users see what programs are called with,
    /// and not these. Source: libiscsi's `iscsi_parse_url`.
    pub fn environment(&self) -> Vec<(&'static str, &str)> {
        match self {
            DiskSource::Network {
                login: Some(login), ..
            } => login.environment().into(),
            _ => Vec::new(),
        }
    }
}

/// A name and a password that the server of a disk asks for.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkLogin {
    /// The name.
    pub user: String,
    /// The password.
    pub password: String,
}

impl NetworkLogin {
    /// See [`DiskSource::environment`].
    pub fn environment(&self) -> [(&'static str, &str); 2] {
        [
            ("LIBISCSI_CHAP_USERNAME", self.user.as_str()),
            ("LIBISCSI_CHAP_PASSWORD", self.password.as_str()),
        ]
    }
}

impl fmt::Debug for NetworkLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetworkLogin")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// An image on which another one builds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageBelow {
    /// The URL.
    pub url: String,
    /// Format of its content.
    pub format: DiskFormat,
}

/// Format of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskFormat {
    /// Plain bytes.
    Raw,
    /// QEMU's copy-on-write format.
    Qcow2,
    /// Microsoft's format.
    Vhd,
}

/// How the host caches a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskCache {
    /// Not at all where the file system allows that (needed for migration), else write-back.
    #[default]
    Automatic,
    /// Not at all.
    None,
    /// In the host's page cache.
    Writeback,
    /// In the host's page cache, each write carried through.
    Writethrough,
    /// Carelessly: a crash of the host may lose everything. For throw-away guests.
    Unsafe,
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NicSpec {
    /// Which one it is.
    pub index: NicIndex,
    /// MAC address, `xx:xx:xx:xx:xx:xx` in lower case.
    pub mac: String,
    /// The bridge of the host to which it belongs.
    pub bridge: String,
    /// Name of the tap device on the host, at most 15 characters; `None` leaves it to the driver.
    pub tap: Option<String>,
    /// Largest packet in bytes; `None` is the bridge's own.
    pub mtu: Option<u32>,
    /// What the guest sees.
    pub model: NicModel,
}

/// What a network interface is to the guest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum NicModel {
    /// virtio-net.
    #[default]
    Virtio,
    /// Intel gigabit, for guests without virtio drivers.
    E1000e,
    /// Realtek fast Ethernet, XenServer's emulated one.
    Rtl8139,
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn letters_count_as_linux_counts_disks() {
        let shown: Vec<String> = [0, 25, 26, 27, 51, 52, 254]
            .map(|n| DiskIndex(n).letters())
            .into();
        assert_eq!(shown, ["a", "z", "aa", "ab", "az", "ba", "iu"]);
    }

    #[test]
    fn every_index_reads_back_from_its_letters() {
        for n in 0..=254 {
            assert_eq!(
                DiskIndex::from_letters(&DiskIndex(n).letters()),
                Some(DiskIndex(n))
            );
        }
        assert_eq!(DiskIndex::from_letters("iv"), None);
        assert_eq!(DiskIndex::from_letters(""), None);
        assert_eq!(DiskIndex::from_letters("A"), None);
    }
}
