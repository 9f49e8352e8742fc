//! Listing a folder, and removing what was left behind.

use std::collections::{BTreeMap, BTreeSet};

use super::folder::Folder;
use super::header::{DEEPEST, Image};
use super::layout::{Format, GONE, Name};
use super::{layers, marker, operation, tracking, tree};
use crate::driver::{SrScan, SrSpace};
use crate::error::{Result, StorageError};
use crate::medium::{OpenBy, Site};

/// Size and use of the file system.
pub fn space(site: &Site) -> Result<SrSpace> {
    site.medium
        .space(&site.path)
        .map_err(|e| StorageError::io("measure", &site.path, e))
}

/// Removes leftovers and lists the rest. Under the lock.
pub fn scan(folder: &Folder) -> Result<SrScan> {
    let mut removed = operation::remove_leftovers(folder.site())?;
    removed.extend(layers::remove_scratches(folder)?);
    removed.extend(finish_replacements(folder)?);
    removed.extend(collect_garbage(folder)?);
    forget_gone(folder)?;
    let images: BTreeMap<Name, Image> = folder
        .collect()?
        .into_iter()
        .map(|image| (image.name.clone(), image))
        .collect();
    let mut scan = SrScan {
        space: space(folder.site())?,
        removed,
        ..SrScan::default()
    };
    for image in images.values() {
        match trouble(image, &images) {
            None => scan.volumes.push(image.volume()),
            Some(reason) => scan.refused.push((image.name.location(), reason)),
        }
    }
    scan.without_data = tracking::scan(folder)?;
    scan.volumes.sort_by(|a, b| a.location.cmp(&b.location));
    scan.volumes.dedup_by(|b, a| {
        let twins = a.location == b.location;
        if twins {
            scan.refused.push((
                b.location.clone(),
                "two files have this uuid; the first is offered".to_owned(),
            ));
        }
        twins
    });
    Ok(scan)
}

/// Why an image or one of its parents cannot be opened.
fn trouble(image: &Image, all: &BTreeMap<Name, Image>) -> Option<String> {
    let mut at = image;
    for _ in 0..DEEPEST {
        if let Some(problem) = &at.problem {
            return Some(problem.clone());
        }
        let parent = at.parent.as_ref()?;
        match all.get(parent) {
            Some(next) if !next.hidden => {
                return Some(format!(
                    "its backing file {} is no parent of this repository",
                    parent.file()
                ));
            }
            Some(next) => at = next,
            None => return Some(format!("its parent {} is missing", parent.file())),
        }
    }
    Some("its chain of parents has no end".to_owned())
}

/// Finishes a clone of a raw volume that was cut off after the new overlay had appeared: the raw file is a second
/// name of the overlay's parent, and goes. Under the lock.
pub fn finish_replacements(folder: &Folder) -> Result<Vec<String>> {
    let mut removed = Vec::new();
    for name in marker::list(folder.site())? {
        let Name::Volume(uuid, Format::Raw) = name else {
            continue;
        };
        let (Some(raw), Some(overlay)) = (
            folder.inspect(&name)?,
            folder.inspect(&Name::Volume(uuid, Format::Qcow2))?,
        ) else {
            continue;
        };
        let parent = overlay
            .parent
            .as_ref()
            .map(|parent| folder.inspect(parent))
            .transpose()?
            .flatten();
        if parent.is_some_and(|parent| parent.inode == raw.inode) {
            remove(folder, &name)?;
            removed.push(name.file());
        }
    }
    Ok(removed)
}

/// Removes hidden parents without children, and then those that only they needed. Under the lock.
///
/// Does nothing while there is an image that cannot be read, since nobody knows on which parent it builds.
pub fn collect_garbage(folder: &Folder) -> Result<Vec<String>> {
    let mut images = folder.collect()?;
    let mut removed = Vec::new();
    if images.iter().any(|image| image.unknown) {
        return Ok(removed);
    }
    loop {
        let parents: BTreeSet<Name> = images.iter().filter_map(|image| image.parent.clone()).collect();
        let (garbage, rest): (Vec<Image>, Vec<Image>) = images
            .into_iter()
            .partition(|image| image.hidden && !parents.contains(&image.name));
        images = rest;
        if garbage.is_empty() {
            break;
        }
        for image in garbage {
            // No image builds on it, so no domain should have it open. One that has keeps it until it is stopped.
            if image.name.layer().is_some() && tree::open_by(folder, &image.name)? != OpenBy::Nobody {
                continue;
            }
            remove(folder, &image.name)?;
            removed.push(image.name.file());
        }
    }
    if !removed.is_empty() {
        tree::sync_names(folder)?;
    }
    Ok(removed)
}

/// Forgets volumes that are no more once none of their layers is left. Under the lock.
pub fn forget_gone(folder: &Folder) -> Result<()> {
    let listing = folder.listing()?;
    for uuid in &listing.gone {
        if !listing
            .names
            .iter()
            .any(|name| name.layer().is_some_and(|(of, _)| of == *uuid))
        {
            marker::erase(folder.site(), &format!("{GONE}{uuid}"))?;
        }
    }
    Ok(())
}

/// Removes a file; one that is gone is removed.
pub fn remove(folder: &Folder, name: &Name) -> Result<()> {
    let path = folder.path().join(name.file());
    match folder.medium().remove(&path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(StorageError::io("remove", path, error)),
    }
}
