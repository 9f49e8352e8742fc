//! Disks of live domains: freezing them, growing them, and merging what snapshots have left behind.

use std::sync::Arc;

use node_commands::{CommandError, FreezeRequest, HostReply, MergeFacts, VolumeRef};
use node_hypervisor::{DiskIndex, DiskSource, Merged as Moved};
use node_storage::{Bytes, Job, Merged, PluggedSr, Volume};
use uuid::Uuid;

use crate::agent::Agent;
use crate::convert;
use crate::disks::have_sources;
use crate::operations::Outcome;
use crate::storage::{busy, volume_facts};

impl Agent {
    pub(crate) async fn freeze_disks(&self, vm: Uuid, disks: &[FreezeRequest]) -> Outcome {
        if let Some(volumes) = self.frozen_before(disks).await {
            return Ok(HostReply::Volumes(
                volumes.into_iter().map(volume_facts).collect(),
            ));
        }
        let mut layers: Vec<(DiskIndex, DiskSource)> = Vec::new();
        let mut pushed: Vec<&VolumeRef> = Vec::new();
        let frozen = async {
            for disk in disks {
                let sr = self.plugged(disk.volume.sr)?;
                let layer = sr
                    .push_layer(&disk.volume.location)
                    .await
                    .map_err(convert::storage)?;
                pushed.push(&disk.volume);
                layers.push((DiskIndex(disk.userdevice), layer));
            }
            self.inner
                .hypervisor
                .switch_disks(vm, &layers)
                .await
                .map_err(CommandError::from)
        }
        .await;
        if let Err(error) = frozen {
            // What the hypervisor may have taken is open, and stays.
            for volume in pushed {
                self.pop_layer(volume).await;
            }
            return Err(error);
        }
        self.note(vm, |spec| have_sources(spec, &layers)).await;
        let mut volumes = Vec::new();
        for disk in disks {
            let made = self
                .plugged(disk.volume.sr)?
                .snapshot_below(&disk.volume.location, disk.uuid)
                .await
                .map_err(convert::storage)?;
            volumes.push(volume_facts(made));
        }
        Ok(HostReply::Volumes(volumes))
    }

    /// The volumes of an earlier call, if all of them are there.
    async fn frozen_before(&self, disks: &[FreezeRequest]) -> Option<Vec<Volume>> {
        let mut found = Vec::new();
        for disk in disks {
            let sr = self.plugged(disk.volume.sr).ok()?;
            found.push(sr.stat(&disk.uuid.to_string()).await.ok()?);
        }
        Some(found)
    }

    async fn pop_layer(&self, volume: &VolumeRef) {
        let Ok(sr) = self.plugged(volume.sr) else { return };
        if let Err(error) = sr.pop_layer(&volume.location).await {
            tracing::warn!(
                location = volume.location,
                error = error.chain(),
                "an unused layer stays"
            );
        }
    }

    pub(crate) async fn resize_disk(
        &self,
        vm: Uuid,
        userdevice: u16,
        volume: &VolumeRef,
        virtual_size: Bytes,
    ) -> Outcome {
        let sr = self.plugged(volume.sr)?;
        sr.prepare_online_resize(&volume.location, virtual_size)
            .await
            .map_err(convert::storage)?;
        self.inner
            .hypervisor
            .resize_disk(vm, DiskIndex(userdevice), virtual_size)
            .await?;
        let mut now = sr.stat(&volume.location).await.map_err(convert::storage)?;
        // A simulated domain changes no image.
        if now.virtual_size < virtual_size {
            now = sr
                .resize(&volume.location, virtual_size)
                .await
                .map_err(convert::storage)?;
        }
        Ok(HostReply::Volume(volume_facts(now)))
    }

    pub(crate) async fn sr_merges(&self, sr: Uuid) -> Outcome {
        let found = self.plugged(sr)?.merges().await.map_err(convert::storage)?;
        let facts = found.into_iter().map(|merge| MergeFacts {
            top: merge.top,
            base: merge.base,
            users: merge.users,
            is_volume: merge.is_volume,
        });
        Ok(HostReply::Merges(facts.collect()))
    }

    pub(crate) async fn merge_volumes(
        &self,
        sr: Uuid,
        merge: &MergeFacts,
        domain: Option<(Uuid, u16)>,
        job: Uuid,
    ) -> Outcome {
        let handle = self.plugged(sr)?;
        let listed = self.inner.jobs.begin(job);
        if merge.is_volume && domain.is_some() {
            return Err(busy(format!("{} is open", merge.top)));
        }
        let (top, base) = match handle.begin_merge(&merge.top, &merge.base).await {
            Ok(sources) => sources,
            // Done before, or no longer to be done.
            Err(node_storage::StorageError::NoSuchVolume { .. }) => {
                handle
                    .end_merge(&merge.top, Merged::Not)
                    .await
                    .map_err(convert::storage)?;
                return Ok(HostReply::Done);
            }
            Err(error) => return Err(convert::storage(error)),
        };
        let moved = match domain {
            Some((vm, disk)) => {
                let sources = (&top, &base);
                self.merge_live(vm, DiskIndex(disk), sources, listed.job()).await
            }
            None => Ok(Moved::NotOpen),
        };
        let moved = match moved {
            Ok(Moved::ByHypervisor) => Ok(()),
            Ok(Moved::NotOpen) => copy_down(&*handle, merge, listed.job()).await,
            Err(error) => Err(error),
        };
        let outcome = if moved.is_ok() { Merged::Done } else { Merged::Not };
        let ended = handle.end_merge(&merge.top, outcome).await;
        moved?;
        ended.map_err(convert::storage)?;
        Ok(HostReply::Done)
    }

    async fn merge_live(
        &self,
        vm: Uuid,
        disk: DiskIndex,
        (top, base): (&DiskSource, &DiskSource),
        job: &Job,
    ) -> Result<Moved, CommandError> {
        let progress = job.clone();
        let merging = self.inner.hypervisor.merge_below(
            vm,
            disk,
            top,
            base,
            Arc::new(move |permille| progress.advance(permille)),
        );
        let mut merging = std::pin::pin!(merging);
        let moved = tokio::select! {
            moved = &mut merging => moved,
            () = job.cancelled() => {
                self.inner.hypervisor.merge_abort(vm, disk).await?;
                merging.await
            }
        };
        Ok(moved?)
    }
}

async fn copy_down(sr: &dyn PluggedSr, merge: &MergeFacts, job: &Job) -> Result<(), CommandError> {
    sr.copy_down(&merge.top, &merge.base, job)
        .await
        .map_err(convert::storage)
}
