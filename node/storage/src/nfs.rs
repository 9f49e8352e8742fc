//! `nfs`: a folder that a server exports, mounted by the kernel. Each repository has a folder of its own in the export,
//! named by its uuid, so that one export can hold several.

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

#[cfg(test)]
mod test;

/// How long mounting may take, with a server that does not answer.
const MOUNTING: Duration = Duration::from_secs(40);

/// The driver of type `nfs`.
#[derive(Clone)]
pub struct NfsDriver {
    files: FileDriver,
    root: PathBuf,
}

static DESCRIPTION: DriverDescription = DriverDescription {
    kind: "nfs",
    label: "NFS",
    description: "Disks as qcow2 files on an NFS server, shared by the pool",
    vendor: "Tarn",
    copyright: "The Tarn authors",
    version: "1.0",
    required_api_version: "1.0",
    features: FEATURES,
    configuration: &[
        ConfigKey {
            name: "server",
            description: "name or address of the server",
            required: true,
            secret: false,
        },
        ConfigKey {
            name: "serverpath",
            description: "path of the export on the server",
            required: true,
            secret: false,
        },
        ConfigKey {
            name: "nfsversion",
            description: "version of the protocol: 3, 4, 4.0, 4.1 or 4.2; 3 if it is not given",
            required: false,
            secret: false,
        },
        ConfigKey {
            name: "options",
            description: "further mount options, separated by commas",
            required: false,
            secret: false,
        },
    ],
    image_formats: &["qcow2", "raw"],
    can_be_shared: true,
    content_type: "user",
};

/// Whether this host's kernel can mount NFS. Looking loads the module where there is one.
pub fn kernel_has_nfs() -> bool {
    std::fs::read_to_string("/proc/filesystems").is_ok_and(|text| {
        text.lines()
            .any(|line| line.split_whitespace().last() == Some("nfs"))
    })
}

/// The export that a configuration names.
struct Export {
    server: String,
    path: String,
    options: String,
}

impl Export {
    fn read(config: &DeviceConfig) -> Result<Export> {
        let server = config.require("server")?;
        let path = config.require("serverpath")?;
        let invalid = |key, reason: &str| StorageError::ConfigInvalid {
            key,
            reason: reason.to_owned(),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
        if server.starts_with('-') || !server.chars().all(plain) {
            return Err(invalid("server", "it is no name or address"));
        }
        if !path.starts_with('/') || path.contains(['\0', '\n']) || path.split('/').any(|part| part == "..") {
            return Err(invalid("serverpath", "it is no absolute path"));
        }
        let version = config.get("nfsversion").unwrap_or("3");
        if !["3", "4", "4.0", "4.1", "4.2"].contains(&version) {
            return Err(invalid("nfsversion", "it is not 3, 4, 4.0, 4.1 or 4.2"));
        }
        // Soft: a dead server makes calls fail after a while, instead of hanging for ever.
        let mut options = format!("soft,timeo=100,retrans=3,proto=tcp,noatime,nodev,nosuid,vers={version}");
        if let Some(more) = config.get("options") {
            let harmless = |c: char| c.is_ascii_alphanumeric() || ",=._-:".contains(c);
            if !more.chars().all(harmless) {
                return Err(invalid("options", "there are letters in it that no option has"));
            }
            options.push(',');
            options.push_str(more);
        }
        Ok(Export {
            server: server.to_owned(),
            path: path.to_owned(),
            options,
        })
    }

    fn mount(&self, root: &Path, name: &str) -> Mount {
        let server = if self.server.contains(':') && !self.server.starts_with('[') {
            format!("[{}]", self.server)
        } else {
            self.server.clone()
        };
        Mount {
            kind: "nfs",
            file_system: "nfs",
            source: format!("{server}:{}", self.path),
            options: self.options.clone(),
            at: root.join(name),
            deadline: MOUNTING,
        }
    }
}

impl NfsDriver {
    /// A driver whose files are driven by this one.
    pub fn new(files: FileDriver) -> NfsDriver {
        NfsDriver {
            files,
            root: PathBuf::from(ROOT),
        }
    }

    /// The same with another folder to mount in.
    pub fn with_root(mut self, root: &Path) -> NfsDriver {
        self.root = root.to_owned();
        self
    }

    fn mount(&self, config: &DeviceConfig, name: &str) -> Result<Mount> {
        let export = Export::read(config)?;
        let mount = export.mount(&self.root, name);
        if !kernel_has_nfs() {
            return Err(StorageError::NotMounted {
                kind: "nfs",
                what: mount.source,
                reason: "the kernel of this host has no NFS".to_owned(),
            });
        }
        Ok(mount)
    }
}

#[async_trait]
impl SrDriver for NfsDriver {
    fn description(&self) -> &'static DriverDescription {
        &DESCRIPTION
    }

    async fn create(&self, request: &CreateSr) -> Result<()> {
        let mount = self.mount(&request.config, &format!("make-{}", Uuid::new_v4()))?;
        let own = CreateSr {
            config: folder(&mount.at.join(request.sr.to_string())),
            ..request.clone()
        };
        mount.during(self.files.create(&own)).await
    }

    async fn destroy(&self, sr: Uuid, config: &DeviceConfig) -> Result<()> {
        let mount = self.mount(config, &format!("make-{}", Uuid::new_v4()))?;
        let own = folder(&mount.at.join(sr.to_string()));
        mount.during(self.files.destroy(sr, &own)).await
    }

    async fn probe(&self, config: &DeviceConfig) -> Result<Vec<ProbedSr>> {
        let mount = self.mount(config, &format!("probe-{}", Uuid::new_v4()))?;
        mount
            .during(async {
                let mut found = Vec::new();
                let entries = std::fs::read_dir(&mount.at)
                    .map_err(|error| StorageError::io("list", &mount.at, error))?;
                for entry in entries.flatten() {
                    let name = entry.file_name().to_string_lossy().into_owned();
                    let Ok(sr) = Uuid::try_parse(&name) else { continue };
                    let probed = self.files.probe(&folder(&mount.at.join(&name))).await?;
                    found.extend(probed.into_iter().filter(|p| p.sr == Some(sr)));
                }
                for probed in &mut found {
                    probed.config = config.clone();
                }
                if found.is_empty() {
                    found.push(ProbedSr {
                        sr: None,
                        config: config.clone(),
                        space: SrSpace {
                            physical_size: Bytes(0),
                            physical_utilisation: Bytes(0),
                        },
                    });
                }
                Ok(found)
            })
            .await
    }

    async fn plug(&self, sr: Uuid, config: &DeviceConfig) -> Result<Arc<dyn PluggedSr>> {
        let mount = self.mount(config, &sr.to_string())?;
        mount.mount().await?;
        match self.files.plug(sr, &folder(&mount.at.join(sr.to_string()))).await {
            Ok(inner) => Ok(Arc::new(Mounted { inner, mount })),
            Err(error) => {
                mount.unmount().await?;
                Err(error)
            }
        }
    }
}
