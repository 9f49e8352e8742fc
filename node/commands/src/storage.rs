//! Repositories and volumes.

use std::collections::BTreeMap;

use proto_types::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::VolumeRef;

/// A repository and the way to it from one host. May hold a password among its parameters: no `Debug` of those.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SrSpec {
    /// Its uuid.
    pub uuid: Uuid,
    /// Driver, such as `file` or `nfs`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The PBD's `device_config`.
    #[serde(default)]
    pub device_config: BTreeMap<String, String>,
    /// The SR's `sm_config`.
    #[serde(default)]
    pub sm_config: BTreeMap<String, String>,
    /// Size to set aside, for drivers that do so; zero otherwise.
    #[serde(default)]
    pub physical_size: Bytes,
}

impl std::fmt::Debug for SrSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SrSpec")
            .field("uuid", &self.uuid)
            .field("kind", &self.kind)
            .field("device_config", &self.device_config.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// Where to look for repositories.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeRequest {
    /// Driver.
    #[serde(rename = "type")]
    pub kind: String,
    /// As a PBD's.
    #[serde(default)]
    pub device_config: BTreeMap<String, String>,
    /// As an SR's.
    #[serde(default)]
    pub sm_config: BTreeMap<String, String>,
}

impl std::fmt::Debug for ProbeRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProbeRequest")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// A repository as a host sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SrFacts {
    /// Size of the whole; the SR's `physical_size`.
    pub physical_size: Bytes,
    /// What is taken; the SR's `physical_utilisation`.
    pub physical_utilisation: Bytes,
}

/// A volume to make. Its location is in the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeRequest {
    /// The repository.
    pub sr: Uuid,
    /// The volume's uuid (the VDI's), by which a repeated call is known again.
    pub uuid: Uuid,
    /// Size the guest sees; may be rounded up. Zero takes the content's.
    #[serde(default)]
    pub virtual_size: Bytes,
    /// What it is for: the VDI's `type`, such as `user` or `suspend`.
    #[serde(default)]
    pub purpose: String,
}

/// What a new volume holds at first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum VolumeFill {
    /// Zeroes.
    #[default]
    Nothing,
    /// The content of another volume, by copy.
    Volume(VolumeRef),
    /// The content of an image file on this host, whose format is recognised from an allowed list; it must lie in one
    /// of the folders the host's configuration allows.
    Image(std::path::PathBuf),
}

/// A volume as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeFacts {
    /// Its driver's name for it; the VDI's `location`.
    pub location: String,
    /// Its uuid, if the medium knows it.
    #[serde(default)]
    pub uuid: Option<Uuid>,
    /// Size the guest sees.
    pub virtual_size: Bytes,
    /// Space it takes.
    pub physical_utilisation: Bytes,
    /// Whether it may only be read.
    #[serde(default)]
    pub read_only: bool,
    /// A name it has of itself, for instance an ISO file's; else empty.
    #[serde(default)]
    pub name: String,
    /// Location of the volume from which it takes what it does not hold itself.
    #[serde(default)]
    pub parent: Option<String>,
    /// Whether it exists only as a parent of others; `VDI.managed` is false then.
    #[serde(default)]
    pub hidden: bool,
    /// Whether it has given up its data, and only tells what was written since an earlier one.
    #[serde(default)]
    pub without_data: bool,
}

/// A repository found by probing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundSr {
    /// Its uuid; none if the place could become a repository and is not one yet.
    pub uuid: Option<Uuid>,
    /// What a PBD needs to plug it; may hold a password.
    pub device_config: BTreeMap<String, String>,
    /// Size and use of the medium.
    pub facts: SrFacts,
}

impl std::fmt::Debug for FoundSr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FoundSr")
            .field("uuid", &self.uuid)
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}

/// A disk to freeze.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreezeRequest {
    /// The disk's number.
    pub userdevice: u16,
    /// Its volume.
    pub volume: VolumeRef,
    /// Uuid of the frozen one.
    pub uuid: Uuid,
}

/// Two parents of which the upper one could be merged into the lower one, by the driver's names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeFacts {
    /// The upper one.
    pub top: String,
    /// The lower one.
    pub base: String,
    /// Locations of the volumes that build on the upper one.
    #[serde(default)]
    pub users: Vec<String>,
    /// Whether the upper one is a volume itself.
    #[serde(default)]
    pub is_volume: bool,
}
