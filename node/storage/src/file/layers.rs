//! Layers: how the content of a volume is frozen while a domain writes it.
//!
//! ```text
//!   X (open)        X.1 (empty)         X.1 (open)  S
//!             =>     |            =>      \\        /
//!                   X (open)               X (frozen)
//! ```
//! (1) an empty layer appears; from now on it is the volume, and the domain still writes the file below, which the layer
//! shows; (2) the domain switches to the layer, for all its disks at once; (3) the frozen content gets its name. Cut off
//! after 1 or 2 the chain is longer by one layer and shows the same bytes.

use std::io::ErrorKind;
use std::path::Path;

use node_hypervisor::{DiskFormat, DiskSource};
use uuid::Uuid;

use super::folder::{Folder, FolderLock};
use super::header::Image;
use super::layout::{Format, Name, PRIVATE, SCRATCH};
use super::operation::Operation;
use super::tree::{self, publish, sync_file, vanished};
use super::{marker, scan, tracking};

use crate::driver::Volume;
use crate::error::{Result, StorageError};
use crate::image::Backing;
use crate::medium::OpenBy;
use crate::qcow2::Header;

/// Puts an empty layer on top of a volume. Under the lock.
pub async fn push(lock: &FolderLock, location: &str) -> Result<DiskSource> {
    let wanted = location.to_owned();
    let chain = lock
        .run("look for volume", move |folder| folder.find_chain(&wanted))
        .await?;
    let below = chain.first().ok_or_else(|| gone(location))?;
    let Some((uuid, number)) = below.name.layer() else {
        return Err(StorageError::Unsupported {
            kind: "file",
            operation: "freeze images from elsewhere while they are open",
        });
    };
    let name = Name::Layer(uuid, number.saturating_add(1));
    let operation = Operation::begin(lock).await?;
    let overlay = operation.file("layer.qcow2");
    let backing = lock.folder().backing_name(&below.name);
    let backing = Backing {
        name: &backing,
        format: below.name.format().into(),
    };
    lock.folder()
        .images()
        .create(
            &lock.folder().qemu_name(&overlay),
            DiskFormat::Qcow2,
            below.virtual_size,
            Some(backing),
        )
        .await?;
    let path = lock.folder().path().join(name.file());
    let size = below.virtual_size;
    lock.run("make layer", move |folder| {
        sync_file(folder, &overlay)?;
        folder.make_room(&overlay, DiskFormat::Qcow2, size)?;
        folder.reached("layer: built");
        publish(folder, &overlay, &name)?;
        folder.reached("layer: visible");
        Ok(())
    })
    .await
    .inspect(|()| drop(operation))?;
    Ok(lock.folder().source_on(path, &chain))
}

fn gone(location: &str) -> StorageError {
    StorageError::NoSuchVolume {
        location: location.to_owned(),
    }
}

/// Makes a volume of what lies below the topmost layer. Under the lock.
pub async fn snapshot_below(lock: &FolderLock, location: &str, uuid: Uuid) -> Result<Volume> {
    let wanted = location.to_owned();
    let below = lock
        .run("look for layer", move |folder| {
            let top = folder.find_usable(&wanted)?;
            top.parent
                .as_ref()
                .map(|parent| folder.inspect(parent))
                .transpose()?
                .flatten()
                .ok_or(StorageError::NoSuchVolume { location: wanted })
        })
        .await?;
    let target = Name::Volume(uuid, Format::Qcow2);
    let (source, top) = (location.to_owned(), below.clone());
    lock.run("note snapshot", move |folder| {
        tracking::before_snapshot(folder, &source, uuid, &top)
    })
    .await?;
    let operation = Operation::begin(lock).await?;
    let overlay = operation.file("snapshot.qcow2");
    let backing = lock.folder().backing_name(&below.name);
    let backing = Backing {
        name: &backing,
        format: below.name.format().into(),
    };
    lock.folder()
        .images()
        .create(
            &lock.folder().qemu_name(&overlay),
            DiskFormat::Qcow2,
            below.virtual_size,
            Some(backing),
        )
        .await?;
    lock.run("make snapshot", move |folder| {
        sync_file(folder, &overlay)?;
        publish(folder, &overlay, &target)?;
        folder.reached("layer: snapshot visible");
        folder
            .inspect(&target)?
            .map(|image: Image| image.volume())
            .ok_or_else(|| vanished(&target))
    })
    .await
    .inspect(|_| drop(operation))
}

/// Takes the topmost layer away if it is empty and closed. Under the lock.
pub fn pop(folder: &Folder, location: &str) -> Result<()> {
    let Some(top) = folder.find(location)? else {
        return Ok(());
    };
    if !matches!(top.name, Name::Layer(..)) || tree::open_by(folder, &top.name)? != OpenBy::Nobody {
        return Ok(());
    }
    let path = folder.path().join(top.name.file());
    let empty = folder
        .medium()
        .open(&path)
        .and_then(|file| Header::read(&*file)?.is_empty_overlay(&*file));
    if empty.map_err(|e| StorageError::io("read", &path, e))? {
        scan::remove(folder, &top.name)?;
        tree::sync_names(folder)?;
    }
    Ok(())
}

/// Makes a fresh file that takes the writes of a domain; that of an earlier domain goes. Under the lock.
pub async fn scratch(lock: &FolderLock, location: &str) -> Result<DiskSource> {
    let wanted = location.to_owned();
    let chain = lock
        .run("look for volume", move |folder| folder.find_chain(&wanted))
        .await?;
    let below = chain.first().ok_or_else(|| gone(location))?;
    let Some((uuid, _)) = below.name.layer() else {
        return Err(StorageError::Unsupported {
            kind: "file",
            operation: "reset images from elsewhere",
        });
    };
    let private = lock.folder().path().join(PRIVATE);
    let path = private.join(format!("{SCRATCH}{uuid}.qcow2"));
    let old = path.clone();
    let owned = location.to_owned();
    lock.run("remove what was written", move |folder| {
        if is_open(folder, &old)? {
            return Err(StorageError::VolumeInUse { location: owned });
        }
        remove_file(folder, &old)
    })
    .await?;
    // Names are looked up beside the file that has them.
    let site = lock.folder().site();
    let backing = site
        .medium
        .backing_name(&private, &site.path.join(below.name.file()));
    let backing = Backing {
        name: &backing,
        format: below.name.format().into(),
    };
    lock.folder()
        .images()
        .create(
            &lock.folder().qemu_name(&path),
            DiskFormat::Qcow2,
            below.virtual_size,
            Some(backing),
        )
        .await?;
    let (made, size) = (path.clone(), below.virtual_size);
    lock.run("make room", move |folder| {
        folder.make_room(&made, DiskFormat::Qcow2, size)
    })
    .await?;
    Ok(lock.folder().source_on(path, &chain))
}

fn is_open(folder: &Folder, path: &Path) -> Result<bool> {
    match folder.medium().entry(path) {
        Ok(_) => Ok(tree::path_open_by(folder, path)? != OpenBy::Nobody),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StorageError::io("look at", path, error)),
    }
}

fn remove_file(folder: &Folder, path: &Path) -> Result<()> {
    match folder.medium().remove(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(StorageError::io("remove", path, error)),
    }
}

/// Removes what guests wrote that have stopped, and answers the names. Under the lock.
pub fn remove_scratches(folder: &Folder) -> Result<Vec<String>> {
    let mut removed = Vec::new();
    for name in marker::private(folder.site(), SCRATCH)? {
        let path = folder.path().join(PRIVATE).join(&name);
        // Where nobody can tell, it stays until its next start.
        if matches!(folder.medium().open_by(&path), Ok(OpenBy::Nobody)) {
            remove_file(folder, &path)?;
            removed.push(name);
        }
    }
    Ok(removed)
}
