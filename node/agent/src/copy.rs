//! Content of one volume written over another.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use node_commands::{CommandError, CommandErrorKind, VolumeRef};
use node_images::nbd::NbdDisk;
use node_images::{Disk, ImageError, Watch, copy};
use node_storage::{Access, Job, StorageError};
use proto_types::ApiError;
use tokio::process::Child;
use uuid::Uuid;

use crate::agent::Agent;
use crate::convert;
use crate::operations::Outcome;
use crate::storage::busy;
use crate::tunnel_ends::{ServedVolume, Serving};

/// How long a server may take to end once its client has gone.
const ENDING: Duration = Duration::from_secs(10);

/// A volume that is open for a copy.
struct Opened {
    volume: VolumeRef,
    disk: Arc<NbdDisk>,
    child: Child,
    _served: Serving,
}

/// Tells a job how far a copy is.
struct Progress {
    job: Job,
    total: u64,
    moved: AtomicU64,
}

#[async_trait]
impl Watch for Progress {
    async fn moved(&self, bytes: u64) -> Result<(), ImageError> {
        let moved = self
            .moved
            .fetch_add(bytes, Ordering::Relaxed)
            .saturating_add(bytes);
        let permille = u128::from(moved) * 1000 / u128::from(self.total.max(1));
        self.job.advance(u32::try_from(permille).unwrap_or(1000).min(999));
        Ok(())
    }
}

impl Agent {
    /// Writes what a volume holds over another one.
    pub(crate) async fn volume_copy_into(
        &self,
        source: &VolumeRef,
        target: &VolumeRef,
        base: Option<&VolumeRef>,
        job: Uuid,
    ) -> Outcome {
        for volume in [Some(source), Some(target), base].into_iter().flatten() {
            self.until_not_served(volume).await;
        }
        if let Some(vm) = self.inner.holdings.user_of_volume(target).await {
            return Err(busy(format!("domain {vm} of this host has the volume open")));
        }
        let listed = self.inner.jobs.begin(job);
        let mut open = Vec::new();
        let copied = self
            .copy_between(&mut open, (source, target, base), listed.job())
            .await;
        for opened in open {
            self.close(opened).await;
        }
        copied?;
        self.volume_stat(target).await
    }

    async fn copy_between(
        &self,
        open: &mut Vec<Opened>,
        (source, target, base): (&VolumeRef, &VolumeRef, Option<&VolumeRef>),
        job: &Job,
    ) -> Result<(), CommandError> {
        let from = self.open_for_copy(open, source, Access::Read).await?;
        let to = self.open_for_copy(open, target, Access::Write).await?;
        let base: Option<Arc<dyn Disk>> = match base {
            Some(base) => Some(self.open_for_copy(open, base, Access::Read).await?),
            None => None,
        };
        let progress = Progress {
            job: job.clone(),
            total: from.size(),
            moved: AtomicU64::new(0),
        };
        tokio::select! {
            copied = copy::copy(from, to, base, &progress) => copied.map_err(failed),
            () = job.cancelled() => Err(convert::storage(StorageError::Cancelled { operation: "copy" })),
        }
    }

    async fn open_for_copy(
        &self,
        open: &mut Vec<Opened>,
        volume: &VolumeRef,
        access: Access,
    ) -> Result<Arc<NbdDisk>, CommandError> {
        // Also where it is open already, as source and base may be one and the same: a server has one client.
        let ServedVolume {
            stream,
            child,
            served,
        } = self.serve_volume(volume, access).await?;
        let disk = match NbdDisk::open(stream).await {
            Ok(disk) => Arc::new(disk),
            Err(error) => {
                drop(child);
                self.release_unless_held(volume).await;
                return Err(convert::files("open a volume", &error));
            }
        };
        open.push(Opened {
            volume: volume.clone(),
            disk: Arc::clone(&disk),
            child,
            _served: served,
        });
        Ok(disk)
    }

    /// Waits for the server's end, so that whoever opens the volume next does not find it locked.
    async fn close(&self, opened: Opened) {
        let Opened {
            volume,
            disk,
            mut child,
            _served,
        } = opened;
        drop(disk);
        if tokio::time::timeout(ENDING, child.wait()).await.is_err() {
            tracing::warn!(sr = %volume.sr, location = volume.location, "the server of a volume is ended");
            let _ = child.kill().await;
        }
        self.release_unless_held(&volume).await;
    }
}

fn failed(error: ImageError) -> CommandError {
    let api = ApiError::new("VDI_IO_ERROR", ["Device I/O error"]);
    let text = match &error {
        ImageError::Disk(source) => format!("{error}: {source}"),
        _ => error.to_string(),
    };
    CommandError::api(CommandErrorKind::Storage, api, text)
}
