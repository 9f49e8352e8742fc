//! Disks of live domains that go to another volume.

use std::sync::Arc;

use node_commands::{CommandError, HostReply, MirrorRequest};
use node_hypervisor::{DiskIndex, DiskSource, Merged as Moved};
use node_storage::{Access, Content, Job, NewVolume};
use uuid::Uuid;

use crate::agent::Agent;
use crate::convert;
use crate::disks::have_sources;
use crate::operations::Outcome;

/// Under this number above its own a disk holds the volume that it goes to.
const TARGET: u16 = 0x8000;

impl Agent {
    /// Opens the volume a disk goes to, and notes that the domain holds it.
    async fn open_target(&self, mirror: &MirrorRequest) -> Result<DiskSource, CommandError> {
        let sr = self.plugged(mirror.to.sr)?;
        self.until_not_served(&mirror.to).await;
        let slot = TARGET | mirror.userdevice;
        self.inner
            .holdings
            .hold(mirror.vm, slot, mirror.to.clone())
            .await
            .map_err(|error| convert::files("note a volume", &error))?;
        sr.resolve(&mirror.to.location, Access::Write)
            .await
            .map_err(convert::storage)
    }

    async fn let_go_of_target(&self, mirror: &MirrorRequest) {
        let slot = TARGET | mirror.userdevice;
        if let Some(volume) = self.inner.holdings.drop_disk(mirror.vm, slot).await {
            self.release(&volume).await;
        }
    }

    /// Says whether the disk has gone over before.
    async fn has_gone_over(&self, mirror: &MirrorRequest) -> bool {
        let holding = self.inner.holdings.of(mirror.vm).await;
        holding.is_some_and(|held| held.disks.get(&mirror.userdevice) == Some(&mirror.to))
    }

    pub(crate) async fn mirror_disk(&self, mirror: &MirrorRequest, job: Uuid) -> Outcome {
        if self.has_gone_over(mirror).await {
            return Ok(HostReply::Done);
        }
        let listed = self.inner.jobs.begin(job);
        let target = self.open_target(mirror).await?;
        let mirrored = match self.mirror_live(mirror, &target, listed.job()).await {
            Ok(Moved::ByHypervisor) => Ok(()),
            Ok(Moved::NotOpen) => self.copy_over(mirror, listed.job()).await,
            Err(error) => Err(error),
        };
        if let Err(error) = mirrored {
            self.let_go_of_target(mirror).await;
            return Err(error);
        }
        Ok(HostReply::Done)
    }

    async fn mirror_live(
        &self,
        mirror: &MirrorRequest,
        target: &DiskSource,
        job: &Job,
    ) -> Result<Moved, CommandError> {
        let disk = DiskIndex(mirror.userdevice);
        let progress = job.clone();
        let copying = self.inner.hypervisor.mirror_disk(
            mirror.vm,
            disk,
            target,
            Arc::new(move |permille| progress.advance(permille)),
        );
        let mut copying = std::pin::pin!(copying);
        let moved = tokio::select! {
            moved = &mut copying => moved,
            () = job.cancelled() => {
                self.inner.hypervisor.merge_abort(mirror.vm, disk).await?;
                copying.await
            }
        };
        Ok(moved?)
    }

    /// For a hypervisor whose domains open no images, as simulated ones do: nobody writes it, so the blank volume gives way
    /// to a copy.
    async fn copy_over(&self, mirror: &MirrorRequest, job: &Job) -> Result<(), CommandError> {
        let (from, to) = (self.plugged(mirror.from.sr)?, self.plugged(mirror.to.sr)?);
        let blank = to.stat(&mirror.to.location).await.map_err(convert::storage)?;
        let uuid = blank
            .uuid
            .ok_or_else(|| convert::bad_spec(format!("{} has no uuid", mirror.to.location)))?;
        let opened = from
            .resolve(&mirror.from.location, Access::Read)
            .await
            .map_err(convert::storage)?;
        to.release(&mirror.to.location).await.map_err(convert::storage)?;
        to.destroy_volume(&mirror.to.location)
            .await
            .map_err(convert::storage)?;
        let new = NewVolume {
            uuid,
            virtual_size: blank.virtual_size,
            content: Content::CopyOf(opened),
            format: None,
        };
        to.create_volume(&new, job).await.map_err(convert::storage)?;
        to.resolve(&mirror.to.location, Access::Write)
            .await
            .map_err(convert::storage)?;
        Ok(())
    }

    pub(crate) async fn pivot_disk(&self, mirror: &MirrorRequest) -> Outcome {
        if self.has_gone_over(mirror).await {
            return Ok(HostReply::Done);
        }
        let (vm, disk) = (mirror.vm, DiskIndex(mirror.userdevice));
        let target = self
            .plugged(mirror.to.sr)?
            .resolve(&mirror.to.location, Access::Write)
            .await
            .map_err(convert::storage)?;
        self.inner.hypervisor.pivot_disk(vm, disk, &target).await?;
        let noted = async {
            let sources = [(disk, target)];
            self.inner
                .holdings
                .change(vm, |spec| have_sources(spec, &sources))
                .await?;
            self.inner
                .holdings
                .hold(vm, mirror.userdevice, mirror.to.clone())
                .await
        };
        noted
            .await
            .map_err(|error| convert::files("note a volume", &error))?;
        self.let_go_of_target(mirror).await;
        if self.inner.holdings.user_of_volume(&mirror.from).await.is_none() {
            self.release(&mirror.from).await;
        }
        Ok(HostReply::Done)
    }

    pub(crate) async fn end_mirror(&self, mirror: &MirrorRequest) -> Outcome {
        if self.has_gone_over(mirror).await {
            // Too late: nothing is under way any more.
            return Ok(HostReply::Done);
        }
        if self.inner.hypervisor.state(mirror.vm).await?.is_some() {
            let disk = DiskIndex(mirror.userdevice);
            self.inner.hypervisor.merge_abort(mirror.vm, disk).await?;
        }
        self.let_go_of_target(mirror).await;
        Ok(HostReply::Done)
    }
}
