//! Repositories and volumes.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use node_commands::{
    CommandError, CommandErrorKind, FoundSr, HostReply, ProbeRequest, SrFacts, SrSpec, VolumeFacts,
    VolumeFill, VolumeRef, VolumeRequest,
};
use node_storage::image::ImageTool;
use node_storage::{
    Access, Bytes, Content, CreateSr, DeviceConfig, DiskFormat, DiskSource, Job, NewVolume, PlugRequest,
    PluggedSr, SrSpace, Volume,
};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::agent::Agent;
use crate::convert;
use crate::domains::within;
use crate::operations::Outcome;

/// The repositories that this host had plugged, kept in a file that only its owner reads, since it may hold passwords.
pub(crate) struct Plugs {
    file: PathBuf,
    table: Mutex<BTreeMap<Uuid, SrSpec>>,
}

impl Plugs {
    pub(crate) async fn load(file: PathBuf) -> io::Result<Plugs> {
        let table = match tokio::fs::read(&file).await {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        Ok(Plugs {
            file,
            table: Mutex::new(table),
        })
    }

    pub(crate) async fn all(&self) -> Vec<SrSpec> {
        self.table.lock().await.values().cloned().collect()
    }

    async fn change(&self, change: impl FnOnce(&mut BTreeMap<Uuid, SrSpec>)) {
        let mut table = self.table.lock().await;
        change(&mut table);
        if let Err(error) = self.write(&table) {
            tracing::warn!(%error, "which repositories are plugged was not written");
        }
    }

    fn write(&self, table: &BTreeMap<Uuid, SrSpec>) -> io::Result<()> {
        let fresh = self.file.with_extension("new");
        let file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)?;
        serde_json::to_writer(file, table).map_err(io::Error::other)?;
        std::fs::rename(&fresh, &self.file)
    }
}

fn plug_request(sr: &SrSpec) -> PlugRequest {
    PlugRequest {
        sr: sr.uuid,
        kind: sr.kind.clone(),
        config: DeviceConfig(sr.device_config.clone()),
    }
}

fn sr_facts(space: SrSpace) -> SrFacts {
    SrFacts {
        physical_size: space.physical_size,
        physical_utilisation: space.physical_utilisation,
    }
}

pub(crate) fn volume_facts(volume: Volume) -> VolumeFacts {
    VolumeFacts {
        location: volume.location,
        uuid: volume.uuid,
        virtual_size: volume.virtual_size,
        physical_utilisation: volume.utilisation,
        read_only: volume.read_only,
        name: volume.name.unwrap_or_default(),
        parent: volume.parent,
        hidden: volume.hidden,
        without_data: false,
    }
}

pub(crate) fn busy(what: String) -> CommandError {
    CommandError::new(CommandErrorKind::Busy, what)
}

/// The hypervisor writes save images as plain files.
fn format_for(purpose: &str) -> Option<DiskFormat> {
    (purpose == "suspend").then_some(DiskFormat::Raw)
}

impl Agent {
    pub(crate) fn plugged(&self, sr: Uuid) -> Result<Arc<dyn PluggedSr>, CommandError> {
        self.inner.storage.get(sr).map_err(convert::storage)
    }

    pub(crate) async fn sr_create(&self, sr: &SrSpec) -> Outcome {
        let request = CreateSr {
            sr: sr.uuid,
            config: DeviceConfig(sr.device_config.clone()),
            physical_size: sr.physical_size,
        };
        self.inner
            .storage
            .create(&sr.kind, &request)
            .await
            .map_err(convert::storage)?;
        Ok(HostReply::Done)
    }

    pub(crate) async fn sr_plug(&self, sr: &SrSpec) -> Outcome {
        let handle = self
            .inner
            .storage
            .plug(&plug_request(sr))
            .await
            .map_err(convert::storage)?;
        self.inner
            .plugs
            .change(|table| drop(table.insert(sr.uuid, sr.clone())))
            .await;
        Ok(HostReply::Sr(sr_facts(
            handle.space().await.map_err(convert::storage)?,
        )))
    }

    pub(crate) async fn sr_unplug(&self, sr: Uuid) -> Outcome {
        if let Some(vm) = self.inner.holdings.user_of_sr(sr).await {
            return Err(busy(format!(
                "domain {vm} of this host has a volume of repository {sr} open"
            )));
        }
        self.inner.storage.unplug(sr).await.map_err(convert::storage)?;
        self.inner.plugs.change(|table| drop(table.remove(&sr))).await;
        Ok(HostReply::Done)
    }

    pub(crate) async fn sr_scan(&self, sr: Uuid) -> Outcome {
        let scan = self.plugged(sr)?.scan().await.map_err(convert::storage)?;
        for (name, reason) in &scan.refused {
            tracing::info!(%sr, name, reason, "not offered as a volume");
        }
        let without_data = scan.without_data.into_iter().map(|volume| VolumeFacts {
            without_data: true,
            ..volume_facts(volume)
        });
        Ok(HostReply::Scan {
            sr: sr_facts(scan.space),
            volumes: scan
                .volumes
                .into_iter()
                .map(volume_facts)
                .chain(without_data)
                .collect(),
        })
    }

    pub(crate) async fn sr_destroy(&self, sr: &SrSpec) -> Outcome {
        self.sr_unplug(sr.uuid).await?;
        self.inner
            .storage
            .destroy(&plug_request(sr))
            .await
            .map_err(convert::storage)?;
        Ok(HostReply::Done)
    }

    pub(crate) async fn sr_probe(&self, probe: &ProbeRequest) -> Outcome {
        let config = DeviceConfig(probe.device_config.clone());
        let found = self
            .inner
            .storage
            .probe(&probe.kind, &config)
            .await
            .map_err(convert::storage)?;
        let found = found.into_iter().map(|sr| FoundSr {
            uuid: sr.sr,
            device_config: sr.config.0,
            facts: sr_facts(sr.space),
        });
        Ok(HostReply::Found(found.collect()))
    }

    async fn make(&self, sr: Uuid, new: NewVolume) -> Outcome {
        let listed = self.inner.jobs.begin(new.uuid);
        let volume = self
            .plugged(sr)?
            .create_volume(&new, listed.job())
            .await
            .map_err(convert::storage)?;
        Ok(HostReply::Volume(volume_facts(volume)))
    }

    pub(crate) async fn volume_create(&self, volume: &VolumeRequest, fill: VolumeFill) -> Outcome {
        let content = match fill {
            VolumeFill::Nothing => Content::Empty,
            VolumeFill::Volume(source) => return self.copy(&source, volume).await,
            VolumeFill::Image(path) => {
                let path = within(&path, &self.inner.settings.image_dirs).await?;
                let format = format_of(&path)
                    .await
                    .map_err(|error| convert::files("read an image", &error))?;
                Content::CopyOf(DiskSource::File { path, format })
            }
        };
        let format = format_for(&volume.purpose);
        self.make(
            volume.sr,
            NewVolume {
                uuid: volume.uuid,
                virtual_size: volume.virtual_size,
                content,
                format,
            },
        )
        .await
    }

    pub(crate) async fn volume_clone(&self, source: &VolumeRef, uuid: Uuid) -> Outcome {
        self.until_not_served(source).await;
        self.make(source.sr, NewVolume::clone_of(uuid, &source.location))
            .await
    }

    pub(crate) async fn volume_snapshot(&self, source: &VolumeRef, uuid: Uuid) -> Outcome {
        self.until_not_served(source).await;
        self.make(source.sr, NewVolume::snapshot_of(uuid, &source.location))
            .await
    }

    pub(crate) async fn volume_copy(&self, source: &VolumeRef, sr: Uuid, uuid: Uuid) -> Outcome {
        let request = VolumeRequest {
            sr,
            uuid,
            virtual_size: Bytes(0),
            purpose: String::new(),
        };
        self.copy(source, &request).await
    }

    async fn copy(&self, source: &VolumeRef, target: &VolumeRequest) -> Outcome {
        self.until_not_served(source).await;
        let from = self.plugged(source.sr)?;
        let opened = from
            .resolve(&source.location, Access::Read)
            .await
            .map_err(convert::storage)?;
        let new = NewVolume {
            uuid: target.uuid,
            virtual_size: target.virtual_size,
            content: Content::CopyOf(opened),
            format: format_for(&target.purpose),
        };
        let made = self.make(target.sr, new).await;
        if self.inner.holdings.user_of_volume(source).await.is_none() {
            self.release(source).await;
        }
        made
    }

    pub(crate) async fn volume_resize(&self, volume: &VolumeRef, virtual_size: Bytes) -> Outcome {
        self.until_not_served(volume).await;
        if let Some(vm) = self.inner.holdings.user_of_volume(volume).await {
            return Err(busy(format!("domain {vm} of this host has the volume open")));
        }
        let sr = self.plugged(volume.sr)?;
        let resized = sr
            .resize(&volume.location, virtual_size)
            .await
            .map_err(convert::storage)?;
        Ok(HostReply::Volume(volume_facts(resized)))
    }

    pub(crate) async fn volume_destroy(&self, volume: &VolumeRef) -> Outcome {
        self.until_not_served(volume).await;
        if let Some(vm) = self.inner.holdings.user_of_volume(volume).await {
            return Err(busy(format!("domain {vm} of this host has the volume open")));
        }
        self.plugged(volume.sr)?
            .destroy_volume(&volume.location)
            .await
            .map_err(convert::storage)?;
        Ok(HostReply::Done)
    }

    pub(crate) async fn volume_checksum(&self, volume: &VolumeRef) -> Outcome {
        let sr = self.plugged(volume.sr)?;
        let source = sr
            .resolve(&volume.location, Access::Read)
            .await
            .map_err(convert::storage)?;
        let images = ImageTool {
            program: self.inner.settings.qemu_img.clone(),
            ..ImageTool::default()
        };
        let plain = self
            .inner
            .settings
            .spool_dir()
            .join(format!("{}.sum", Uuid::new_v4()));
        let sum = images.checksum(&source, &plain, &Job::new()).await;
        if self.inner.holdings.user_of_volume(volume).await.is_none() {
            self.release(volume).await;
        }
        Ok(HostReply::Checksum(sum.map_err(convert::storage)?))
    }

    pub(crate) async fn volume_stat(&self, volume: &VolumeRef) -> Outcome {
        let found = self
            .plugged(volume.sr)?
            .stat(&volume.location)
            .await
            .map_err(convert::storage)?;
        Ok(HostReply::Volume(volume_facts(found)))
    }
}

/// The format of an image that an administrator has laid down here, by its first bytes; plain bytes if nothing else.
async fn format_of(path: &Path) -> io::Result<DiskFormat> {
    use tokio::io::AsyncReadExt;
    let mut head = Vec::with_capacity(8);
    tokio::fs::File::open(path)
        .await?
        .take(8)
        .read_to_end(&mut head)
        .await?;
    Ok(if head.starts_with(b"QFI\xfb") {
        DiskFormat::Qcow2
    } else if head.starts_with(b"conectix") {
        DiskFormat::Vhd
    } else {
        DiskFormat::Raw
    })
}
