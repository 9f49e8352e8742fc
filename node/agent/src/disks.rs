//! Disks of domains: volumes are opened here, and given back when the last domain lets go.

use node_commands::{CommandError, DiskRequest, HostReply, VolumeRef};
use node_hypervisor::{DiskIndex, DiskKind, DiskSource, DiskSpec, DomainSpec};
use node_storage::Access;
use uuid::Uuid;

use crate::agent::{Agent, done};
use crate::convert;
use crate::operations::Outcome;

/// A serial number for the guest, from the volume's location: virtio shows 20 bytes.
fn serial(volume: &VolumeRef) -> String {
    volume
        .location
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(20)
        .collect()
}

/// Gives disks of a spec other sources.
pub(crate) fn have_sources(spec: &mut DomainSpec, sources: &[(DiskIndex, DiskSource)]) {
    for disk in &mut spec.disks {
        if let Some((_, source)) = sources.iter().find(|(index, _)| *index == disk.index) {
            disk.source = source.clone();
        }
    }
}

impl Agent {
    /// Opens a disk's volume for a domain, notes that, and says how the hypervisor reaches it.
    pub(crate) async fn open_disk(&self, vm: Uuid, disk: &DiskRequest) -> Result<DiskSpec, CommandError> {
        let index = DiskIndex(disk.userdevice);
        let Some(volume) = &disk.volume else {
            if disk.kind == DiskKind::Disk {
                return Err(convert::bad_spec(format!("{index} has no volume")));
            }
            return Ok(DiskSpec::cdrom(index, DiskSource::Empty));
        };
        let read_only = disk.read_only || disk.kind == DiskKind::Cdrom;
        let access = if read_only { Access::Read } else { Access::Write };
        let mut source = self.open_volume(vm, disk.userdevice, volume, access).await?;
        if disk.reset && !read_only {
            source = self.scratch(vm, index, volume).await?;
        }
        Ok(match disk.kind {
            DiskKind::Cdrom => DiskSpec::cdrom(index, source),
            DiskKind::Disk => DiskSpec {
                read_only,
                shareable: disk.shareable,
                on_error: disk.on_error,
                ..DiskSpec::disk(index, source, serial(volume))
            },
        })
    }

    /// What takes the writes of a domain that are thrown away with it; a domain that is here keeps what it has.
    async fn scratch(
        &self,
        vm: Uuid,
        index: DiskIndex,
        volume: &VolumeRef,
    ) -> Result<DiskSource, CommandError> {
        if self.inner.hypervisor.state(vm).await?.is_some()
            && let Some(spec) = self.inner.holdings.of(vm).await.and_then(|held| held.spec)
            && let Some(disk) = spec.disks.iter().find(|disk| disk.index == index)
        {
            return Ok(disk.source.clone());
        }
        self.plugged(volume.sr)?
            .resolve_scratch(&volume.location)
            .await
            .map_err(convert::storage)
    }

    async fn open_volume(
        &self,
        vm: Uuid,
        disk: u16,
        volume: &VolumeRef,
        access: Access,
    ) -> Result<DiskSource, CommandError> {
        let sr = self.inner.storage.get(volume.sr).map_err(convert::storage)?;
        self.until_not_served(volume).await;
        // Noted before it is opened: a crash between the two leaves a note too much, which the next start clears.
        self.inner
            .holdings
            .hold(vm, disk, volume.clone())
            .await
            .map_err(|error| convert::files("note a volume", &error))?;
        sr.resolve(&volume.location, access)
            .await
            .map_err(convert::storage)
    }

    /// Gives a volume back to its repository. What fails is logged: the volume is closed with its repository at last.
    pub(crate) async fn release(&self, volume: &VolumeRef) {
        let Ok(sr) = self.inner.storage.get(volume.sr) else {
            return;
        };
        if let Err(error) = sr.release(&volume.location).await {
            tracing::warn!(sr = %volume.sr, location = volume.location, error = error.chain(), "a volume was not released");
        }
    }

    /// Gives back all that a domain held.
    pub(crate) async fn release_domain(&self, vm: Uuid) {
        if let Some(spec) = self.inner.holdings.of(vm).await.and_then(|holding| holding.spec) {
            self.forget_policies(&spec.nics).await;
        }
        for volume in self.inner.holdings.drop_domain(vm).await {
            self.release(&volume).await;
        }
        self.inner.known.remove(vm);
    }

    /// Gives back all that a domain held, unless it is here; an unclear answer of the hypervisor counts as here.
    pub(crate) async fn release_if_absent(&self, vm: Uuid) {
        if matches!(self.inner.hypervisor.state(vm).await, Ok(None)) && !self.inner.migrations.expects(vm) {
            self.release_domain(vm).await;
        }
    }

    async fn release_disk(&self, vm: Uuid, disk: u16) {
        if let Some(volume) = self.inner.holdings.drop_disk(vm, disk).await {
            self.release(&volume).await;
        }
    }

    pub(crate) async fn attach_disk(&self, vm: Uuid, disk: &DiskRequest) -> Outcome {
        let held = self
            .inner
            .holdings
            .of(vm)
            .await
            .and_then(|h| h.disks.get(&disk.userdevice).cloned());
        if held.is_some() && held != disk.volume {
            // Opening would overwrite the note of the one that is there.
            return Err(CommandError::from(
                node_hypervisor::HypervisorError::DeviceExists {
                    vm,
                    device: DiskIndex(disk.userdevice).to_string(),
                },
            ));
        }
        let spec = match self.open_disk(vm, disk).await {
            Ok(spec) => spec,
            Err(error) => {
                if held.is_none() {
                    self.release_disk(vm, disk.userdevice).await;
                }
                return Err(error);
            }
        };
        match self.inner.hypervisor.attach_disk(vm, &spec).await {
            Ok(()) => {
                self.note(vm, |made| {
                    made.disks.retain(|there| there.index != spec.index);
                    made.disks.push(spec);
                })
                .await;
                Ok(HostReply::Done)
            }
            Err(error) => {
                // After a time-out it may be attached, and stays noted.
                if held.is_none() && !error.is_retryable() {
                    self.release_disk(vm, disk.userdevice).await;
                }
                Err(error.into())
            }
        }
    }

    pub(crate) async fn detach_disk(&self, vm: Uuid, userdevice: u16) -> Outcome {
        self.inner
            .hypervisor
            .detach_disk(vm, DiskIndex(userdevice))
            .await?;
        self.note(vm, |spec| spec.disks.retain(|disk| disk.index.0 != userdevice))
            .await;
        self.release_disk(vm, userdevice).await;
        Ok(HostReply::Done)
    }

    pub(crate) async fn change_media(&self, vm: Uuid, userdevice: u16, volume: Option<VolumeRef>) -> Outcome {
        let before = self.inner.holdings.drop_disk(vm, userdevice).await;
        let source = match &volume {
            Some(volume) => self.open_volume(vm, userdevice, volume, Access::Read).await?,
            None => DiskSource::Empty,
        };
        let answer = self
            .inner
            .hypervisor
            .change_media(vm, DiskIndex(userdevice), &source)
            .await;
        if answer.is_ok() {
            let sources = [(DiskIndex(userdevice), source)];
            self.note(vm, |spec| have_sources(spec, &sources)).await;
        }
        match (&answer, before) {
            (Ok(()), Some(before)) if Some(&before) != volume.as_ref() => self.release(&before).await,
            (Err(_), Some(before)) => {
                // The old medium is still in.
                if let Err(error) = self.inner.holdings.hold(vm, userdevice, before).await {
                    tracing::warn!(%vm, %error, "what a domain holds was not written");
                }
            }
            _ => {}
        }
        done(answer)
    }
}
