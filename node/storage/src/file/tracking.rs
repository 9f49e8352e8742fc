//! Changed-block tracking: what was written to a volume between two of its snapshots, told also when the earlier one has
//! given up its data.
//!
//! ```text
//!   volumes      S1 ─ S2 ─ V          each with a record: the one before, the one after, blocks
//!   V's layers   ... │ b │ c │ d      b, c, d were written since S2; the boundary lies below them
//! ```
//! A snapshot's record holds what was written between the snapshot before and itself. That of the volume holds no such
//! thing as long as its layers tell: whatever a layer above the boundary holds was written since the last snapshot. Only a
//! merge that takes a layer across the boundary puts the blocks into the record first. Whenever it is not known any more
//! what a layer holds, or where the boundary was, all is taken for changed: a client then copies too much, never too little.
//!
//! All under the lock. Each step may be repeated, and a crash between two leaves records that tell of more than there was.

use std::collections::BTreeSet;
use std::io::ErrorKind;

use proto_types::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::folder::Folder;
use super::header::{DEEPEST, Image};
use super::layout::{Format, Name, PRIVATE, TRACK, plain_uuid};
use super::marker;
use crate::blocks::{self, Blocks};
use crate::driver::Volume;
use crate::error::{Result, StorageError};

/// What is kept of a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    /// The snapshot before.
    before: Option<Uuid>,
    /// The snapshot, or the volume, after.
    after: Option<Uuid>,
    /// Files of layers of which the topmost that is there is the boundary; for a volume that is written on.
    boundaries: Vec<String>,
    /// Its size when it was frozen; zero for one that is written on.
    size: u64,
    /// Whether its data was given up.
    is_empty: bool,
    /// What was written since `before`, as far as it is known here.
    #[serde(skip)]
    blocks: Blocks,
}

fn file(volume: Uuid) -> String {
    format!("{TRACK}{volume}")
}

fn read(folder: &Folder, volume: Uuid) -> Result<Option<Record>> {
    let path = folder.path().join(PRIVATE).join(file(volume));
    let bytes = match folder.medium().read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StorageError::io("read", path, error)),
    };
    let (head, rest) = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => bytes.split_at(end),
        None => (bytes.as_slice(), &[][..]),
    };
    let mut record: Record = serde_json::from_slice(head)
        .map_err(|error| StorageError::io("read", path, std::io::Error::other(error)))?;
    record.blocks = Blocks::from_bytes(rest.get(1..).unwrap_or_default().to_vec());
    Ok(Some(record))
}

fn write(folder: &Folder, volume: Uuid, record: &Record) -> Result<()> {
    let mut text = serde_json::to_vec(record)
        .map_err(|error| StorageError::io("write", file(volume), std::io::Error::other(error)))?;
    text.push(b'\n');
    text.extend(record.blocks.as_bytes());
    marker::write(folder.site(), &file(volume), &text)
}

/// Changes a record if there is one.
fn change(folder: &Folder, volume: Option<Uuid>, work: impl FnOnce(&mut Record)) -> Result<()> {
    let Some(volume) = volume else { return Ok(()) };
    let Some(record) = read(folder, volume)? else {
        return Ok(());
    };
    let mut changed = record.clone();
    work(&mut changed);
    if changed != record {
        write(folder, volume, &changed)?;
    }
    Ok(())
}

fn tracked(folder: &Folder) -> Result<BTreeSet<Uuid>> {
    Ok(marker::private(folder.site(), TRACK)?
        .iter()
        .filter_map(|name| plain_uuid(name.strip_prefix(TRACK)?))
        .collect())
}

fn uuid_of(location: &str) -> Result<Uuid> {
    plain_uuid(location).ok_or(StorageError::Unsupported {
        kind: "file",
        operation: "track what is written to images from elsewhere",
    })
}

/// Begins to track a volume; one that is tracked stays so.
pub fn enable(folder: &Folder, location: &str) -> Result<()> {
    let volume = uuid_of(location)?;
    folder.find_usable(location)?;
    match read(folder, volume)? {
        Some(_) => Ok(()),
        None => write(folder, volume, &Record::default()),
    }
}

/// Ends it. What is known of its snapshots stays.
pub fn disable(folder: &Folder, location: &str) -> Result<()> {
    let volume = uuid_of(location)?;
    if let Some(record) = read(folder, volume)? {
        change(folder, record.before, |before| before.after = None)?;
        marker::erase(folder.site(), &file(volume))?;
    }
    Ok(())
}

/// What was written to the layers from `top` down to the boundary. Where a layer is missing nobody knows what it held.
fn since(folder: &Folder, record: &Record, top: &Image) -> Result<Blocks> {
    let mut found = record.blocks.clone();
    let mut at = Some(top.name.clone());
    for _ in 0..DEEPEST {
        // Without a boundary on the way everything that was ever written has been joined.
        let Some(name) = at else { return Ok(found) };
        if record.boundaries.contains(&name.file()) {
            return Ok(found);
        }
        let Some(image) = folder.inspect(&name)? else {
            tracing::warn!(
                layer = name.file(),
                "a layer is missing: all is taken for changed"
            );
            return Ok(Blocks::all(top.virtual_size));
        };
        found.join(&held(folder, &image)?);
        at = image.parent;
    }
    tracing::warn!(
        volume = top.name.file(),
        "it has too many layers: all is taken for changed"
    );
    Ok(Blocks::all(top.virtual_size))
}

/// The blocks that a layer holds itself.
fn held(folder: &Folder, image: &Image) -> Result<Blocks> {
    if image.name.format() == Format::Raw {
        return Ok(Blocks::all(image.virtual_size));
    }
    let path = folder.path().join(image.name.file());
    match folder
        .medium()
        .open(&path)
        .and_then(|file| blocks::written(&*file))
    {
        Ok(blocks) => Ok(blocks),
        Err(error) if matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) => {
            tracing::warn!(?path, %error, "what a layer holds is not known: all is taken for changed");
            Ok(Blocks::all(image.virtual_size))
        }
        Err(error) => Err(StorageError::io("read", path, error)),
    }
}

/// Writes the record of a snapshot that is about to be made. `top` is the uppermost layer that belongs to it.
pub fn before_snapshot(folder: &Folder, location: &str, snapshot: Uuid, top: &Image) -> Result<()> {
    let Some(volume) = plain_uuid(location) else {
        return Ok(());
    };
    let Some(record) = read(folder, volume)? else {
        return Ok(());
    };
    let blocks = match record.before {
        // Nobody can ask what was written before the first.
        None => Blocks::default(),
        Some(_) => since(folder, &record, top)?,
    };
    let new = Record {
        before: record.before,
        after: Some(volume),
        size: top.virtual_size.get(),
        blocks,
        ..Record::default()
    };
    write(folder, snapshot, &new)?;
    folder.reached("track: snapshot noted");
    Ok(())
}

/// From the snapshot on the volume's changes are counted anew.
pub fn after_snapshot(folder: &Folder, location: &str, snapshot: &Image) -> Result<()> {
    let (Some(volume), Some(uuid)) = (plain_uuid(location), snapshot.name.uuid()) else {
        return Ok(());
    };
    let Some(record) = read(folder, uuid)?.filter(|record| record.after == Some(volume)) else {
        return Ok(());
    };
    // First into the chain, then the volume's: what it holds must not be missed in between.
    change(folder, record.before, |before| {
        if before.after == Some(volume) {
            before.after = Some(uuid);
        }
    })?;
    folder.reached("track: snapshot in chain");
    change(folder, Some(volume), |of| {
        if of.before != Some(uuid) {
            of.before = Some(uuid);
            of.boundaries = snapshot.parent.iter().map(Name::file).collect();
            of.blocks = Blocks::default();
        }
    })
}

/// Keeps what a merge of `top` into `base` would make untellable.
pub fn before_merge(folder: &Folder, top: &Name, base: &Name) -> Result<()> {
    for volume in tracked(folder)? {
        let Some(image) = folder.find(&volume.to_string())? else {
            continue;
        };
        let Some(record) = read(folder, volume)?.filter(|record| record.size == 0) else {
            continue;
        };
        match lies_above(folder, &record, &image.name, top)? {
            Place::Boundary => {
                change(folder, Some(volume), |of| {
                    if !of.boundaries.contains(&base.file()) {
                        of.boundaries.push(base.file());
                    }
                })?;
            }
            Place::Above if record.boundaries.contains(&base.file()) => {
                if let Some(upper) = folder.inspect(top)? {
                    let blocks = held(folder, &upper)?;
                    change(folder, Some(volume), |of| of.blocks.join(&blocks))?;
                }
            }
            Place::Above | Place::Elsewhere => {}
        }
    }
    folder.reached("track: merge noted");
    Ok(())
}

enum Place {
    Above,
    Boundary,
    Elsewhere,
}

fn lies_above(folder: &Folder, record: &Record, from: &Name, wanted: &Name) -> Result<Place> {
    let mut at = Some(from.clone());
    for _ in 0..DEEPEST {
        let Some(name) = at else { break };
        let boundary = record.boundaries.contains(&name.file());
        match (name == *wanted, boundary) {
            (true, true) => return Ok(Place::Boundary),
            (true, false) => return Ok(Place::Above),
            (false, true) => break,
            (false, false) => {}
        }
        at = folder.inspect(&name)?.and_then(|image| image.parent);
    }
    Ok(Place::Elsewhere)
}

/// The tracked volumes: their topmost layers must stay apart from what lies below.
pub fn written_on(folder: &Folder) -> Result<BTreeSet<Uuid>> {
    let mut found = BTreeSet::new();
    for volume in tracked(folder)? {
        if read(folder, volume)?.is_some_and(|record| record.size == 0) {
            found.insert(volume);
        }
    }
    Ok(found)
}

/// Notes that the data of a snapshot is given up while its record stays.
///
/// # Errors
/// [`StorageError::NoSuchVolume`] if it has no record.
pub fn give_up_data(folder: &Folder, location: &str) -> Result<()> {
    let volume = uuid_of(location)?;
    if read(folder, volume)?.is_none_or(|record| record.size == 0) {
        return Err(StorageError::NoSuchVolume {
            location: location.to_owned(),
        });
    }
    change(folder, Some(volume), |of| of.is_empty = true)
}

/// Takes the record of a volume that is no more out of its chain: what it told belongs to the next one from now on.
pub fn forget(folder: &Folder, volume: Uuid) -> Result<()> {
    let Some(record) = read(folder, volume)? else {
        return Ok(());
    };
    change(folder, record.after, |after| {
        if after.before == Some(volume) {
            after.before = record.before;
            after.blocks.join(&record.blocks);
        }
    })?;
    folder.reached("track: later one noted");
    change(folder, record.before, |before| {
        if before.after == Some(volume) {
            before.after = record.after;
        }
    })?;
    marker::erase(folder.site(), &file(volume))
}

/// Removes the records of volumes that are no more, and lists those that gave up their data.
pub fn scan(folder: &Folder) -> Result<Vec<Volume>> {
    let mut empty = Vec::new();
    for volume in tracked(folder)? {
        let location = volume.to_string();
        let Some(record) = read(folder, volume)? else {
            continue;
        };
        if record.is_empty {
            empty.push(Volume {
                uuid: Some(volume),
                location,
                name: None,
                virtual_size: Bytes(record.size),
                utilisation: Bytes(0),
                parent: None,
                format: node_hypervisor::DiskFormat::Qcow2,
                read_only: true,
                hidden: false,
            });
        } else if folder.find(&location)?.is_none() {
            forget(folder, volume)?;
        }
    }
    Ok(empty)
}

/// The blocks in which `to` may differ from `from`, an earlier snapshot of the same volume: as many bits as `to` has blocks.
///
/// # Errors
/// [`StorageError::ChangesUnknown`] if they are the same or not so related, or one is not tracked.
pub fn between(folder: &Folder, from: &str, to: &str) -> Result<Vec<u8>> {
    let unknown = |reason| StorageError::ChangesUnknown { reason };
    let (first, last) = (uuid_of(from)?, uuid_of(to)?);
    if first == last {
        return Err(unknown("Source and target VDI are same"));
    }
    let unrelated = || unknown("Source and target VDI are unrelated");
    let mut at = read(folder, first)?.ok_or_else(unrelated)?;
    let mut found = Blocks::default();
    let mut seen = BTreeSet::from([first]);
    loop {
        let next = at.after.filter(|next| seen.insert(*next)).ok_or_else(unrelated)?;
        at = read(folder, next)?.ok_or_else(unrelated)?;
        if at.size > 0 {
            found.join(&at.blocks);
        }
        if next != last {
            continue;
        }
        let size = if at.size > 0 {
            Bytes(at.size)
        } else {
            let image = folder.find_usable(to)?;
            found.join(&since(folder, &at, &image)?);
            image.virtual_size
        };
        return Ok(found.to_bytes(size));
    }
}

#[cfg(test)]
mod test {
    use std::time::Duration;

    use super::*;
    use crate::file::FolderOptions;
    use crate::gate::Gate;
    use crate::image::ImageTool;
    use crate::medium::Site;

    #[test]
    fn a_missing_layer_makes_all_blocks_changed() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(
            Uuid::nil(),
            Site::local(dir.path().to_owned()),
            Gate::new(1, Duration::from_secs(9)),
            ImageTool::default(),
            FolderOptions::default(),
        );
        let top = Image {
            name: Name::Volume(Uuid::from_u128(1), Format::Qcow2),
            virtual_size: Bytes::mib(2),
            utilisation: Bytes(0),
            parent: None,
            problem: None,
            unknown: false,
            inode: 1,
            hidden: false,
        };
        let mut record = Record {
            boundaries: vec![top.name.file()],
            ..Record::default()
        };
        assert_eq!(since(&folder, &record, &top).unwrap(), Blocks::default());
        record.boundaries.clear();
        let told = since(&folder, &record, &top).unwrap();
        assert_eq!(told.to_bytes(top.virtual_size), [0xff; 4]);
    }
}
