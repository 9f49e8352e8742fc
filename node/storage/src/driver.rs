//! What a type of storage repository must be able to do.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use node_hypervisor::{DiskFormat, DiskSource};
use proto_types::Bytes;
use uuid::Uuid;

use crate::error::{Result, StorageError};
use crate::job::Job;

/// A type of repository, one per process. Holds no state of any one repository.
///
/// Every method ends in bounded time and may be repeated.
#[async_trait]
pub trait SrDriver: Send + Sync {
    /// What the API's SM record says of this type.
    fn description(&self) -> &'static DriverDescription;

    /// Makes an empty repository. Succeeds if this very repository is there already.
    ///
    /// # Errors
    /// [`StorageError::SrExists`] if the place holds another repository; [`StorageError::ConfigMissing`] and
    /// [`StorageError::ConfigInvalid`] for the device configuration.
    async fn create(&self, request: &CreateSr) -> Result<()>;

    /// Removes a repository and everything it wrote. Succeeds if it is gone already.
    ///
    /// # Errors
    /// [`StorageError::SrNotEmpty`] if it holds volumes, [`StorageError::WrongSr`] if the place holds another one.
    async fn destroy(&self, sr: Uuid, config: &DeviceConfig) -> Result<()>;

    /// Lists the repositories that exist at a place.
    async fn probe(&self, config: &DeviceConfig) -> Result<Vec<ProbedSr>>;

    /// Attaches a repository to this host.
    ///
    /// # Errors
    /// [`StorageError::SrUnavailable`] if nothing is there, [`StorageError::WrongSr`] if another one is.
    async fn plug(&self, sr: Uuid, config: &DeviceConfig) -> Result<Arc<dyn PluggedSr>>;
}

/// A repository attached to this host.
///
/// Operations that change one repository are ordered by the pool's leader; a driver of a shared one also takes
/// a lock on the medium, so that a mistake there cannot cost data. Locations are the driver's names of volumes.
#[async_trait]
pub trait PluggedSr: Send + Sync {
    /// The repository's uuid.
    fn sr(&self) -> Uuid;

    /// Detaches it from this host. The caller has seen to it that no domain uses a volume.
    async fn unplug(&self) -> Result<()>;

    /// Size and use of the medium, without looking at the volumes.
    async fn space(&self) -> Result<SrSpace>;

    /// Removes leftovers of operations that were cut off, and lists what is there.
    async fn scan(&self) -> Result<SrScan>;

    /// One volume as [`scan`](PluggedSr::scan) would list it.
    ///
    /// # Errors
    /// [`StorageError::NoSuchVolume`].
    async fn stat(&self, location: &str) -> Result<Volume>;

    /// Makes a volume, empty or with content. It appears whole or not at all; dropping the future or cancelling
    /// the job gives it up. If a volume with that uuid and at least that size exists, that one is the answer.
    ///
    /// # Errors
    /// [`StorageError::NoSpace`], [`StorageError::VolumeExists`], [`StorageError::VolumeInUse`] if the volume to be
    /// cloned is open for writing, [`StorageError::Cancelled`].
    async fn create_volume(&self, new: &NewVolume, job: &Job) -> Result<Volume>;

    /// Makes a volume larger while no domain has it open. A smaller size than the present one is refused, an
    /// equal one succeeds.
    async fn resize(&self, location: &str, virtual_size: Bytes) -> Result<Volume>;

    /// Makes room for an open volume to grow to `virtual_size`; the hypervisor then tells QEMU, which changes the
    /// image. Backends with volumes of their own grow them here; images in files need nothing.
    async fn prepare_online_resize(&self, location: &str, virtual_size: Bytes) -> Result<()>;

    /// Removes a volume, and hidden parents that only it needed. Succeeds if it is gone already.
    ///
    /// # Errors
    /// [`StorageError::VolumeInUse`] if it is open somewhere.
    async fn destroy_volume(&self, location: &str) -> Result<()>;

    /// Makes a volume ready on this host and says how QEMU opens it. May be repeated, also with other access.
    ///
    /// # Errors
    /// [`StorageError::NoSuchVolume`]; [`StorageError::ReadOnly`] for write access to what cannot be written.
    async fn resolve(&self, location: &str, access: Access) -> Result<DiskSource>;

    /// Says that this host no longer uses what [`resolve`](PluggedSr::resolve) gave. Succeeds if it never did.
    async fn release(&self, location: &str) -> Result<()>;

    /// Puts a new empty layer on top of a volume that a domain has open for writing, and says how QEMU opens it. Until
    /// the domain has switched to it nothing changes: the layer shows what is below, which is written on.
    ///
    /// # Errors
    /// [`StorageError::Unsupported`] where volumes have no layers.
    async fn push_layer(&self, _location: &str) -> Result<DiskSource> {
        Err(StorageError::Unsupported {
            kind: "this",
            operation: "freeze volumes that are open",
        })
    }

    /// Makes a volume of what lies below the topmost layer of another one, once the domain has switched to that layer.
    /// If a volume with that uuid exists, it is the answer.
    async fn snapshot_below(&self, _location: &str, _uuid: Uuid) -> Result<Volume> {
        Err(StorageError::Unsupported {
            kind: "this",
            operation: "freeze volumes that are open",
        })
    }

    /// Makes a volume ready for a domain whose writes are thrown away with it: what QEMU opens shows the volume and takes
    /// the writes. What an earlier domain wrote is thrown away.
    ///
    /// # Errors
    /// [`StorageError::Unsupported`] where volumes have no layers; [`StorageError::VolumeInUse`] if a domain still has
    /// the earlier one open.
    async fn resolve_scratch(&self, _location: &str) -> Result<DiskSource> {
        Err(StorageError::Unsupported {
            kind: "this",
            operation: "throw away what guests write",
        })
    }

    /// Takes the topmost layer away if nothing was written to it and nobody has it open; else it stays, which costs
    /// only a longer chain.
    async fn pop_layer(&self, _location: &str) -> Result<()> {
        Ok(())
    }

    /// Hidden parents that could go, their content merged with what lies below them.
    async fn merges(&self) -> Result<Vec<Merge>> {
        Ok(Vec::new())
    }

    /// Notes that a merge begins, and says how QEMU opens the two. May be repeated.
    ///
    /// # Errors
    /// [`StorageError::NoSuchVolume`] if the two are no longer so related.
    async fn begin_merge(&self, _top: &str, _base: &str) -> Result<(DiskSource, DiskSource)> {
        Err(StorageError::Unsupported {
            kind: "this",
            operation: "merge parents",
        })
    }

    /// Copies what `top` holds into `base`, while no domain has either open. Nobody sees a difference, at whatever point
    /// it is cut off.
    ///
    /// # Errors
    /// [`StorageError::Cancelled`], [`StorageError::VolumeInUse`].
    async fn copy_down(&self, _top: &str, _base: &str, _job: &Job) -> Result<()> {
        Err(StorageError::Unsupported {
            kind: "this",
            operation: "merge parents",
        })
    }

    /// Ends a merge: once the content is below, other children of `top` are put on its parent, and it goes.
    async fn end_merge(&self, _top: &str, _outcome: Merged) -> Result<()> {
        Ok(())
    }

    /// Begins to note what is written to a volume, or ends it. May be repeated.
    ///
    /// # Errors
    /// [`StorageError::Unsupported`] where that cannot be told.
    async fn track(&self, _location: &str, _tracking: Tracking) -> Result<()> {
        Err(StorageError::Unsupported {
            kind: "this",
            operation: "track changed blocks",
        })
    }

    /// Removes the data of a snapshot of a tracked volume; what it tells of changes stays until it is destroyed.
    ///
    /// # Errors
    /// As [`destroy_volume`](PluggedSr::destroy_volume).
    async fn destroy_data(&self, _location: &str) -> Result<()> {
        Err(StorageError::Unsupported {
            kind: "this",
            operation: "track changed blocks",
        })
    }

    /// The blocks of 64 KiB in which `to` may differ from `from`, an earlier snapshot of the same volume; the first one in
    /// the highest bit of the first byte.
    ///
    /// # Errors
    /// [`StorageError::ChangesUnknown`].
    async fn changed_blocks(&self, _from: &str, _to: &str) -> Result<Vec<u8>> {
        Err(StorageError::Unsupported {
            kind: "this",
            operation: "track changed blocks",
        })
    }

    /// Verifies the structure of a volume's image; backends without such a thing succeed.
    ///
    /// # Errors
    /// [`StorageError::Damaged`].
    async fn check(&self, location: &str) -> Result<()>;
}

/// What a host needs to make a repository.
#[derive(Clone, Debug)]
pub struct CreateSr {
    /// Uuid of the new repository.
    pub sr: Uuid,
    /// Where it is to be.
    pub config: DeviceConfig,
    /// Size to set aside, for drivers that do; zero otherwise.
    pub physical_size: Bytes,
}

/// The keys of a PBD's `device_config`. Values may be secrets, so `Debug` shows the keys only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct DeviceConfig(pub BTreeMap<String, String>);

impl DeviceConfig {
    /// A configuration with one key.
    pub fn of(key: &str, value: impl Into<String>) -> DeviceConfig {
        DeviceConfig(BTreeMap::from([(key.to_owned(), value.into())]))
    }

    /// The value of a key, unless it is absent or empty.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0
            .get(key)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The value of a key that must be there.
    ///
    /// # Errors
    /// [`StorageError::ConfigMissing`].
    pub fn require(&self, key: &'static str) -> Result<&str> {
        self.get(key).ok_or(StorageError::ConfigMissing { key })
    }
}

impl fmt::Debug for DeviceConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl FromIterator<(String, String)> for DeviceConfig {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> DeviceConfig {
        DeviceConfig(pairs.into_iter().collect())
    }
}

/// What the API's SM record says of a type of repository.
#[derive(Clone, Copy, Debug)]
pub struct DriverDescription {
    /// The SR type, such as `file`.
    pub kind: &'static str,
    /// `SM.name_label`.
    pub label: &'static str,
    /// `SM.name_description`.
    pub description: &'static str,
    /// `SM.vendor`.
    pub vendor: &'static str,
    /// `SM.copyright`.
    pub copyright: &'static str,
    /// `SM.version`.
    pub version: &'static str,
    /// `SM.required_api_version`.
    pub required_api_version: &'static str,
    /// `SM.features`: name and version. `SM.capabilities` are the names.
    pub features: &'static [(&'static str, u32)],
    /// `SM.configuration`: the keys of `device_config`.
    pub configuration: &'static [ConfigKey],
    /// `SM.supported_image_formats`.
    pub image_formats: &'static [&'static str],
    /// Whether several hosts may plug the same repository.
    pub can_be_shared: bool,
    /// The usual content type, `user` or `iso`.
    pub content_type: &'static str,
}

impl DriverDescription {
    /// `SM.capabilities`.
    pub fn capabilities(&self) -> impl Iterator<Item = &'static str> {
        self.features.iter().map(|(name, _)| *name)
    }

    /// Whether the driver has a capability, such as `VDI_CREATE`.
    pub fn has(&self, capability: &str) -> bool {
        self.features.iter().any(|(name, _)| *name == capability)
    }
}

/// A key of `device_config`.
#[derive(Clone, Copy, Debug)]
pub struct ConfigKey {
    /// Its name.
    pub name: &'static str,
    /// What it means, for people.
    pub description: &'static str,
    /// Whether a repository cannot be made without it.
    pub required: bool,
    /// Whether its value is a secret.
    pub secret: bool,
}

/// A repository found by probing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbedSr {
    /// Its uuid; `None` if the place could become a repository and is not one yet.
    pub sr: Option<Uuid>,
    /// The rest of the configuration needed to plug it.
    pub config: DeviceConfig,
    /// Size and use of the medium.
    pub space: SrSpace,
}

/// Size and use of a medium.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SrSpace {
    /// Its size.
    pub physical_size: Bytes,
    /// How much of that is taken, also by others that share the medium.
    pub physical_utilisation: Bytes,
}

impl SrSpace {
    /// What can still be written.
    pub fn free(self) -> Bytes {
        Bytes(
            self.physical_size
                .get()
                .saturating_sub(self.physical_utilisation.get()),
        )
    }
}

/// What a scan finds.
#[derive(Clone, Debug, Default)]
pub struct SrScan {
    /// Size and use of the medium.
    pub space: SrSpace,
    /// The volumes, hidden ones too, ordered by location.
    pub volumes: Vec<Volume>,
    /// Snapshots that have given up their data and still tell what was written since.
    pub without_data: Vec<Volume>,
    /// Names of leftovers that this scan removed.
    pub removed: Vec<String>,
    /// Files that look like volumes and are not offered, each with the reason.
    pub refused: Vec<(String, String)>,
}

/// One volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// The driver's name of it, `VDI.location`. Unique in its repository and stable.
    pub location: String,
    /// Its uuid, if the medium knows it; the pool makes one for a volume that has none.
    pub uuid: Option<Uuid>,
    /// A name for people, if the medium has one (ISO files have).
    pub name: Option<String>,
    /// The size its user sees.
    pub virtual_size: Bytes,
    /// What it takes on the medium by itself, without its parents.
    pub utilisation: Bytes,
    /// Location of the volume from which it takes what it does not hold itself.
    pub parent: Option<String>,
    /// Format of its content.
    pub format: DiskFormat,
    /// Whether it can only be read.
    pub read_only: bool,
    /// Whether it exists only as a parent of others (`VDI.managed` is false then).
    pub hidden: bool,
}

/// Two parents of which the upper one could be merged into the lower one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merge {
    /// The upper one, by the driver's name.
    pub top: String,
    /// The one on which it builds, and nothing else does.
    pub base: String,
    /// Locations of the volumes that build on the upper one.
    pub users: Vec<String>,
    /// Whether the upper one is itself a volume; such a merge needs it closed.
    pub is_volume: bool,
}

/// How a merge went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merged {
    /// The content is below.
    Done,
    /// It is not, or not all of it.
    Not,
}

/// Whether it is noted what is written to a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tracking {
    /// From now on.
    On,
    /// No longer.
    Off,
}

/// A volume to be made.
#[derive(Clone, Debug)]
pub struct NewVolume {
    /// Its uuid, chosen by the caller so that a repeated call makes one volume.
    pub uuid: Uuid,
    /// Least virtual size. The driver may round up; zero means that of the content.
    pub virtual_size: Bytes,
    /// What it begins with.
    pub content: Content,
    /// Format of its content; `None` leaves it to the driver, which then can clone it thinly. A suspend image, which
    /// libvirt writes as a plain file, needs [`DiskFormat::Raw`]. Clones ignore it.
    pub format: Option<DiskFormat>,
}

impl NewVolume {
    /// An empty volume.
    pub fn empty(uuid: Uuid, virtual_size: Bytes) -> NewVolume {
        NewVolume {
            uuid,
            virtual_size,
            content: Content::Empty,
            format: None,
        }
    }

    /// A writable thin clone of another volume of the repository.
    pub fn clone_of(uuid: Uuid, location: impl Into<String>) -> NewVolume {
        NewVolume {
            content: Content::CloneOf(location.into()),
            ..NewVolume::empty(uuid, Bytes(0))
        }
    }

    /// A snapshot of another volume of the repository.
    pub fn snapshot_of(uuid: Uuid, location: impl Into<String>) -> NewVolume {
        NewVolume {
            content: Content::SnapshotOf(location.into()),
            ..NewVolume::empty(uuid, Bytes(0))
        }
    }

    /// A full copy of something this host can open.
    pub fn copy_of(uuid: Uuid, source: DiskSource) -> NewVolume {
        NewVolume {
            content: Content::CopyOf(source),
            ..NewVolume::empty(uuid, Bytes(0))
        }
    }

    /// The same with a format.
    pub fn with_format(self, format: DiskFormat) -> NewVolume {
        NewVolume {
            format: Some(format),
            ..self
        }
    }
}

/// What a new volume begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Zeros.
    Empty,
    /// The present content of another volume of the same repository, by reference where the backend can. The
    /// source must not be open for writing.
    CloneOf(String),
    /// As [`Content::CloneOf`], for a volume that will be kept as it is. Backends with snapshots of their own
    /// make one of those.
    SnapshotOf(String),
    /// All bytes of what this host can open: a resolved volume of any repository, or an image from elsewhere.
    CopyOf(DiskSource),
}

/// What a resolved volume will be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading only.
    Read,
    /// Reading and writing.
    Write,
}
