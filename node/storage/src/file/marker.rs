//! Whose folder it is: a file with the repository's uuid, so that no two share a folder by mistake and a folder
//! whose medium is not mounted is never taken for an empty repository.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::layout::{GONE, LOCK, Listing, MARKER, Name, OPERATION, PRIVATE, plain_uuid};
use crate::error::{Result, StorageError};
use crate::medium::{Naming, Site};

/// What the marker says. Unknown keys of later releases are left alone.
#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    /// Version of the folder's layout.
    format: u32,
    /// Always `file`.
    kind: String,
    sr: Uuid,
    /// How overlays name their parents.
    #[serde(default)]
    naming: Naming,
}

const FORMAT: u32 = 1;

/// The repository to which a folder belongs; `None` if it belongs to none.
pub fn read(site: &Site) -> Result<Option<Uuid>> {
    // A missing folder is an error, one without marker is not.
    site.medium
        .assert_folder(&site.path)
        .map_err(|e| StorageError::io("open folder", &site.path, e))?;
    let path = site.path.join(PRIVATE).join(MARKER);
    let bytes = match site.medium.read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StorageError::io("read marker", path, error)),
    };
    let invalid = |reason: String| StorageError::ConfigInvalid {
        key: "location",
        reason,
    };
    let marker: Marker = serde_json::from_slice(&bytes)
        .map_err(|error| invalid(format!("{path:?} is not a marker: {error}")))?;
    if marker.format != FORMAT || marker.kind != "file" {
        return Err(invalid(format!(
            "the folder holds a repository of type {:?} in format {}",
            marker.kind, marker.format
        )));
    }
    if marker.naming != site.medium.naming() {
        return Err(StorageError::OtherNaming {
            sr: marker.sr,
            naming: marker.naming,
        });
    }
    Ok(Some(marker.sr))
}

/// Sees to it that a folder belongs to this repository.
pub fn verify(site: &Site, sr: Uuid) -> Result<()> {
    let folder = &site.path;
    let unavailable = |reason: String| StorageError::SrUnavailable { sr, reason };
    match read(site) {
        Ok(Some(found)) if found == sr => Ok(()),
        Ok(Some(found)) => Err(StorageError::WrongSr { wanted: sr, found }),
        Ok(None) => Err(unavailable(format!(
            "{folder:?} holds no repository; is its medium mounted?"
        ))),
        Err(StorageError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
            Err(unavailable(format!("{folder:?} does not exist")))
        }
        Err(other) => Err(other),
    }
}

/// Makes a folder a repository; images that lie there become its volumes.
pub fn create(site: &Site, sr: Uuid) -> Result<()> {
    let Site { medium, path: folder } = site;
    let private = folder.join(PRIVATE);
    medium
        .make_folders(&private)
        .map_err(|e| StorageError::io("make folder", &private, e))?;
    // Two hosts may be at this at the same time; the lock decides. Only a first host makes the file.
    let lock_path = private.join(LOCK);
    let held = medium
        .make(&lock_path)
        .map_err(|e| StorageError::io("lock", &lock_path, e))?;
    if held.is_none() {
        return Err(StorageError::Locked {
            sr,
            after: Duration::ZERO,
        });
    }
    match read(site)? {
        Some(found) if found == sr => return Ok(()),
        Some(found) => return Err(StorageError::SrExists { found }),
        None => {}
    }
    let marker = Marker {
        format: FORMAT,
        kind: "file".to_owned(),
        sr,
        naming: site.medium.naming(),
    };
    let text = serde_json::to_vec_pretty(&marker)
        .map_err(|error| StorageError::io("write marker", &private, std::io::Error::other(error)))?;
    let (draft, path) = (private.join("sr.json.new"), private.join(MARKER));
    let written = medium
        .write(&draft, &text)
        .and_then(|()| medium.rename(&draft, &path))
        .and_then(|()| medium.sync_folder(&private))
        .and_then(|()| medium.sync_folder(folder));
    written.map_err(|e| StorageError::io("write marker", path, e))
}

/// Removes the repository's private folder and its hidden files; the folder itself goes if nothing else is in it.
pub fn destroy(site: &Site, sr: Uuid, wait: Duration) -> Result<()> {
    let Site { medium, path: folder } = site;
    match read(site) {
        Ok(Some(found)) if found == sr => {}
        Ok(Some(found)) => return Err(StorageError::WrongSr { wanted: sr, found }),
        Ok(None) => return Ok(()),
        Err(StorageError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => return Ok(()),
        Err(other) => return Err(other),
    }
    let private = folder.join(PRIVATE);
    let lock_path = private.join(LOCK);
    let Some(_held) = medium
        .take(&lock_path, wait)
        .map_err(|e| StorageError::io("lock", &lock_path, e))?
    else {
        return Err(StorageError::Locked { sr, after: wait });
    };
    let listing = Listing::new(list(site)?, gone(site)?);
    let (hidden, shown): (Vec<&Name>, Vec<&Name>) =
        listing.names.iter().partition(|name| listing.is_hidden(name));
    let foreign = |name: &&&Name| matches!(name, Name::Foreign(..));
    // A parent that is still there without any volume was about to be removed.
    let volumes = shown.iter().filter(|name| !foreign(name)).count();
    if volumes > 0 {
        return Err(StorageError::SrNotEmpty { sr, volumes });
    }
    // Foreign images that still refer to a parent would lose it; they are volumes like any other.
    let foreign = shown.iter().filter(foreign).count();
    if foreign > 0 && !hidden.is_empty() {
        return Err(StorageError::SrNotEmpty { sr, volumes: foreign });
    }
    for parent in hidden {
        let path = folder.join(parent.file());
        medium
            .remove(&path)
            .map_err(|e| StorageError::io("remove", path, e))?;
    }
    // The marker goes first: without it the rest is nobody's, and a repeated call finds nothing to do.
    let marker = private.join(MARKER);
    medium
        .remove(&marker)
        .map_err(|e| StorageError::io("remove", marker, e))?;
    medium
        .remove_tree(&private)
        .map_err(|e| StorageError::io("remove", &private, e))?;
    match medium.remove_folder(folder) {
        // Other things in it, or a mount point: the folder is not ours to remove.
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The files of a folder that are ours, in no order.
pub fn list(site: &Site) -> Result<Vec<Name>> {
    let names = site.medium.names(&site.path);
    let names = names.map_err(|e| StorageError::io("list", &site.path, e))?;
    Ok(names.iter().filter_map(|name| Name::parse(name)).collect())
}

/// The folders of operations, finished or not.
pub fn operations(site: &Site) -> Result<Vec<String>> {
    private(site, OPERATION)
}

/// What lies in the private folder under names that begin so.
pub fn private(site: &Site, beginning: &str) -> Result<Vec<String>> {
    let private = site.path.join(PRIVATE);
    let mut names = site
        .medium
        .names(&private)
        .map_err(|e| StorageError::io("list", &private, e))?;
    names.retain(|name| name.starts_with(beginning));
    Ok(names)
}

/// The volumes that are no more, though layers of them are needed.
pub fn gone(site: &Site) -> Result<BTreeSet<Uuid>> {
    Ok(private(site, GONE)?
        .iter()
        .filter_map(|name| plain_uuid(name.strip_prefix(GONE)?))
        .collect())
}

/// Notes that a volume is no more; its layers are only parents from now on.
pub fn give_up(site: &Site, uuid: Uuid) -> Result<()> {
    write(site, &format!("{GONE}{uuid}"), b"")
}

/// Writes a note in the private folder, durably and whole.
pub fn write(site: &Site, name: &str, text: &[u8]) -> Result<()> {
    let medium = &site.medium;
    let private = site.path.join(PRIVATE);
    let (draft, path) = (private.join(format!("new-{name}")), private.join(name));
    let written = medium
        .write(&draft, text)
        .and_then(|()| medium.rename(&draft, &path))
        .and_then(|()| medium.sync_folder(&private));
    written.map_err(|e| StorageError::io("write", path, e))
}

/// Removes a note from the private folder; one that is gone is removed.
pub fn erase(site: &Site, name: &str) -> Result<()> {
    let path = site.path.join(PRIVATE).join(name);
    match site.medium.remove(&path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(StorageError::io("remove", path, error)),
    }
}
