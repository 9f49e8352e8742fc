//! Volumes of a plugged folder.

use async_trait::async_trait;
use node_hypervisor::{DiskFormat, DiskSource};
use proto_types::Bytes;
use uuid::Uuid;

use super::folder::{Folder, FolderLock};
use super::header::Image;
use super::layout::{Format, Name};
use super::operation::Operation;
use super::removal::{self, Remains};
use super::{layers, merge, scan, tracking, tree};
use crate::driver::{
    Access, Content, Merge, Merged, NewVolume, PluggedSr, SrScan, SrSpace, Tracking, Volume,
};
use crate::error::{Result, StorageError};
use crate::image::ImageTool;
use crate::job::Job;
use crate::medium::OpenBy;
use crate::qcow2;

/// A plugged folder.
pub struct FileSr {
    folder: Folder,
}

/// Sizes are whole sectors, as every guest expects.
const SECTOR: u64 = 512;
/// The most that qcow2 addresses with usual clusters.
const LARGEST: u64 = 1 << 50;

impl FileSr {
    pub(super) fn new(folder: Folder) -> FileSr {
        FileSr { folder }
    }

    fn images(&self) -> &ImageTool {
        self.folder.images()
    }

    /// The volume that an earlier call with that uuid made.
    async fn existing(lock: &FolderLock, new: &NewVolume) -> Result<Option<Volume>> {
        let (uuid, least) = (new.uuid, new.virtual_size);
        lock.run("look for volume", move |folder| {
            match folder.find(&uuid.to_string())? {
                None => Ok(None),
                Some(image) if image.hidden || image.virtual_size < least => {
                    Err(StorageError::VolumeExists {
                        uuid,
                        size: image.virtual_size,
                    })
                }
                Some(image) => Ok(Some(image.volume())),
            }
        })
        .await
    }

    /// Makes a volume that begins with the content of another one, by reference where that is possible.
    async fn clone_volume(&self, from: &str, new: &NewVolume, job: &Job) -> Result<Volume> {
        let lock = self.folder.lock().await?;
        if let Some(volume) = FileSr::existing(&lock, new).await? {
            return Ok(volume);
        }
        match tree::thin_clone(&lock, from, new.uuid, new.virtual_size).await? {
            tree::Cloned::Thin(image) => {
                job.advance(1000);
                Ok(image.volume())
            }
            tree::Cloned::NeedsCopy(source) => {
                drop(lock);
                self.build(new, Some(&source), job).await
            }
        }
    }

    /// From this snapshot on the changes of a volume are counted anew, if they are.
    async fn count_anew(lock: &FolderLock, location: &str, snapshot: Uuid) -> Result<()> {
        let location = location.to_owned();
        lock.run("note snapshot", move |folder| {
            match folder.find(&snapshot.to_string())? {
                Some(image) => tracking::after_snapshot(folder, &location, &image),
                None => Ok(()),
            }
        })
        .await
    }

    async fn remove(&self, location: &str, remains: Remains) -> Result<()> {
        let owned = location.to_owned();
        let lock = self.folder.lock().await?;
        let found = FileSr::find_to_change(&lock, location).await?;
        lock.run("destroy volume", move |folder| {
            removal::remove(folder, &owned, found, remains)
        })
        .await
    }

    /// Builds a volume aside without the lock, and lets it appear under it.
    async fn build(&self, new: &NewVolume, source: Option<&DiskSource>, job: &Job) -> Result<Volume> {
        let format = match new.format {
            None | Some(DiskFormat::Qcow2) => Format::Qcow2,
            Some(DiskFormat::Raw) => Format::Raw,
            Some(DiskFormat::Vhd) => {
                return Err(StorageError::Unsupported {
                    kind: "file",
                    operation: "hold volumes in VHD format",
                });
            }
        };
        let lock = self.folder.lock().await?;
        if let Some(volume) = FileSr::existing(&lock, new).await? {
            return Ok(volume);
        }
        let operation = Operation::begin(&lock).await?;
        drop(lock);
        let name = Name::Volume(new.uuid, format);
        let format = format.into();
        let file = operation.file(&name.file());
        let called = self.folder.qemu_name(&file);
        self.folder.reached("create: begun");
        match source {
            None => {
                self.images()
                    .create(&called, format, new.virtual_size, None)
                    .await?
            }
            Some(source) => {
                self.check_source(source).await?;
                self.images().convert(source, &called, format, job).await?;
                let own = self.folder.medium().source(&[(file.clone(), format)]);
                if self.images().info(&own).await?.virtual_size < new.virtual_size.get() {
                    self.images().resize(&called, format, new.virtual_size).await?;
                }
            }
        }
        self.folder.reached("create: built");
        let (folder, flushed) = (self.folder.clone(), file.clone());
        let flush = crate::gate::Gate::new(1, self.folder.options().flush);
        let flushing = flush.run("flush volume", move || tree::sync_file(&folder, &flushed));
        tokio::select! {
            () = job.cancelled() => return Err(StorageError::Cancelled { operation: "create volume" }),
            done = flushing => done?,
        }
        self.folder.reached("create: flushed");
        let lock = self.folder.lock().await?;
        if let Some(volume) = FileSr::existing(&lock, new).await? {
            return Ok(volume);
        }
        let volume = lock
            .run("make volume", move |folder| {
                tree::publish(folder, &file, &name)?;
                folder.reached("create: visible");
                folder
                    .inspect(&name)?
                    .map(|image| image.volume())
                    .ok_or_else(|| tree::vanished(&name))
            })
            .await?;
        drop(operation);
        job.advance(1000);
        Ok(volume)
    }

    /// Refuses an image that would have QEMU open other files than itself and its neighbours.
    async fn check_source(&self, source: &DiskSource) -> Result<()> {
        let DiskSource::File {
            path,
            format: DiskFormat::Qcow2,
        } = source
        else {
            return Ok(());
        };
        let path = path.clone();
        self.folder
            .run("look at image", move |_| {
                qcow2::check_chain(&path).map_err(|error| match error.kind() {
                    std::io::ErrorKind::InvalidData => StorageError::Damaged {
                        location: path.to_string_lossy().into_owned(),
                        reason: error.to_string(),
                    },
                    _ => StorageError::io("read", path, error),
                })
            })
            .await
    }

    /// The volume for an operation that changes it, after finishing what a crash may have left half done.
    async fn find_to_change(lock: &FolderLock, location: &str) -> Result<Option<(Image, OpenBy)>> {
        let location = location.to_owned();
        lock.run("look for volume", move |folder| {
            scan::finish_replacements(folder)?;
            let Some(image) = folder.find(&location)? else {
                return Ok(None);
            };
            let by = if image.problem.is_some() {
                OpenBy::Nobody
            } else {
                tree::open_by(folder, &image.name)?
            };
            Ok(Some((image, by)))
        })
        .await
    }
}

/// Rounds up to whole sectors.
fn checked_size(location: &str, size: Bytes) -> Result<Bytes> {
    if size.get() > LARGEST {
        let reason = format!("the most is {LARGEST}");
        return Err(StorageError::BadSize {
            location: location.to_owned(),
            size,
            reason,
        });
    }
    Ok(Bytes(size.get().next_multiple_of(SECTOR)))
}

#[async_trait]
impl PluggedSr for FileSr {
    fn sr(&self) -> Uuid {
        self.folder.sr()
    }

    async fn unplug(&self) -> Result<()> {
        self.folder.close();
        Ok(())
    }

    async fn space(&self) -> Result<SrSpace> {
        self.folder
            .run("measure", |folder| scan::space(folder.site()))
            .await
    }

    async fn scan(&self) -> Result<SrScan> {
        let sr = self.sr();
        let lock = self.folder.lock().await?;
        match merge::finish(&lock).await {
            Ok(ended) if !ended.is_empty() => {
                tracing::info!(%sr, ?ended, "merges that were cut off are ended")
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%sr, error = error.chain(), "a merge that was cut off was not ended");
            }
        }
        lock.run("scan", scan::scan).await.map_err(|source| match source {
            StorageError::Io { .. } => StorageError::ScanFailed {
                sr,
                source: Box::new(source),
            },
            other => other,
        })
    }

    async fn stat(&self, location: &str) -> Result<Volume> {
        let location = location.to_owned();
        self.folder
            .run("look at volume", move |folder| {
                Ok(folder.find_usable(&location)?.volume())
            })
            .await
    }

    async fn create_volume(&self, new: &NewVolume, job: &Job) -> Result<Volume> {
        let location = new.uuid.to_string();
        let new = NewVolume {
            virtual_size: checked_size(&location, new.virtual_size)?,
            ..new.clone()
        };
        if job.is_cancelled() {
            return Err(StorageError::Cancelled {
                operation: "create volume",
            });
        }
        match &new.content {
            Content::Empty if new.virtual_size == Bytes(0) => Err(StorageError::BadSize {
                location,
                size: new.virtual_size,
                reason: "it is empty".to_owned(),
            }),
            Content::Empty => self.build(&new, None, job).await,
            Content::CopyOf(source) => self.build(&new, Some(source), job).await,
            Content::CloneOf(from) => self.clone_volume(from, &new, job).await,
            Content::SnapshotOf(from) => {
                let lock = self.folder.lock().await?;
                if FileSr::existing(&lock, &new).await?.is_none() {
                    let (source, uuid) = (from.clone(), new.uuid);
                    lock.run("note snapshot", move |folder| {
                        let top = folder.find_usable(&source)?;
                        tracking::before_snapshot(folder, &source, uuid, &top)
                    })
                    .await?;
                }
                drop(lock);
                let made = self.clone_volume(from, &new, job).await?;
                let lock = self.folder.lock().await?;
                FileSr::count_anew(&lock, from, new.uuid).await?;
                Ok(made)
            }
        }
    }

    async fn resize(&self, location: &str, virtual_size: Bytes) -> Result<Volume> {
        let size = checked_size(location, virtual_size)?;
        let owned = location.to_owned();
        let lock = self.folder.lock().await?;
        let Some((image, by)) = FileSr::find_to_change(&lock, location).await? else {
            return Err(StorageError::NoSuchVolume { location: owned });
        };
        if let Some(reason) = image.problem {
            return Err(StorageError::Damaged {
                location: owned,
                reason,
            });
        }
        if image.hidden {
            return Err(StorageError::ReadOnly { location: owned });
        }
        if size < image.virtual_size {
            let reason = format!("it has {} already, and volumes only grow", image.virtual_size);
            return Err(StorageError::BadSize {
                location: owned,
                size,
                reason,
            });
        }
        if size == image.virtual_size {
            return Ok(image.volume());
        }
        if by != OpenBy::Nobody {
            return Err(StorageError::VolumeInUse { location: owned });
        }
        let name = image.name;
        let path = self.folder.path().join(name.file());
        self.folder.reached("resize: begun");
        self.images()
            .resize(&self.folder.qemu_name(&path), name.format().into(), size)
            .await?;
        self.folder.reached("resize: done");
        lock.run("look at volume", move |folder| {
            tree::sync_file(folder, &path)?;
            folder
                .inspect_anew(&name)?
                .map(|image| image.volume())
                .ok_or_else(|| tree::vanished(&name))
        })
        .await
    }

    async fn prepare_online_resize(&self, location: &str, virtual_size: Bytes) -> Result<()> {
        let size = checked_size(location, virtual_size)?;
        let volume = self.stat(location).await?;
        if volume.read_only {
            return Err(StorageError::ReadOnly {
                location: location.to_owned(),
            });
        }
        if size < volume.virtual_size {
            let reason = format!("it has {} already, and volumes only grow", volume.virtual_size);
            return Err(StorageError::BadSize {
                location: location.to_owned(),
                size,
                reason,
            });
        }
        let owned = location.to_owned();
        self.folder
            .run("make room", move |folder| {
                let image = folder.find_usable(&owned)?;
                let path = folder.path().join(image.name.file());
                folder.make_room(&path, image.name.format().into(), size)
            })
            .await
    }

    async fn destroy_volume(&self, location: &str) -> Result<()> {
        self.remove(location, Remains::Nothing).await
    }

    async fn resolve(&self, location: &str, access: Access) -> Result<DiskSource> {
        let location = location.to_owned();
        self.folder
            .run("resolve volume", move |folder| {
                let chain = folder.find_chain(&location)?;
                if let (Access::Write, Some(image)) = (access, chain.first()) {
                    if image.hidden {
                        return Err(StorageError::ReadOnly { location });
                    }
                    let path = folder.path().join(image.name.file());
                    folder.make_room(&path, image.name.format().into(), image.virtual_size)?;
                }
                Ok(folder.source_of(&chain))
            })
            .await
    }

    async fn release(&self, _location: &str) -> Result<()> {
        // Files need nothing to be opened, so nothing is to be undone.
        self.folder.check_open()
    }

    async fn push_layer(&self, location: &str) -> Result<DiskSource> {
        let lock = self.folder.lock().await?;
        layers::push(&lock, location).await
    }

    async fn resolve_scratch(&self, location: &str) -> Result<DiskSource> {
        let lock = self.folder.lock().await?;
        layers::scratch(&lock, location).await
    }

    async fn snapshot_below(&self, location: &str, uuid: Uuid) -> Result<Volume> {
        let lock = self.folder.lock().await?;
        let new = NewVolume::empty(uuid, Bytes(0));
        let volume = match FileSr::existing(&lock, &new).await? {
            Some(volume) => volume,
            None => layers::snapshot_below(&lock, location, uuid).await?,
        };
        FileSr::count_anew(&lock, location, uuid).await?;
        Ok(volume)
    }

    async fn pop_layer(&self, location: &str) -> Result<()> {
        let location = location.to_owned();
        let lock = self.folder.lock().await?;
        lock.run("take layer back", move |folder| layers::pop(folder, &location))
            .await
    }

    async fn merges(&self) -> Result<Vec<Merge>> {
        self.folder.run("look for merges", merge::possible).await
    }

    async fn begin_merge(&self, top: &str, base: &str) -> Result<(DiskSource, DiskSource)> {
        let (top, base) = (top.to_owned(), base.to_owned());
        let lock = self.folder.lock().await?;
        lock.run("begin merge", move |folder| merge::begin(folder, &top, &base))
            .await
    }

    async fn copy_down(&self, top: &str, base: &str, job: &Job) -> Result<()> {
        merge::copy_down(&self.folder, top, base, job).await
    }

    async fn end_merge(&self, top: &str, outcome: Merged) -> Result<()> {
        let lock = self.folder.lock().await?;
        merge::end(&lock, top, outcome).await
    }

    async fn track(&self, location: &str, tracking: Tracking) -> Result<()> {
        let location = location.to_owned();
        let lock = self.folder.lock().await?;
        lock.run("track changes", move |folder| match tracking {
            Tracking::On => tracking::enable(folder, &location),
            Tracking::Off => tracking::disable(folder, &location),
        })
        .await
    }

    async fn destroy_data(&self, location: &str) -> Result<()> {
        self.remove(location, Remains::Record).await
    }

    async fn changed_blocks(&self, from: &str, to: &str) -> Result<Vec<u8>> {
        let (from, to) = (from.to_owned(), to.to_owned());
        let lock = self.folder.lock().await?;
        lock.run("compare volumes", move |folder| {
            tracking::between(folder, &from, &to)
        })
        .await
    }

    async fn check(&self, location: &str) -> Result<()> {
        let owned = location.to_owned();
        let (path, format) = self
            .folder
            .run("look for volume", move |folder| {
                let image = folder.find_usable(&owned)?;
                let path = folder.path().join(image.name.file());
                Ok((folder.qemu_name(&path), image.name.format()))
            })
            .await?;
        self.images().check(&path, format.into()).await
    }
}
