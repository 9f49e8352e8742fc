//! A plugged folder: its lock, its images, and how blocking work on it is bounded.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use node_hypervisor::{DiskFormat, DiskSource};
use proto_types::Bytes;
use tokio::sync::OwnedMutexGuard;
use uuid::Uuid;

use super::header::{Cache, Image};
use super::layout::{LOCK, Listing, MERGING, Name, PRIVATE};
use super::{DEADLINE, header, marker};
use crate::error::{Result, StorageError};
use crate::gate::Gate;
use crate::image::ImageTool;
use crate::medium::{Held, ImageAt, Medium, Site};

/// Limits of a folder, and hooks for tests.
#[derive(Clone, Debug)]
pub struct FolderOptions {
    /// How long one blocking call may take.
    pub deadline: Duration,
    /// How long to wait for the repository's lock; less than `deadline`.
    pub lock_wait: Duration,
    /// How many blocking calls may be under way, hung ones included.
    pub threads: usize,
    /// How long it may take until a finished image is on the medium.
    pub flush: Duration,
    /// Told of each step of each operation.
    pub steps: Steps,
}

impl Default for FolderOptions {
    fn default() -> FolderOptions {
        FolderOptions {
            deadline: DEADLINE,
            lock_wait: Duration::from_secs(20),
            threads: 16,
            flush: Duration::from_secs(600),
            steps: Steps::default(),
        }
    }
}

/// Told of each step of each operation, so that tests can kill the process between any two.
#[derive(Clone, Default)]
pub struct Steps(Option<Arc<dyn Fn(&'static str) + Send + Sync>>);

impl Steps {
    /// Steps that call `hook` with their name.
    pub fn calling(hook: impl Fn(&'static str) + Send + Sync + 'static) -> Steps {
        Steps(Some(Arc::new(hook)))
    }

    pub(super) fn reached(&self, step: &'static str) {
        if let Some(hook) = &self.0 {
            hook(step);
        }
    }
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Steps(hooked)"
        } else {
            "Steps"
        })
    }
}

/// A plugged folder. Clones are the same one.
#[derive(Clone)]
pub struct Folder(Arc<Inner>);

struct Inner {
    sr: Uuid,
    site: Site,
    gate: Gate,
    images: ImageTool,
    options: FolderOptions,
    closed: AtomicBool,
    mutex: Arc<tokio::sync::Mutex<()>>,
    cache: Mutex<Cache>,
    merges: Mutex<BTreeMap<String, Held>>,
}

/// The lock of a folder against this process and all others. It is given up when the last holder is gone: every
/// blocking call made under it holds it too, so that one which outlives its caller never runs without the lock.
#[derive(Clone)]
pub struct FolderLock {
    folder: Folder,
    _held: Arc<HeldLock>,
}

struct HeldLock {
    file: Option<Held>,
    _order: OwnedMutexGuard<()>,
}

impl Drop for HeldLock {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            // Unlocking on a dead server may hang; the caller's thread must not.
            let _ = std::thread::Builder::new()
                .name("sr-unlock".to_owned())
                .spawn(move || drop(file));
        }
    }
}

impl Folder {
    /// A folder whose marker has been verified.
    pub fn new(sr: Uuid, site: Site, gate: Gate, images: ImageTool, options: FolderOptions) -> Folder {
        Folder(Arc::new(Inner {
            sr,
            site,
            gate,
            images,
            options,
            closed: AtomicBool::new(false),
            mutex: Arc::default(),
            cache: Mutex::default(),
            merges: Mutex::default(),
        }))
    }

    /// The repository's uuid.
    pub fn sr(&self) -> Uuid {
        self.0.sr
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0.site.path
    }

    /// The folder on its medium.
    pub(super) fn site(&self) -> &Site {
        &self.0.site
    }

    pub(super) fn medium(&self) -> &dyn Medium {
        &*self.0.site.medium
    }

    /// What qemu-img calls a file.
    pub(super) fn qemu_name(&self, path: &Path) -> String {
        self.medium().qemu_name(path)
    }

    /// How overlays of the folder name a parent.
    pub(super) fn backing_name(&self, parent: &Name) -> String {
        let path = self.path();
        self.medium().backing_name(path, &path.join(parent.file()))
    }

    fn at(&self, chain: &[Image]) -> impl Iterator<Item = ImageAt> {
        chain
            .iter()
            .map(|image| (self.path().join(image.name.file()), image.name.format().into()))
    }

    /// Makes a file ready to be written by a domain.
    pub(super) fn make_room(&self, path: &Path, format: DiskFormat, size: Bytes) -> Result<()> {
        self.medium()
            .make_room(path, format, size)
            .map_err(|e| StorageError::io("lengthen", path, e))
    }

    /// How QEMU opens an image and its parents.
    pub(super) fn source_of(&self, chain: &[Image]) -> DiskSource {
        let chain: Vec<ImageAt> = self.at(chain).collect();
        self.medium().source(&chain)
    }

    /// How QEMU opens a new overlay on an image.
    pub(super) fn source_on(&self, overlay: PathBuf, chain: &[Image]) -> DiskSource {
        let mut all = vec![(overlay, DiskFormat::Qcow2)];
        all.extend(self.at(chain));
        self.medium().source(&all)
    }

    pub(super) fn images(&self) -> &ImageTool {
        &self.0.images
    }

    pub(super) fn gate(&self) -> &Gate {
        &self.0.gate
    }

    pub(super) fn options(&self) -> &FolderOptions {
        &self.0.options
    }

    pub(super) fn reached(&self, step: &'static str) {
        self.0.options.steps.reached(step);
    }

    /// Refuses everything from now on.
    pub(super) fn close(&self) {
        self.0.closed.store(true, Ordering::Release);
    }

    /// Refuses if unplugged.
    pub(super) fn check_open(&self) -> Result<()> {
        if self.0.closed.load(Ordering::Acquire) {
            return Err(StorageError::NotPlugged { sr: self.0.sr });
        }
        Ok(())
    }

    /// Runs blocking work without the lock, after seeing that the medium is there.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Folder) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.check_open()?;
        let folder = self.clone();
        self.0
            .gate
            .run(operation, move || {
                marker::verify(folder.site(), folder.0.sr)?;
                work(&folder)
            })
            .await
    }

    /// Takes the lock, after seeing that the medium is there.
    pub(super) async fn lock(&self) -> Result<FolderLock> {
        self.check_open()?;
        let (sr, after) = (self.0.sr, self.0.options.lock_wait);
        let order = tokio::time::timeout(after, Arc::clone(&self.0.mutex).lock_owned())
            .await
            .map_err(|_| StorageError::Locked { sr, after })?;
        let site = self.0.site.clone();
        let held = self
            .0
            .gate
            .run("lock repository", move || {
                marker::verify(&site, sr)?;
                let file = site.path.join(PRIVATE).join(LOCK);
                site.medium
                    .take(&file, after)
                    .map_err(|e| StorageError::io("lock", file, e))?
                    .ok_or(StorageError::Locked { sr, after })
            })
            .await?;
        Ok(FolderLock {
            folder: self.clone(),
            _held: Arc::new(HeldLock {
                file: Some(held),
                _order: order,
            }),
        })
    }

    /// Looks at one file by its name; `None` if it is not there.
    pub(super) fn inspect(&self, name: &Name) -> Result<Option<Image>> {
        match header::inspect(&self.0.site, name, &self.0.cache) {
            Ok(image) => Ok(Some(image)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StorageError::io("read", self.path().join(name.file()), error)),
        }
    }

    /// Looks at one file again whose header has just been written.
    pub(super) fn inspect_anew(&self, name: &Name) -> Result<Option<Image>> {
        header::forget(&self.0.cache, name);
        self.inspect(name)
    }

    /// The names in the folder.
    pub(super) fn listing(&self) -> Result<Listing> {
        Ok(Listing::new(
            marker::list(self.site())?,
            marker::gone(self.site())?,
        ))
    }

    /// The image to which a location leads.
    pub(super) fn find(&self, location: &str) -> Result<Option<Image>> {
        if let Some(name) = Name::foreign(location) {
            // Nothing else of the folder bears on an image from elsewhere.
            return self.inspect(&name);
        }
        let listing = self.listing()?;
        let Some(name) = listing.find(location) else {
            return Ok(None);
        };
        Ok(self.inspect(&name)?.map(|image| Image {
            hidden: listing.is_hidden(&name),
            ..image
        }))
    }

    /// The image to which a location leads, with all its parents there and fit to be opened.
    pub(super) fn find_usable(&self, location: &str) -> Result<Image> {
        let chain = self.find_chain(location)?;
        chain.into_iter().next().ok_or_else(|| absent(location))
    }

    /// The same with its parents, downwards.
    pub(super) fn find_chain(&self, location: &str) -> Result<Vec<Image>> {
        self.chain_of(self.find(location)?.ok_or_else(|| absent(location))?)
    }

    /// An image and its parents, all there and fit to be opened.
    pub(super) fn chain_of(&self, image: Image) -> Result<Vec<Image>> {
        let location = image.name.location();
        let damaged = |reason: String| StorageError::Damaged {
            location: location.clone(),
            reason,
        };
        let listing = if image.parent.is_some() {
            self.listing()?
        } else {
            Listing::default()
        };
        let (mut at, mut chain) = (image, Vec::new());
        loop {
            if let Some(problem) = at.problem {
                return Err(damaged(problem));
            }
            let parent = at.parent.clone();
            chain.push(at);
            let Some(parent) = parent else {
                return Ok(chain);
            };
            if chain.len() > header::DEEPEST {
                return Err(damaged("its chain of parents has no end".to_owned()));
            }
            if !listing.is_hidden(&parent) {
                return Err(damaged(format!(
                    "its backing file {} is no parent of this repository",
                    parent.file()
                )));
            }
            at = self
                .inspect(&parent)?
                .ok_or_else(|| damaged(format!("its parent {} is missing", parent.file())))?;
        }
    }

    fn merge_lock(&self, top: &str) -> PathBuf {
        self.path().join(PRIVATE).join(format!("{MERGING}{top}"))
    }

    /// Says to all that this process is at a merge. May be repeated.
    pub(super) fn hold_merge(&self, top: &str) -> Result<()> {
        let mut merges = self.0.merges.lock().unwrap_or_else(PoisonError::into_inner);
        if merges.contains_key(top) {
            return Ok(());
        }
        let path = self.merge_lock(top);
        match self.medium().make(&path) {
            Ok(Some(held)) => {
                merges.insert(top.to_owned(), held);
                Ok(())
            }
            Ok(None) => Err(StorageError::VolumeInUse {
                location: top.to_owned(),
            }),
            Err(error) => Err(StorageError::io("lock", path, error)),
        }
    }

    /// Whether nobody is at a merge any more of which there is a note.
    pub(super) fn is_merge_abandoned(&self, top: &str) -> Result<bool> {
        let path = self.merge_lock(top);
        match self.medium().take(&path, Duration::ZERO) {
            Ok(held) => Ok(held.is_some()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
            Err(error) => Err(StorageError::io("lock", path, error)),
        }
    }

    /// Says that this process is no longer at a merge.
    pub(super) fn drop_merge(&self, top: &str) {
        self.0
            .merges
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(top);
        // One that stays is an empty file without meaning.
        let _ = self.medium().remove(&self.merge_lock(top));
    }

    /// Every image of the folder, in the order of names.
    pub(super) fn collect(&self) -> Result<Vec<Image>> {
        let listing = self.listing()?;
        header::forget_others(&self.0.cache, &listing.names);
        let mut images = Vec::with_capacity(listing.names.len());
        for name in &listing.names {
            images.extend(self.inspect(name)?.map(|image| Image {
                hidden: listing.is_hidden(name),
                ..image
            }));
        }
        Ok(images)
    }
}

fn absent(location: &str) -> StorageError {
    StorageError::NoSuchVolume {
        location: location.to_owned(),
    }
}

impl FolderLock {
    /// The folder that is locked.
    pub(super) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Runs blocking work that keeps the lock until it has ended, even if nobody waits for it any more.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Folder) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let lock = self.clone();
        self.folder
            .gate()
            .run(operation, move || work(lock.folder()))
            .await
    }
}
