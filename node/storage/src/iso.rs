//! `iso`: a library of CD images in a folder of this host or of an NFS server, read-only. Each `*.iso` file is a volume
//! whose location is its name.

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
use crate::medium::Site;
use crate::mounted::Mount;
use crate::nfs::NfsDriver;

#[cfg(test)]
mod test;

/// The driver of type `iso`.
#[derive(Clone)]
pub struct IsoDriver {
    deadline: Duration,
    nfs: NfsDriver,
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
    configuration: &[
        ConfigKey {
            name: "location",
            description: "absolute path of the folder, the same on every host that plugs it; or SERVER:PATH on an NFS server",
            required: true,
            secret: false,
        },
        ConfigKey {
            name: "client",
            description: "of a folder on a server: kernel or qemu, as with nfs",
            required: false,
            secret: false,
        },
        ConfigKey {
            name: "nfsversion",
            description: "of a folder on a server, as with nfs",
            required: false,
            secret: false,
        },
    ],
    image_formats: &["raw"],
    can_be_shared: true,
    content_type: "iso",
};

/// Blocking calls that may be under way.
const THREADS: usize = 8;

impl IsoDriver {
    /// A driver with usual limits.
    pub fn new(nfs: NfsDriver) -> IsoDriver {
        IsoDriver {
            deadline: Duration::from_secs(30),
            nfs,
        }
    }

    fn gate(&self) -> Gate {
        Gate::new(THREADS, self.deadline)
    }
}

/// Where a library is.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// In a folder of this host.
    Folder(PathBuf),
    /// On a server, as the driver of type `nfs` is told.
    Server(DeviceConfig),
}

impl Place {
    fn read(config: &DeviceConfig) -> Result<Place> {
        let location = config.require("location")?;
        let Some((server, path)) = location.split_once(":/").filter(|_| !location.starts_with('/')) else {
            return folder_location(config).map(Place::Folder);
        };
        let mut server: DeviceConfig = [("server", server.to_owned()), ("serverpath", format!("/{path}"))]
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        for key in ["client", "nfsversion"] {
            if let Some(value) = config.get(key) {
                server.0.insert(key.to_owned(), value.to_owned());
            }
        }
        Ok(Place::Server(server))
    }
}

fn verify(site: &Site, sr: Uuid) -> Result<()> {
    let folder = &site.path;
    match site.medium.assert_folder(folder) {
        Ok(()) => Ok(()),
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
        self.plug(request.sr, &request.config).await?.unplug().await
    }

    async fn destroy(&self, _sr: Uuid, config: &DeviceConfig) -> Result<()> {
        // The files are not ours.
        Place::read(config).map(drop)
    }

    async fn probe(&self, config: &DeviceConfig) -> Result<Vec<ProbedSr>> {
        let library = self.plug(Uuid::new_v4(), config).await?;
        let space = library.space().await;
        library.unplug().await?;
        Ok(vec![ProbedSr {
            sr: None,
            config: config.clone(),
            space: space?,
        }])
    }

    async fn plug(&self, sr: Uuid, config: &DeviceConfig) -> Result<Arc<dyn PluggedSr>> {
        let (site, mount) = match Place::read(config)? {
            Place::Folder(path) => (Site::local(path), None),
            Place::Server(server) => self.nfs.library(sr, &server).await?,
        };
        let gate = self.gate();
        let at = site.clone();
        if let Err(error) = gate.run("plug", move || verify(&at, sr)).await {
            if let Some(mount) = mount {
                mount.unmount().await?;
            }
            return Err(error);
        }
        Ok(Arc::new(IsoSr {
            sr,
            site,
            mount,
            gate,
            closed: AtomicBool::new(false),
        }))
    }
}

/// A plugged library.
struct IsoSr {
    sr: Uuid,
    site: Site,
    mount: Option<Mount>,
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

fn look(site: &Site, name: &str) -> Result<Volume> {
    let gone = || StorageError::NoSuchVolume {
        location: name.to_owned(),
    };
    if !is_image(name) {
        return Err(gone());
    }
    let path = site.path.join(name);
    let entry = match site.medium.entry(&path) {
        Ok(entry) => entry,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(gone()),
        Err(error) => return Err(StorageError::io("read", path, error)),
    };
    if !entry.is_file {
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
        virtual_size: Bytes(entry.length),
        utilisation: Bytes(entry.taken),
        parent: None,
        format: DiskFormat::Raw,
        read_only: true,
        hidden: false,
    })
}

fn space(site: &Site) -> Result<SrSpace> {
    let space = site.medium.space(&site.path);
    space.map_err(|e| StorageError::io("measure", &site.path, e))
}

fn scan(site: &Site) -> Result<SrScan> {
    let mut scan = SrScan {
        space: space(site)?,
        ..SrScan::default()
    };
    let names = site.medium.names(&site.path);
    let names = names.map_err(|e| StorageError::io("list", &site.path, e))?;
    for name in names.iter().filter(|name| is_image(name)) {
        match look(site, name) {
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
        work: impl FnOnce(&Site) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if self.closed.load(Ordering::Acquire) {
            return Err(StorageError::NotPlugged { sr: self.sr });
        }
        let (site, sr) = (self.site.clone(), self.sr);
        self.gate
            .run(operation, move || {
                verify(&site, sr)?;
                work(&site)
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
        match &self.mount {
            Some(mount) => mount.unmount().await,
            None => Ok(()),
        }
    }

    async fn space(&self) -> Result<SrSpace> {
        self.run("measure", space).await
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
        self.run("look at volume", move |site| look(site, &location))
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
        self.run("resolve volume", move |site| {
            let volume = look(site, &location)?;
            let image = (site.path.join(volume.location), DiskFormat::Raw);
            Ok(site.medium.source(&[image]))
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
