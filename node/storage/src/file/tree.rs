//! Thin clones. A volume's content moves to a hidden parent that is never written again, and the volume and its
//! clone become overlays on it:
//!
//! ```text
//!   X              X   C        X   C   D
//!            =>     \ /    or    \ / \ /     (D cloned from C: C got a parent of its own)
//!                   base         base base
//! ```
//! The order of steps makes every crash harmless: (1) both overlays are built aside; (2) the content gets its
//! second name, the parent's (a hard link: nobody writes it, X is not open); (3) the new X replaces the old name;
//! (4) the clone appears. Cut off after 2, the parent has no child and the next scan removes that name; after 3,
//! X shows the same bytes as before through its parent.

use std::io;
use std::path::Path;

use node_hypervisor::DiskSource;
use proto_types::Bytes;
use uuid::Uuid;

use super::folder::{Folder, FolderLock};
use super::header::Image;
use super::layout::{Format, Name};
use super::operation::Operation;
use super::scan;
use crate::error::{Result, StorageError};
use crate::image::Backing;
use crate::medium::OpenBy;
use crate::qcow2::Header;

/// What a clone will be built on.
enum Parent {
    /// One that exists.
    Present(Name),
    /// A new one, made from the source.
    New(Name),
    /// None: the source's name tells its format and cannot change.
    Impossible,
}

/// The end of a clone.
pub enum Cloned {
    /// Done; this is the clone.
    Thin(Image),
    /// Cannot be thin; a full copy of this must be made.
    NeedsCopy(DiskSource),
}

/// Who has an image open, as far as the file system can tell.
pub fn open_by(folder: &Folder, name: &Name) -> Result<OpenBy> {
    path_open_by(folder, &folder.path().join(name.file()))
}

/// The same of any file.
pub fn path_open_by(folder: &Folder, path: &Path) -> Result<OpenBy> {
    match folder.medium().open_by(path) {
        Ok(by) => Ok(by),
        // A medium without such locks; the pool's own records are all there is then.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {
            tracing::debug!(?path, "this file system does not tell who has an image open");
            Ok(OpenBy::Nobody)
        }
        Err(error) => Err(StorageError::io("read locks of", path, error)),
    }
}

/// Makes `clone` a thin clone of the volume at `location`. Under the lock.
pub async fn thin_clone(lock: &FolderLock, location: &str, clone: Uuid, least: Bytes) -> Result<Cloned> {
    let wanted = location.to_owned();
    let (chain, source, parent) = lock
        .run("prepare clone", move |folder| {
            scan::finish_replacements(folder)?;
            let (source, chain) = (folder.find_usable(&wanted)?, folder.find_chain(&wanted)?);
            if open_by(folder, &source.name)? == OpenBy::Writer {
                return Err(StorageError::VolumeInUse { location: wanted });
            }
            let parent = choose_parent(folder, &source)?;
            Ok((chain, source, parent))
        })
        .await?;
    let target = Name::Volume(clone, Format::Qcow2);
    let size = Bytes(least.get().max(source.virtual_size.get()));
    let (parent, replace) = match parent {
        Parent::Impossible => {
            return Ok(Cloned::NeedsCopy(lock.folder().source_of(&chain)));
        }
        Parent::Present(name) => (name, false),
        Parent::New(name) => (name, true),
    };
    let operation = Operation::begin(lock).await?;
    let (overlay, instead) = (operation.file("clone.qcow2"), operation.file("source.qcow2"));
    let backing = lock.folder().backing_name(&parent);
    let backing = Backing {
        name: &backing,
        format: parent.format().into(),
    };
    let images = lock.folder().images();
    // Where the parent is shorter the clone reads zeros.
    images
        .create(
            &lock.folder().qemu_name(&overlay),
            Format::Qcow2.into(),
            size,
            Some(backing),
        )
        .await?;
    if replace {
        images
            .create(
                &lock.folder().qemu_name(&instead),
                Format::Qcow2.into(),
                source.virtual_size,
                Some(backing),
            )
            .await?;
    }
    lock.run("make clone", move |folder| {
        sync_file(folder, &overlay)?;
        if replace {
            sync_file(folder, &instead)?;
            folder.reached("clone: overlays built");
            if !replace_source(folder, &source.name, &instead, &parent)? {
                return Ok(Cloned::NeedsCopy(folder.source_of(&chain)));
            }
        }
        publish(folder, &overlay, &target)?;
        folder.reached("clone: clone visible");
        folder
            .inspect(&target)?
            .map(Cloned::Thin)
            .ok_or_else(|| vanished(&target))
    })
    .await
    .inspect(|_| drop(operation))
}

fn choose_parent(folder: &Folder, source: &Image) -> Result<Parent> {
    if source.name.is_base() {
        return Ok(Parent::Present(source.name.clone()));
    }
    if source.name.format() == Format::Qcow2
        && let Some(parent) = &source.parent
    {
        // A volume that has not been written since its last clone: no reason to make the chain longer.
        let path = folder.path().join(source.name.file());
        let empty = folder
            .medium()
            .open(&path)
            .and_then(|file| Header::read(&*file)?.is_empty_overlay(&*file));
        if empty.map_err(|e| StorageError::io("read", path, e))? {
            return Ok(Parent::Present(parent.clone()));
        }
    }
    match &source.name {
        Name::Foreign(_, Format::Raw) => Ok(Parent::Impossible),
        name => Ok(Parent::New(Name::Base(Uuid::new_v4(), name.format()))),
    }
}

/// Steps 2 and 3: the source's content becomes the parent, an overlay on it the source. Answers false, with
/// nothing changed, if this file system has no hard links.
fn replace_source(folder: &Folder, source: &Name, overlay: &Path, parent: &Name) -> Result<bool> {
    let at = |name: &Name| folder.path().join(name.file());
    let (old, base) = (at(source), at(parent));
    match folder.medium().link(&old, &base) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::Unsupported => return Ok(false),
        Err(error) => return Err(StorageError::io("link", base, error)),
    }
    sync_names(folder)?;
    folder.reached("clone: parent linked");
    let new = match source {
        Name::Volume(uuid, Format::Raw) => Name::Volume(*uuid, Format::Qcow2),
        other => other.clone(),
    };
    publish(folder, overlay, &new)?;
    folder.reached("clone: source replaced");
    if new != *source {
        scan::remove(folder, source)?;
        sync_names(folder)?;
        folder.reached("clone: raw name removed");
    }
    Ok(true)
}

/// Gives a finished file its final name, durably; what had that name is replaced.
pub fn publish(folder: &Folder, file: &Path, name: &Name) -> Result<()> {
    let path = folder.path().join(name.file());
    folder
        .medium()
        .rename(file, &path)
        .map_err(|e| StorageError::io("rename to", path, e))?;
    sync_names(folder)
}

/// Brings a file's content to the medium.
pub fn sync_file(folder: &Folder, path: &Path) -> Result<()> {
    folder
        .medium()
        .sync_file(path)
        .map_err(|e| StorageError::io("flush", path, e))
}

/// Brings changes of names to the medium.
pub fn sync_names(folder: &Folder) -> Result<()> {
    folder
        .medium()
        .sync_folder(folder.path())
        .map_err(|e| StorageError::io("flush", folder.path(), e))
}

/// A file that was there a moment ago is not.
pub fn vanished(name: &Name) -> StorageError {
    StorageError::NoSuchVolume {
        location: name.location(),
    }
}
