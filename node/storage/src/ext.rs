//! `ext`: a disk or partition of one host, with a file system of its own for the repository's files.

use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use proto_types::Bytes;
use uuid::Uuid;

use crate::driver::{
    ConfigKey, CreateSr, DeviceConfig, DriverDescription, PluggedSr, ProbedSr, SrDriver, SrSpace,
};
use crate::error::{Result, StorageError};
use crate::file::{FEATURES, FileDriver};
use crate::mounted::{Mount, Mounted, ROOT, folder};
use crate::tool;

#[cfg(test)]
mod test;

/// How long a short call may take, and how long the making of a file system.
const SHORT: Duration = Duration::from_secs(30);
const MAKING: Duration = Duration::from_secs(100);

/// The driver of type `ext`.
#[derive(Clone)]
pub struct ExtDriver {
    files: FileDriver,
    root: PathBuf,
}

static DESCRIPTION: DriverDescription = DriverDescription {
    kind: "ext",
    label: "Local disk",
    description: "Disks as qcow2 files on a disk or partition of one host",
    vendor: "Tarn",
    copyright: "The Tarn authors",
    version: "1.0",
    required_api_version: "1.0",
    features: FEATURES,
    configuration: &[ConfigKey {
        name: "device",
        description: "absolute path of the disk or partition; it must hold nothing",
        required: true,
        secret: false,
    }],
    image_formats: &["qcow2", "raw"],
    can_be_shared: false,
    content_type: "user",
};

impl ExtDriver {
    /// A driver whose files are driven by this one.
    pub fn new(files: FileDriver) -> ExtDriver {
        ExtDriver {
            files,
            root: PathBuf::from(ROOT),
        }
    }

    /// The same with another folder to mount in.
    pub fn with_root(mut self, root: &Path) -> ExtDriver {
        self.root = root.to_owned();
        self
    }

    fn mount(&self, device: &Path, name: &str) -> Mount {
        Mount {
            kind: "ext",
            file_system: "ext4",
            source: device.to_string_lossy().into_owned(),
            options: "noatime,nodev,nosuid".to_owned(),
            at: self.root.join(name),
            deadline: SHORT,
        }
    }
}

fn device(config: &DeviceConfig) -> Result<PathBuf> {
    let text = config.require("device")?;
    let invalid = |reason: String| StorageError::ConfigInvalid {
        key: "device",
        reason,
    };
    let path = Path::new(text);
    if !path.is_absolute() || text.contains([',', '\0']) {
        return Err(invalid("it is not the absolute path of one device".to_owned()));
    }
    let metadata = std::fs::metadata(path).map_err(|error| invalid(error.to_string()))?;
    if !metadata.file_type().is_block_device() {
        return Err(invalid("it is no block device".to_owned()));
    }
    // Mounts are listed by the name behind links.
    std::fs::canonicalize(path).map_err(|error| invalid(error.to_string()))
}

/// The kind of file system on a device, if there is anything.
async fn content(device: &Path) -> Result<Option<String>> {
    let name = device.to_string_lossy().into_owned();
    let args = ["-p", "-o", "value", "-s", "TYPE", "-s", "PTTYPE", name.as_str()];
    match tool::run("blkid", args, SHORT).await {
        Ok(text) => Ok(Some(
            text.split_whitespace().next().unwrap_or("something").to_owned(),
        )),
        // It found nothing.
        Err(StorageError::Tool { status, .. }) if status == "exit code 2" => Ok(None),
        Err(other) => Err(other),
    }
}

#[async_trait]
impl SrDriver for ExtDriver {
    fn description(&self) -> &'static DriverDescription {
        &DESCRIPTION
    }

    async fn create(&self, request: &CreateSr) -> Result<()> {
        let device = device(&request.config)?;
        let mount = self.mount(&device, &format!("make-{}", Uuid::new_v4()));
        let made = CreateSr {
            config: folder(&mount.at),
            ..request.clone()
        };
        match content(&device).await? {
            None => {
                let (name, uuid) = (device.to_string_lossy().into_owned(), request.sr.to_string());
                let args = ["-q", "-F", "-m", "0", "-U", uuid.as_str(), name.as_str()];
                tool::run("mkfs.ext4", args, MAKING).await?;
                mount.during(self.files.create(&made)).await
            }
            Some(kind) if kind == "ext4" => {
                // Ours, made before or not yet to its end; or somebody's data.
                let found = mount
                    .during(async {
                        let found = self.files.probe(&folder(&mount.at)).await?;
                        Ok((found.iter().find_map(|f| f.sr), is_fresh(&mount.at)))
                    })
                    .await?;
                match found {
                    (Some(sr), _) if sr == request.sr => Ok(()),
                    (Some(found), _) => Err(StorageError::SrExists { found }),
                    (None, true) => mount.during(self.files.create(&made)).await,
                    (None, false) => Err(in_use("a file system with files")),
                }
            }
            Some(kind) => Err(in_use(&kind)),
        }
    }

    async fn destroy(&self, sr: Uuid, config: &DeviceConfig) -> Result<()> {
        let device = device(config)?;
        if content(&device).await?.as_deref() != Some("ext4") {
            return Ok(());
        }
        let mount = self.mount(&device, &format!("make-{}", Uuid::new_v4()));
        mount
            .during(async {
                self.files.destroy(sr, &folder(&mount.at)).await?;
                if is_fresh(&mount.at) {
                    Ok(())
                } else {
                    Err(in_use("a file system with files"))
                }
            })
            .await?;
        let name = device.to_string_lossy().into_owned();
        tool::run("wipefs", ["-a", "-q", name.as_str()], SHORT)
            .await
            .map(drop)
    }

    async fn probe(&self, config: &DeviceConfig) -> Result<Vec<ProbedSr>> {
        let device = device(config)?;
        let nothing = |physical_size| ProbedSr {
            sr: None,
            config: config.clone(),
            space: SrSpace {
                physical_size,
                physical_utilisation: Bytes(0),
            },
        };
        match content(&device).await?.as_deref() {
            None => Ok(vec![nothing(size(&device).await?)]),
            Some("ext4") => {
                let mount = self.mount(&device, &format!("probe-{}", Uuid::new_v4()));
                let found = mount.during(self.files.probe(&folder(&mount.at))).await?;
                Ok(found
                    .into_iter()
                    .filter(|probed| probed.sr.is_some())
                    .map(|probed| ProbedSr {
                        config: config.clone(),
                        ..probed
                    })
                    .collect())
            }
            Some(_) => Ok(Vec::new()),
        }
    }

    async fn plug(&self, sr: Uuid, config: &DeviceConfig) -> Result<Arc<dyn PluggedSr>> {
        let device = device(config)?;
        if content(&device).await?.as_deref() != Some("ext4") {
            return Err(StorageError::SrUnavailable {
                sr,
                reason: format!("{device:?} holds no file system of a repository"),
            });
        }
        let mount = self.mount(&device, &sr.to_string());
        mount.mount().await?;
        match self.files.plug(sr, &folder(&mount.at)).await {
            Ok(inner) => Ok(Arc::new(Mounted { inner, mount })),
            Err(error) => {
                mount.unmount().await?;
                Err(error)
            }
        }
    }
}

fn in_use(by: &str) -> StorageError {
    StorageError::ConfigInvalid {
        key: "device",
        reason: format!("it holds {by}; wipe it first"),
    }
}

/// Whether a file system holds nothing but what its making left there.
fn is_fresh(at: &Path) -> bool {
    std::fs::read_dir(at)
        .is_ok_and(|entries| entries.flatten().all(|entry| entry.file_name() == "lost+found"))
}

async fn size(device: &Path) -> Result<Bytes> {
    let name = device.to_string_lossy().into_owned();
    let text = tool::run("blockdev", ["--getsize64", name.as_str()], SHORT).await?;
    Ok(Bytes(text.trim().parse().unwrap_or(0)))
}
