//! Repositories of files on a file system that is mounted for them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use node_hypervisor::DiskSource;
use proto_types::Bytes;
use tokio::time::sleep;
use uuid::Uuid;

use crate::driver::{
    Access, DeviceConfig, Merge, Merged, NewVolume, PluggedSr, SrScan, SrSpace, Tracking, Volume,
};
use crate::error::{Result, StorageError};
use crate::job::Job;
use crate::tool;

#[cfg(test)]
mod test;

/// Where they are mounted, the same on all hosts of a pool, since domains take paths along.
pub const ROOT: &str = "/run/sr-mount";

/// How long a mount may stay busy that nobody of the repository holds any more: a process that is just being forked
/// holds its parent's files until it runs its program, and a killed one until it is gone.
const BUSY: Duration = Duration::from_secs(10);
/// How long is waited between two tries, at first and at most.
const PAUSE: Duration = Duration::from_millis(20);
const LONG_PAUSE: Duration = Duration::from_millis(500);

/// A file system and where it goes.
#[derive(Clone, Debug)]
pub struct Mount {
    /// The type of repository, for errors.
    pub kind: &'static str,
    /// What `mount -t` is told.
    pub file_system: &'static str,
    /// Device, or server and path.
    pub source: String,
    /// Options, separated by commas.
    pub options: String,
    /// The folder.
    pub at: PathBuf,
    /// How long mounting may take.
    pub deadline: Duration,
}

/// What is mounted at a folder, if something is.
fn mounted_at(at: &Path) -> Result<Option<String>> {
    let file = "/proc/self/mountinfo";
    let text = std::fs::read_to_string(file).map_err(|e| StorageError::io("read", file, e))?;
    let at = at.to_string_lossy();
    // Fields: id parent device root mount-point options [optional]* - type source super-options
    Ok(text.lines().rev().find_map(|line| {
        let mut fields = line.split(' ');
        (fields.nth(4)? == at).then(|| {
            fields
                .skip_while(|f| *f != "-")
                .nth(2)
                .unwrap_or_default()
                .to_owned()
        })
    }))
}

/// Whether `umount` failed since somebody holds a file below. It has one exit code for all failures, and its words are
/// those of the C locale.
fn is_busy(error: &StorageError) -> bool {
    matches!(error, StorageError::Tool { message, .. } if message.contains("busy"))
}

impl Mount {
    fn failed(&self, error: &StorageError) -> StorageError {
        StorageError::NotMounted {
            kind: self.kind,
            what: self.source.clone(),
            reason: error.chain(),
        }
    }

    /// Mounts it, unless it is.
    pub async fn mount(&self) -> Result<()> {
        match mounted_at(&self.at)? {
            Some(source) if source == self.source => return Ok(()),
            Some(source) => {
                return Err(StorageError::NotMounted {
                    kind: self.kind,
                    what: self.source.clone(),
                    reason: format!("{source} is mounted at {:?} already", self.at),
                });
            }
            None => {}
        }
        std::fs::create_dir_all(&self.at).map_err(|e| StorageError::io("make folder", &self.at, e))?;
        let at = self.at.to_string_lossy().into_owned();
        let options = self.options.as_str();
        let args = [
            "-t",
            self.file_system,
            "-o",
            options,
            self.source.as_str(),
            at.as_str(),
        ];
        match tool::run("mount", args, self.deadline).await {
            Ok(_) => Ok(()),
            Err(error) => {
                let _ = std::fs::remove_dir(&self.at);
                Err(self.failed(&error))
            }
        }
    }

    /// Unmounts it; one that is not mounted is unmounted. A busy one is tried again for ten seconds.
    ///
    /// # Errors
    /// [`StorageError::StillMounted`] if somebody holds it longer than that; it is mounted still then.
    pub async fn unmount(&self) -> Result<()> {
        self.unmount_within(BUSY).await
    }

    async fn unmount_within(&self, busy: Duration) -> Result<()> {
        let since = Instant::now();
        let mut pause = PAUSE;
        let at = self.at.to_string_lossy().into_owned();
        while mounted_at(&self.at)?.is_some() {
            match tool::run("umount", [at.as_str()], self.deadline).await {
                Ok(_) => {}
                Err(error) if is_busy(&error) && since.elapsed() < busy => {
                    sleep(pause).await;
                    pause = pause.saturating_mul(2).min(LONG_PAUSE);
                }
                Err(error) => {
                    return Err(StorageError::StillMounted {
                        kind: self.kind,
                        what: self.source.clone(),
                        reason: error.chain(),
                    });
                }
            }
        }
        let _ = std::fs::remove_dir(&self.at);
        Ok(())
    }

    /// Does something while it is mounted, and unmounts it whatever comes of that.
    pub async fn during<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.mount().await?;
        let answer = work.await;
        let unmounted = self.unmount().await;
        let answer = answer?;
        unmounted?;
        Ok(answer)
    }
}

/// The configuration of the folder in which the files are.
pub fn folder(at: &Path) -> DeviceConfig {
    DeviceConfig::of("location", at.to_string_lossy())
}

/// A repository of files that is unmounted when it is unplugged.
pub struct Mounted {
    /// The files.
    pub inner: Arc<dyn PluggedSr>,
    /// Below them.
    pub mount: Mount,
}

#[async_trait]
impl PluggedSr for Mounted {
    fn sr(&self) -> Uuid {
        self.inner.sr()
    }

    async fn unplug(&self) -> Result<()> {
        self.inner.unplug().await?;
        self.mount.unmount().await
    }

    async fn space(&self) -> Result<SrSpace> {
        self.inner.space().await
    }

    async fn scan(&self) -> Result<SrScan> {
        self.inner.scan().await
    }

    async fn stat(&self, location: &str) -> Result<Volume> {
        self.inner.stat(location).await
    }

    async fn create_volume(&self, new: &NewVolume, job: &Job) -> Result<Volume> {
        self.inner.create_volume(new, job).await
    }

    async fn resize(&self, location: &str, virtual_size: Bytes) -> Result<Volume> {
        self.inner.resize(location, virtual_size).await
    }

    async fn prepare_online_resize(&self, location: &str, virtual_size: Bytes) -> Result<()> {
        self.inner.prepare_online_resize(location, virtual_size).await
    }

    async fn destroy_volume(&self, location: &str) -> Result<()> {
        self.inner.destroy_volume(location).await
    }

    async fn resolve(&self, location: &str, access: Access) -> Result<DiskSource> {
        self.inner.resolve(location, access).await
    }

    async fn release(&self, location: &str) -> Result<()> {
        self.inner.release(location).await
    }

    async fn push_layer(&self, location: &str) -> Result<DiskSource> {
        self.inner.push_layer(location).await
    }

    async fn resolve_scratch(&self, location: &str) -> Result<DiskSource> {
        self.inner.resolve_scratch(location).await
    }

    async fn snapshot_below(&self, location: &str, uuid: Uuid) -> Result<Volume> {
        self.inner.snapshot_below(location, uuid).await
    }

    async fn pop_layer(&self, location: &str) -> Result<()> {
        self.inner.pop_layer(location).await
    }

    async fn merges(&self) -> Result<Vec<Merge>> {
        self.inner.merges().await
    }

    async fn begin_merge(&self, top: &str, base: &str) -> Result<(DiskSource, DiskSource)> {
        self.inner.begin_merge(top, base).await
    }

    async fn copy_down(&self, top: &str, base: &str, job: &Job) -> Result<()> {
        self.inner.copy_down(top, base, job).await
    }

    async fn end_merge(&self, top: &str, outcome: Merged) -> Result<()> {
        self.inner.end_merge(top, outcome).await
    }

    async fn track(&self, location: &str, tracking: Tracking) -> Result<()> {
        self.inner.track(location, tracking).await
    }

    async fn destroy_data(&self, location: &str) -> Result<()> {
        self.inner.destroy_data(location).await
    }

    async fn changed_blocks(&self, from: &str, to: &str) -> Result<Vec<u8>> {
        self.inner.changed_blocks(from, to).await
    }

    async fn check(&self, location: &str) -> Result<()> {
        self.inner.check(location).await
    }
}
