//! Merging parents: when the last snapshot between two parents has gone, the upper one's content moves into the lower
//! one, and the upper one goes.
//!
//! ```text
//!   X.2 (open)  S       X.2   S
//!      \\      /    =>     \\ /         (X had no other child than X.1, so nobody sees what is written into it)
//!       X.1             X
//!        |
//!        X
//! ```
//! A note says that a merge is under way, and later that the content is below. From then on both show the same bytes and
//! children may be moved one by one. A domain that has the chain open moves the bytes itself and rewrites its own
//! layer's header when it is done: that is how a merge that was cut off after that is told from one that was not.

use std::collections::{BTreeMap, BTreeSet};

use node_hypervisor::DiskSource;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::folder::{Folder, FolderLock};
use super::header::Image;
use super::layout::{MERGE, Name, PRIVATE};
use super::{marker, scan, tracking, tree};
use crate::driver::{Merge, Merged};
use crate::error::{Result, StorageError};
use crate::job::Job;
use crate::medium::OpenBy;

/// The note of a merge.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Note {
    /// The file of the lower one.
    base: String,
    /// Whether the content is below.
    done: bool,
}

/// The images by name, and their children.
struct Tree {
    images: BTreeMap<Name, Image>,
    children: BTreeMap<Name, Vec<Name>>,
    /// Volumes whose topmost layer tells what was written to them.
    apart: BTreeSet<Uuid>,
}

impl Tree {
    fn read(folder: &Folder) -> Result<Tree> {
        let images: BTreeMap<Name, Image> = folder
            .collect()?
            .into_iter()
            .map(|image| (image.name.clone(), image))
            .collect();
        let mut children: BTreeMap<Name, Vec<Name>> = BTreeMap::new();
        for image in images.values() {
            if let Some(parent) = &image.parent {
                children
                    .entry(parent.clone())
                    .or_default()
                    .push(image.name.clone());
            }
        }
        let apart = tracking::written_on(folder)?;
        Ok(Tree {
            images,
            children,
            apart,
        })
    }

    fn children(&self, name: &Name) -> &[Name] {
        self.children.get(name).map_or(&[], Vec::as_slice)
    }

    /// The shown volumes at and above an image.
    fn users(&self, name: &Name) -> Vec<String> {
        let (mut found, mut rest, mut seen) = (Vec::new(), vec![name], BTreeSet::new());
        while let Some(at) = rest.pop() {
            if !seen.insert(at) {
                continue;
            }
            if let Some(image) = self.images.get(at)
                && !image.hidden
            {
                found.push(image.name.location());
            }
            rest.extend(self.children(at));
        }
        found.sort();
        found
    }

    /// Whether what `top` holds can go into `base`.
    fn fits(&self, top: &Name, base: &Name) -> bool {
        let (Some(upper), Some(lower)) = (self.images.get(top), self.images.get(base)) else {
            return false;
        };
        let sound = [upper, lower]
            .iter()
            .all(|image| image.problem.is_none() && !image.unknown);
        // A volume takes its parent's place by name, and its name tells the format.
        let nameable = upper.hidden
            || base.layer().map(|(uuid, _)| uuid) == top.uuid()
            || (base.format() == top.format() && matches!(top, Name::Volume(..) | Name::Layer(..)));
        sound
            && (upper.hidden || top.uuid().is_none_or(|volume| !self.apart.contains(&volume)))
            && lower.hidden
            && upper.parent.as_ref() == Some(base)
            && self.children(base) == [top.clone()]
            && nameable
            && (upper.hidden || self.children(top).is_empty())
    }
}

/// The merges that could be done.
pub fn possible(folder: &Folder) -> Result<Vec<Merge>> {
    let tree = Tree::read(folder)?;
    // Nobody knows on what an unreadable image builds.
    if tree.images.values().any(|image| image.unknown) {
        return Ok(Vec::new());
    }
    Ok(tree
        .images
        .values()
        .filter_map(|image| Some((image, image.parent.as_ref()?)))
        .filter(|(image, base)| tree.fits(&image.name, base))
        .map(|(image, base)| Merge {
            top: image.name.file(),
            base: base.file(),
            users: tree.users(&image.name),
            is_volume: !image.hidden,
        })
        .collect())
}

fn named(file: &str) -> Result<Name> {
    Name::parse(file).ok_or_else(|| StorageError::NoSuchVolume {
        location: file.to_owned(),
    })
}

fn source(folder: &Folder, name: &Name) -> Result<DiskSource> {
    let image = folder.inspect(name)?.ok_or_else(|| vanished(name))?;
    Ok(folder.source_of(&folder.chain_of(image)?))
}

/// Notes that a merge begins. Under the lock.
pub fn begin(folder: &Folder, top: &str, base: &str) -> Result<(DiskSource, DiskSource)> {
    let (upper, lower) = (named(top)?, named(base)?);
    let tree = Tree::read(folder)?;
    if !tree.fits(&upper, &lower) {
        return Err(StorageError::NoSuchVolume {
            location: top.to_owned(),
        });
    }
    tracking::before_merge(folder, &upper, &lower)?;
    folder.hold_merge(top)?;
    write(folder, top, base, false)?;
    folder.reached("merge: begun");
    Ok((source(folder, &upper)?, source(folder, &lower)?))
}

fn write(folder: &Folder, top: &str, base: &str, done: bool) -> Result<()> {
    let note = Note {
        base: base.to_owned(),
        done,
    };
    let text = serde_json::to_vec(&note)
        .map_err(|error| StorageError::io("write note", top, std::io::Error::other(error)))?;
    marker::write(folder.site(), &format!("{MERGE}{top}"), &text)
}

fn read(folder: &Folder, top: &str) -> Result<Option<Note>> {
    let path = folder.path().join(PRIVATE).join(format!("{MERGE}{top}"));
    match folder.medium().read(&path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StorageError::io("read", path, error)),
    }
}

/// Copies the content down. Without the lock: the images' own locks keep domains away, and nobody else writes parents.
pub async fn copy_down(folder: &Folder, top: &str, base: &str, job: &Job) -> Result<()> {
    let (upper, lower) = (named(top)?, named(base)?);
    let names = (upper.clone(), lower.clone());
    folder
        .run("look at images", move |folder| {
            let tree = Tree::read(folder)?;
            if read(folder, &names.0.file())?.is_none() || !tree.fits(&names.0, &names.1) {
                return Err(vanished(&names.0));
            }
            Ok(())
        })
        .await?;
    folder
        .images()
        .commit(
            &folder.medium().writable_below(&folder.path().join(upper.file())),
            upper.format().into(),
            job,
        )
        .await?;
    folder.reached("merge: copied");
    Ok(())
}

fn vanished(name: &Name) -> StorageError {
    StorageError::NoSuchVolume {
        location: name.file(),
    }
}

/// Ends a merge. Under the lock.
pub async fn end(lock: &FolderLock, top: &str, outcome: Merged) -> Result<()> {
    let owned = top.to_owned();
    let note = lock
        .run("read note", move |folder| {
            let Some(note) = read(folder, &owned)? else {
                return Ok(None);
            };
            if outcome == Merged::Not && !note.done && !moved_by_domain(folder, &owned, &note)? {
                marker::erase(folder.site(), &format!("{MERGE}{owned}"))?;
                folder.drop_merge(&owned);
                return Ok(None);
            }
            write(folder, &owned, &note.base, true)?;
            folder.reached("merge: noted");
            Ok(Some(note))
        })
        .await?;
    match note {
        Some(note) => move_children(lock, top, &note.base).await,
        None => Ok(()),
    }
}

/// Whether a domain has ended the merge of which only the beginning is noted: its layer builds on the lower one then.
fn moved_by_domain(folder: &Folder, top: &str, note: &Note) -> Result<bool> {
    let (upper, lower) = (named(top)?, named(&note.base)?);
    let tree = Tree::read(folder)?;
    Ok(tree.children(&lower).iter().any(|child| *child != upper))
}

/// Both show the same bytes: whoever builds on the upper one builds on the lower one from now on.
async fn move_children(lock: &FolderLock, top: &str, base: &str) -> Result<()> {
    let (upper, lower) = (named(top)?, named(base)?);
    let names = (upper.clone(), lower.clone());
    let (children, is_volume) = lock
        .run("look at images", move |folder| {
            let tree = Tree::read(folder)?;
            let is_volume = tree.images.get(&names.0).is_some_and(|image| !image.hidden);
            Ok((tree.children(&names.0).to_vec(), is_volume))
        })
        .await?;
    for child in &children {
        let path = lock.folder().qemu_name(&lock.folder().path().join(child.file()));
        let name = child.clone();
        let open = lock
            .run("look at image", move |folder| tree::open_by(folder, &name))
            .await?;
        if open != OpenBy::Nobody {
            // Its domain would not know. The note stays, and the next look tries again.
            return Err(StorageError::VolumeInUse {
                location: child.file(),
            });
        }
        let format = lower.format().into();
        lock.folder()
            .images()
            .rebase(&path, &lock.folder().backing_name(&lower), format)
            .await?;
        lock.folder().reached("merge: child moved");
    }
    let top = top.to_owned();
    lock.run("remove parent", move |folder| {
        if is_volume {
            take_place(folder, &upper, &lower)?;
        } else {
            // Unless something still builds on it.
            let tree = Tree::read(folder)?;
            if tree.images.contains_key(&upper)
                && tree.children(&upper).is_empty()
                && tree::open_by(folder, &upper)? == OpenBy::Nobody
            {
                scan::remove(folder, &upper)?;
            }
        }
        tree::sync_names(folder)?;
        folder.reached("merge: parent removed");
        marker::erase(folder.site(), &format!("{MERGE}{top}"))?;
        folder.drop_merge(&top);
        scan::forget_gone(folder)
    })
    .await
}

/// The lower one becomes the volume: as its layer, which it is once the upper one has gone, or under its name.
fn take_place(folder: &Folder, upper: &Name, lower: &Name) -> Result<()> {
    if tree::open_by(folder, upper)? != OpenBy::Nobody {
        return Err(StorageError::VolumeInUse {
            location: upper.location(),
        });
    }
    if lower.layer().map(|(uuid, _)| uuid) == upper.uuid() {
        return scan::remove(folder, upper);
    }
    if folder.inspect(lower)?.is_none() {
        // It has its new name already.
        return Ok(());
    }
    tree::publish(folder, &folder.path().join(lower.file()), upper)
}

/// Ends the merges that were cut off, whoever was at it. Under the lock. Answers the parents that went.
pub async fn finish(lock: &FolderLock) -> Result<Vec<String>> {
    let notes = lock
        .run("list notes", |folder| marker::private(folder.site(), MERGE))
        .await?;
    let mut ended = Vec::new();
    for name in notes {
        let Some(top) = name.strip_prefix(MERGE) else {
            continue;
        };
        let owned = top.to_owned();
        let abandoned = lock
            .run("look at merge", move |folder| folder.is_merge_abandoned(&owned))
            .await?;
        if !abandoned {
            continue;
        }
        match end(lock, top, Merged::Not).await {
            Ok(()) => ended.push(top.to_owned()),
            // A domain has it open; later.
            Err(StorageError::VolumeInUse { .. }) => {}
            Err(other) => return Err(other),
        }
    }
    Ok(ended)
}
