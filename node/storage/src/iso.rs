//! `iso`: a library of CD images in a folder, read-only. Each `*.iso` file is a volume whose location is its name.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use node_hypervisor::{DiskFormat, DiskSource};
use proto_types::Bytes;
use uuid::Uuid;

use crate::driver::{
    Access, ConfigKey, CreateSr, DeviceConfig, DriverDescription, NewVolume, PluggedSr, ProbedSr, SrDriver,
    SrScan, SrSpace, Volume,
};
use crate::error::{Result, StorageError};
use crate::file::folder_location;
use crate::gate::Gate;
use crate::job::Job;

#[cfg(test)]
mod test;

/// The driver of type `iso`.
#[derive(Clone)]
pub struct IsoDriver {
    deadline: Duration,
}

static DESCRIPTION: DriverDescription = DriverDescription {
    kind: "iso",
    label: "ISO",
    description: "A library of CD images in a folder, read-only",
    vendor: "Tarn",
    copyright: "The Tarn authors",
    version: "1.0",
    required_api_version: "1.0",
    features: &[
        ("SR_SCAN", 1),
        ("SR_ATTACH", 1),
        ("SR_DETACH", 1),
        ("VDI_ATTACH", 1),
        ("VDI_DETACH", 1),
    ],
    configuration: &[ConfigKey {
        name: "location",
        description: "absolute path of the folder, the same folder on every host that plugs it",
        required: true,
        secret: false,
    }],
    image_formats: &["raw"],
    can_be_shared: true,
    content_type: "iso",
};

/// Blocking calls that may be under way.
const THREADS: usize = 8;

impl IsoDriver {
    /// A driver with usual limits.
    pub fn new() -> IsoDriver {
        IsoDriver {
            deadline: Duration::from_secs(30),
        }
    }

    fn gate(&self) -> Gate {
        Gate::new(THREADS, self.deadline)
    }
}

impl Default for IsoDriver {
    fn default() -> IsoDriver {
        IsoDriver::new()
    }
}

fn verify(folder: &Path, sr: Uuid) -> Result<()> {
    match fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(StorageError::SrUnavailable {
            sr,
            reason: format!("{folder:?} is not a folder"),
        }),
        Err(error) => Err(StorageError::SrUnavailable {
            sr,
            reason: format!("{folder:?}: {error}"),
        }),
    }
}

#[async_trait]
impl SrDriver for IsoDriver {
    fn description(&self) -> &'static DriverDescription {
        &DESCRIPTION
    }

    async fn create(&self, request: &CreateSr) -> Result<()> {
        // The library exists already; it only becomes known to the pool.
        let (path, sr) = (folder_location(&request.config)?, request.sr);
        self.gate().run("open library", move || verify(&path, sr)).await
    }

    async fn destroy(&self, _sr: Uuid, config: &DeviceConfig) -> Result<()> {
        // The files are not ours.
        folder_location(config).map(drop)
    }

    async fn probe(&self, config: &DeviceConfig) -> Result<Vec<ProbedSr>> {
        let path = folder_location(config)?;
        let config = config.clone();
        self.gate()
            .run("probe", move || {
                verify(&path, Uuid::nil())?;
                Ok(vec![ProbedSr {
                    sr: None,
                    config,
                    space: crate::file::folder_space(&path)?,
                }])
            })
            .await
    }

    async fn plug(&self, sr: Uuid, config: &DeviceConfig) -> Result<Arc<dyn PluggedSr>> {
        let path = folder_location(config)?;
        let gate = self.gate();
        let at = path.clone();
        gate.run("plug", move || verify(&at, sr)).await?;
        Ok(Arc::new(IsoSr {
            sr,
            path,
            gate,
            closed: AtomicBool::new(false),
        }))
    }
}

/// A plugged library.
struct IsoSr {
    sr: Uuid,
    path: PathBuf,
    gate: Gate,
    closed: AtomicBool,
}

/// Whether a file's name is that of a CD image.
fn is_image(name: &str) -> bool {
    !name.starts_with('.')
        && !name.contains('/')
        && name.len() <= 255
        && Path::new(name)
            .extension()
            .is_some_and(|ending| ending.eq_ignore_ascii_case("iso"))
}

fn look(folder: &Path, name: &str) -> Result<Volume> {
    let gone = || StorageError::NoSuchVolume {
        location: name.to_owned(),
    };
    if !is_image(name) {
        return Err(gone());
    }
    let path = folder.join(name);
    let metadata = match fs::symlink_metadata(&path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(gone()),
        Err(error) => return Err(StorageError::io("read", path, error)),
    };
    if !metadata.is_file() {
        let reason = "it is not a plain file".to_owned();
        return Err(StorageError::Damaged {
            location: name.to_owned(),
            reason,
        });
    }
    Ok(Volume {
        location: name.to_owned(),
        uuid: None,
        name: Some(name.to_owned()),
        virtual_size: Bytes(metadata.len()),
        utilisation: Bytes(metadata.blocks().saturating_mul(512)),
        parent: None,
        format: DiskFormat::Raw,
        read_only: true,
        hidden: false,
    })
}

fn scan(folder: &Path) -> Result<SrScan> {
    let failed = |e| StorageError::io("list", folder, e);
    let mut scan = SrScan {
        space: crate::file::folder_space(folder)?,
        ..SrScan::default()
    };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let Some(name) = name.to_str().filter(|name| is_image(name)) else {
            continue;
        };
        match look(folder, name) {
            Ok(volume) => scan.volumes.push(volume),
            Err(StorageError::Damaged { location, reason }) => scan.refused.push((location, reason)),
            // Removed between listing and looking.
            Err(StorageError::NoSuchVolume { .. }) => {}
            Err(other) => return Err(other),
        }
    }
    scan.volumes.sort_by(|a, b| a.location.cmp(&b.location));
    Ok(scan)
}

impl IsoSr {
    async fn run<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Path) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if self.closed.load(Ordering::Acquire) {
            return Err(StorageError::NotPlugged { sr: self.sr });
        }
        let (path, sr) = (self.path.clone(), self.sr);
        self.gate
            .run(operation, move || {
                verify(&path, sr)?;
                work(&path)
            })
            .await
    }
}

/// What a library never does.
fn unsupported<T>(operation: &'static str) -> Result<T> {
    Err(StorageError::Unsupported {
        kind: "iso",
        operation,
    })
}

#[async_trait]
impl PluggedSr for IsoSr {
    fn sr(&self) -> Uuid {
        self.sr
    }

    async fn unplug(&self) -> Result<()> {
        self.closed.store(true, Ordering::Release);
        Ok(())
    }

    async fn space(&self) -> Result<SrSpace> {
        self.run("measure", crate::file::folder_space).await
    }

    async fn scan(&self) -> Result<SrScan> {
        self.run("scan", scan).await.map_err(|source| match source {
            StorageError::Io { .. } => StorageError::ScanFailed {
                sr: self.sr,
                source: Box::new(source),
            },
            other => other,
        })
    }

    async fn stat(&self, location: &str) -> Result<Volume> {
        let location = location.to_owned();
        self.run("look at volume", move |folder| look(folder, &location))
            .await
    }

    async fn create_volume(&self, _new: &NewVolume, _job: &Job) -> Result<Volume> {
        unsupported("create volumes")
    }

    async fn resize(&self, _location: &str, _virtual_size: Bytes) -> Result<Volume> {
        unsupported("resize volumes")
    }

    async fn prepare_online_resize(&self, _location: &str, _virtual_size: Bytes) -> Result<()> {
        unsupported("resize volumes")
    }

    async fn destroy_volume(&self, _location: &str) -> Result<()> {
        unsupported("destroy volumes")
    }

    async fn resolve(&self, location: &str, access: Access) -> Result<DiskSource> {
        let location = location.to_owned();
        if access == Access::Write {
            return Err(StorageError::ReadOnly { location });
        }
        self.run("resolve volume", move |folder| {
            let volume = look(folder, &location)?;
            Ok(DiskSource::File {
                path: folder.join(volume.location),
                format: DiskFormat::Raw,
            })
        })
        .await
    }

    async fn release(&self, _location: &str) -> Result<()> {
        Ok(())
    }

    async fn check(&self, location: &str) -> Result<()> {
        self.stat(location).await.map(drop)
    }
}
