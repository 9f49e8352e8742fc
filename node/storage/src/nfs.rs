//! `nfs`: a folder that a server exports. Each repository has a folder of its own in the export, named by its uuid, so
//! that one export can hold several.
//!
//! Hosts whose kernel has a client for NFS mount the export. Where it has none, or `device_config:client` says so, the
//! export is spoken to in user space: by this crate for names, sizes and locks, by QEMU for the images.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use crate::driver::{
    ConfigKey, CreateSr, DeviceConfig, DriverDescription, PluggedSr, ProbedSr, SrDriver, SrSpace,
};
use crate::error::{Result, StorageError};
use crate::file::{FEATURES, FileDriver, PRIVATE};
use crate::gate::Gate;
use crate::medium::Site;
use crate::mounted::{Mount, Mounted, ROOT, folder};

mod files;
mod hold;
mod protocol;
mod rpc;
mod xdr;

#[cfg(test)]
pub(crate) mod test;

use files::NfsFiles;

/// Beside the mounts: the sessions of this host with servers.
const SESSIONS: &str = ".nfs-sessions";
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
            name: "client",
            description: "kernel or qemu: whose client is used; the kernel's where it has one if it is not given",
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

/// Whose client speaks to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NfsClient {
    Kernel,
    Qemu,
}

/// The export that a configuration names.
struct Export {
    server: String,
    path: String,
    options: String,
    version: String,
    client: Option<NfsClient>,
    further_options: bool,
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
        let client = match config.get("client") {
            None => None,
            Some("kernel") => Some(NfsClient::Kernel),
            Some("qemu") => Some(NfsClient::Qemu),
            Some(_) => return Err(invalid("client", "it is neither kernel nor qemu")),
        };
        Ok(Export {
            server: server.to_owned(),
            path: path.to_owned(),
            options,
            version: version.to_owned(),
            client,
            further_options: config.get("options").is_some(),
        })
    }

    /// Whose client is used on this host.
    fn client(&self) -> NfsClient {
        self.client.unwrap_or_else(|| match kernel_has_nfs() {
            true => NfsClient::Kernel,
            false => NfsClient::Qemu,
        })
    }

    /// Refuses what QEMU's client cannot do.
    fn check_for_qemu(&self) -> Result<()> {
        let invalid = |key, reason: &str| StorageError::ConfigInvalid {
            key,
            reason: reason.to_owned(),
        };
        if self.version != "3" {
            return Err(invalid(
                "nfsversion",
                "without the kernel's client it can only be 3",
            ));
        }
        if self.further_options {
            return Err(invalid(
                "options",
                "they are for the kernel's client, which is not used",
            ));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "/.-_~".contains(c);
        if !self.path.chars().all(plain) {
            return Err(invalid(
                "serverpath",
                "there are letters in it that need the kernel's client",
            ));
        }
        Ok(())
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

    /// The export's file system, to be mounted under a name.
    fn mount(&self, export: &Export, name: &str) -> Result<Mount> {
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

    /// A repository's folder in user space, once the server has let this host in.
    async fn site(&self, export: &Export, sr: Uuid) -> Result<Site> {
        export.check_for_qemu()?;
        let path = Path::new(&export.path).join(sr.to_string());
        let files = NfsFiles::new(
            files::Export::new(&export.server, &export.path),
            path.join(PRIVATE),
            self.root.join(SESSIONS),
        );
        let what = format!("{}:{}", export.server, export.path);
        let reached = files.clone();
        Gate::new(1, MOUNTING)
            .run("reach server", move || {
                reached.reach().map_err(|error| StorageError::NotMounted {
                    kind: "nfs",
                    what,
                    reason: error.to_string(),
                })
            })
            .await?;
        Ok(Site {
            medium: Arc::new(files),
            path,
        })
    }

    /// An export that is only read, and what has to be unmounted after it.
    pub(crate) async fn library(&self, sr: Uuid, config: &DeviceConfig) -> Result<(Site, Option<Mount>)> {
        let export = Export::read(config)?;
        if export.client() == NfsClient::Qemu {
            let site = self.site(&export, sr).await?;
            let path = PathBuf::from(&export.path);
            return Ok((Site { path, ..site }, None));
        }
        let mut mount = self.mount(&export, &sr.to_string())?;
        mount.options.push_str(",ro");
        mount.mount().await?;
        Ok((Site::local(mount.at.clone()), Some(mount)))
    }

    /// The repositories of an export, in user space.
    async fn probe_by_qemu(&self, export: &Export, config: &DeviceConfig) -> Result<Vec<ProbedSr>> {
        let root = self.site(export, Uuid::nil()).await?;
        let folder = PathBuf::from(&export.path);
        let (medium, at) = (Arc::clone(&root.medium), folder.clone());
        let names = Gate::new(1, MOUNTING)
            .run("list export", move || {
                medium.names(&at).map_err(|e| StorageError::io("list", at, e))
            })
            .await?;
        let mut found = Vec::new();
        for sr in names.iter().filter_map(|name| Uuid::try_parse(name).ok()) {
            let site = Site {
                medium: Arc::clone(&root.medium),
                path: folder.join(sr.to_string()),
            };
            let probed = match self.files.probe_at(site).await {
                // One for the kernel's client.
                Err(StorageError::OtherNaming { .. }) => continue,
                probed => probed?,
            };
            if let Some((Some(marked), space)) = probed
                && marked == sr
            {
                found.push(ProbedSr {
                    sr: Some(sr),
                    config: config.clone(),
                    space,
                });
            }
        }
        Ok(found)
    }

    /// The repositories of an export that is mounted for this.
    async fn probe_by_kernel(&self, export: &Export, config: &DeviceConfig) -> Result<Vec<ProbedSr>> {
        let mount = self.mount(export, &format!("probe-{}", Uuid::new_v4()))?;
        mount
            .during(async {
                let mut found = Vec::new();
                let entries = std::fs::read_dir(&mount.at)
                    .map_err(|error| StorageError::io("list", &mount.at, error))?;
                for entry in entries.flatten() {
                    let name = entry.file_name().to_string_lossy().into_owned();
                    let Ok(sr) = Uuid::try_parse(&name) else { continue };
                    let probed = match self.files.probe(&folder(&mount.at.join(&name))).await {
                        Err(StorageError::OtherNaming { .. }) => continue,
                        probed => probed?,
                    };
                    found.extend(probed.into_iter().filter(|p| p.sr == Some(sr)));
                }
                for probed in &mut found {
                    probed.config = config.clone();
                }
                Ok(found)
            })
            .await
    }

    async fn plug_by_kernel(&self, export: &Export, sr: Uuid) -> Result<Arc<dyn PluggedSr>> {
        let mount = self.mount(export, &sr.to_string())?;
        mount.mount().await?;
        match self.files.plug(sr, &folder(&mount.at.join(sr.to_string()))).await {
            Ok(inner) => Ok(Arc::new(Mounted { inner, mount })),
            Err(error) => {
                mount.unmount().await?;
                Err(error)
            }
        }
    }

    async fn plug_by_qemu(&self, export: &Export, sr: Uuid) -> Result<Arc<dyn PluggedSr>> {
        self.files.plug_at(self.site(export, sr).await?, sr).await
    }
}

#[async_trait]
impl SrDriver for NfsDriver {
    fn description(&self) -> &'static DriverDescription {
        &DESCRIPTION
    }

    async fn create(&self, request: &CreateSr) -> Result<()> {
        let export = Export::read(&request.config)?;
        if export.client() == NfsClient::Qemu {
            let site = self.site(&export, request.sr).await?;
            return self.files.create_at(site, request.sr).await;
        }
        let mount = self.mount(&export, &format!("make-{}", Uuid::new_v4()))?;
        let own = CreateSr {
            config: folder(&mount.at.join(request.sr.to_string())),
            ..request.clone()
        };
        mount.during(self.files.create(&own)).await
    }

    async fn destroy(&self, sr: Uuid, config: &DeviceConfig) -> Result<()> {
        let export = Export::read(config)?;
        if export.client() == NfsClient::Qemu {
            let site = self.site(&export, sr).await?;
            return self.files.destroy_at(site, sr).await;
        }
        let mount = self.mount(&export, &format!("make-{}", Uuid::new_v4()))?;
        let own = folder(&mount.at.join(sr.to_string()));
        mount.during(self.files.destroy(sr, &own)).await
    }

    async fn probe(&self, config: &DeviceConfig) -> Result<Vec<ProbedSr>> {
        let export = Export::read(config)?;
        let mut found = match export.client() {
            NfsClient::Qemu => self.probe_by_qemu(&export, config).await?,
            NfsClient::Kernel => self.probe_by_kernel(&export, config).await?,
        };
        if found.is_empty() {
            found.push(ProbedSr {
                sr: None,
                config: config.clone(),
                space: SrSpace::default(),
            });
        }
        Ok(found)
    }

    async fn plug(&self, sr: Uuid, config: &DeviceConfig) -> Result<Arc<dyn PluggedSr>> {
        let export = Export::read(config)?;
        match export.client() {
            NfsClient::Qemu => self.plug_by_qemu(&export, sr).await,
            NfsClient::Kernel => match self.plug_by_kernel(&export, sr).await {
                // Made on a host without such a kernel; here QEMU's client does as well.
                Err(StorageError::OtherNaming { .. }) if export.client.is_none() => {
                    self.plug_by_qemu(&export, sr).await
                }
                plugged => plugged,
            },
        }
    }
}
