//! `file`: a repository in a folder, one qcow2 file per volume. Shared if several hosts see the same folder.
//!
//! ```text
//! FOLDER/.tarn/sr.json            whose folder this is; a plug of the wrong one is refused
//!        .tarn/lock               flock, held while names change
//!        .tarn/op-UUID/           what an operation under way is building, with a lock held until it ends
//!        .tarn/gone-UUID          a volume that is no more though layers of it are parents of others
//!        .tarn/scratch-UUID.qcow2 what a guest writes whose disk is reset at its next start
//!        .tarn/track-UUID         which blocks of a volume were written since its snapshot before
//!        .tarn/merge-FILE         a merge of that parent into its own parent
//!        UUID.qcow2, UUID.raw     a volume
//!        UUID.1.qcow2, .2, ...    its later layers, of which the highest is the volume and the lower ones hidden
//!        UUID.base.qcow2, .raw    a hidden parent, never written again
//!        any other *.qcow2 *.raw *.img   a foreign image; its location is the file's name
//! ```
//! Overlays name their parents without a folder, so the folder may be mounted elsewhere on another host.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use crate::driver::{
    ConfigKey, CreateSr, DeviceConfig, DriverDescription, PluggedSr, ProbedSr, SrDriver, SrSpace,
};
use crate::error::{Result, StorageError};
use crate::gate::Gate;
use crate::image::ImageTool;
use crate::medium::Site;

pub mod folder;
mod header;
mod layers;
mod layout;
mod marker;
mod merge;
mod operation;
mod plugged;
mod removal;
mod scan;
mod tracking;
mod tree;

#[cfg(test)]
pub(crate) mod test;

use folder::Folder;
pub use folder::{FolderOptions, Steps};
pub(crate) use layout::PRIVATE;

/// The driver of type `file`.
#[derive(Clone)]
pub struct FileDriver {
    images: ImageTool,
    options: FolderOptions,
}

/// What every repository of files in a folder can do.
pub(crate) const FEATURES: &[(&str, u32)] = &[
    ("SR_PROBE", 1),
    ("SR_UPDATE", 1),
    ("SR_SCAN", 1),
    ("SR_ATTACH", 1),
    ("SR_DETACH", 1),
    ("VDI_CREATE", 1),
    ("VDI_DELETE", 1),
    ("VDI_ATTACH", 1),
    ("VDI_DETACH", 1),
    ("VDI_CLONE", 1),
    ("VDI_SNAPSHOT", 1),
    ("VDI_RESET_ON_BOOT", 2),
    ("VDI_CONFIG_CBT", 1),
    ("VDI_MIRROR", 1),
    ("VDI_RESIZE", 1),
    ("VDI_RESIZE_ONLINE", 1),
    ("VDI_UPDATE", 1),
    ("VDI_INTRODUCE", 1),
    ("VDI_GENERATE_CONFIG", 1),
];

static DESCRIPTION: DriverDescription = DriverDescription {
    kind: "file",
    label: "Folder",
    description: "Disks as qcow2 files in a folder; shared when every host sees the same folder",
    vendor: "Tarn",
    copyright: "The Tarn authors",
    version: "1.0",
    required_api_version: "1.0",
    features: FEATURES,
    configuration: &[ConfigKey {
        name: "location",
        description: "absolute path of the folder, the same folder on every host that plugs it",
        required: true,
        secret: false,
    }],
    image_formats: &["qcow2", "raw"],
    can_be_shared: true,
    content_type: "user",
};

impl FileDriver {
    /// A driver that runs this qemu-img, with usual limits.
    pub fn new(images: ImageTool) -> FileDriver {
        FileDriver {
            images,
            options: FolderOptions::default(),
        }
    }

    /// The same with other limits.
    pub fn with_options(mut self, options: FolderOptions) -> FileDriver {
        self.options = options;
        self
    }

    fn gate(&self) -> Gate {
        Gate::new(self.options.threads, self.options.deadline)
    }
}

/// The folder that the configuration names.
pub(crate) fn folder_location(config: &DeviceConfig) -> Result<PathBuf> {
    let text = config.require("location")?;
    let invalid = |reason: &str| StorageError::ConfigInvalid {
        key: "location",
        reason: reason.to_owned(),
    };
    let path = Path::new(text);
    if !path.is_absolute() {
        return Err(invalid("it is not an absolute path"));
    }
    if text.contains('\0') || path.components().any(|part| part.as_os_str() == "..") {
        return Err(invalid("it leads upwards"));
    }
    if path.parent().is_none() {
        return Err(invalid("the root folder cannot be a repository"));
    }
    Ok(path.to_owned())
}

impl FileDriver {
    /// Makes a repository in a folder.
    pub(crate) async fn create_at(&self, site: Site, sr: Uuid) -> Result<()> {
        self.gate()
            .run("create repository", move || marker::create(&site, sr))
            .await
    }

    /// Removes the repository in a folder.
    pub(crate) async fn destroy_at(&self, site: Site, sr: Uuid) -> Result<()> {
        let wait = self.options.lock_wait;
        self.gate()
            .run("destroy repository", move || marker::destroy(&site, sr, wait))
            .await
    }

    /// The repository in a folder; `None` where there is no folder, an empty answer where it is none.
    pub(crate) async fn probe_at(&self, site: Site) -> Result<Option<(Option<Uuid>, SrSpace)>> {
        self.gate()
            .run("probe", move || match marker::read(&site) {
                Ok(sr) => Ok(Some((sr, scan::space(&site)?))),
                Err(StorageError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                    Ok(None)
                }
                Err(other) => Err(other),
            })
            .await
    }

    /// Attaches the repository in a folder.
    pub(crate) async fn plug_at(&self, site: Site, sr: Uuid) -> Result<Arc<dyn PluggedSr>> {
        let gate = self.gate();
        let at = site.clone();
        gate.run("plug", move || marker::verify(&at, sr)).await?;
        Ok(Arc::new(plugged::FileSr::new(Folder::new(
            sr,
            site,
            gate,
            self.images.clone(),
            self.options.clone(),
        ))))
    }
}

#[async_trait]
impl SrDriver for FileDriver {
    fn description(&self) -> &'static DriverDescription {
        &DESCRIPTION
    }

    async fn create(&self, request: &CreateSr) -> Result<()> {
        let path = folder_location(&request.config)?;
        self.create_at(Site::local(path), request.sr).await
    }

    async fn destroy(&self, sr: Uuid, config: &DeviceConfig) -> Result<()> {
        self.destroy_at(Site::local(folder_location(config)?), sr).await
    }

    async fn probe(&self, config: &DeviceConfig) -> Result<Vec<ProbedSr>> {
        let found = self.probe_at(Site::local(folder_location(config)?)).await?;
        let probed = found.map(|(sr, space)| ProbedSr {
            sr,
            config: config.clone(),
            space,
        });
        Ok(probed.into_iter().collect())
    }

    async fn plug(&self, sr: Uuid, config: &DeviceConfig) -> Result<Arc<dyn PluggedSr>> {
        self.plug_at(Site::local(folder_location(config)?), sr).await
    }
}

/// Default of [`FolderOptions::deadline`].
const DEADLINE: Duration = Duration::from_secs(30);
