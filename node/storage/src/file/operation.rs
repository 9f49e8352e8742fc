//! The folder in which an operation builds what will appear under its final name all at once.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use uuid::Uuid;

use super::folder::FolderLock;
use super::layout::{LOCK, OPERATION, PRIVATE};
use super::marker;
use crate::error::{Result, StorageError};
use crate::medium::{Held, Medium, Site};

/// An operation under way. While it lives it holds a lock in its folder; a folder without lock is a leftover.
/// Dropping it removes the folder.
pub struct Operation {
    medium: Arc<dyn Medium>,
    path: PathBuf,
    held: Option<Held>,
}

impl Operation {
    /// Begins one. Under the lock, so that no scan sees the folder before it is locked.
    pub async fn begin(lock: &FolderLock) -> Result<Operation> {
        let path = lock
            .folder()
            .path()
            .join(PRIVATE)
            .join(format!("{OPERATION}{}", Uuid::new_v4()));
        lock.run("begin operation", move |folder| {
            let medium = Arc::clone(&folder.site().medium);
            let failed = |e| StorageError::io("make folder", &path, e);
            medium.make_folder(&path).map_err(failed)?;
            let held = medium.make(&path.join(LOCK)).map_err(failed)?;
            Ok(Operation { medium, path, held })
        })
        .await
    }

    /// A file in its folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        let (medium, path, held) = (Arc::clone(&self.medium), self.path.clone(), self.held.take());
        // The medium may hang; the caller's thread must not. What cannot be removed now the next scan removes.
        let _ = std::thread::Builder::new()
            .name("sr-clean".to_owned())
            .spawn(move || {
                let _ = medium.remove_tree(&path);
                drop(held);
            });
    }
}

/// Removes what operations that were cut off left behind, and answers its names. Under the lock.
pub fn remove_leftovers(site: &Site) -> Result<Vec<String>> {
    let mut removed = site
        .medium
        .tidy()
        .map_err(|e| StorageError::io("tidy", &site.path, e))?;
    for name in marker::operations(site)? {
        let path = site.path.join(PRIVATE).join(&name);
        let held = match site.medium.take(&path.join(LOCK), std::time::Duration::ZERO) {
            Ok(None) => continue,
            Ok(held) => held,
            // It died before it made its lock, or is just being removed by its owner.
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(StorageError::io("lock", path, error)),
        };
        match site.medium.remove_tree(&path) {
            Ok(()) => removed.push(name),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(StorageError::io("remove", path, error)),
        }
        drop(held);
    }
    Ok(removed)
}
