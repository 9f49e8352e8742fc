//! The folder in which an operation builds what will appear under its final name all at once.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::folder::FolderLock;
use super::layout::{LOCK, OPERATION, PRIVATE};
use super::{lock, marker};
use crate::error::{Result, StorageError};

/// An operation under way. While it lives it holds a lock in its folder; a folder without lock is a leftover.
/// Dropping it removes the folder.
pub struct Operation {
    path: PathBuf,
    held: Option<lock::Held>,
}

impl Operation {
    /// Begins one. Under the lock, so that no scan sees the folder before it is locked.
    pub async fn begin(lock: &FolderLock) -> Result<Operation> {
        let path = lock
            .folder()
            .path()
            .join(PRIVATE)
            .join(format!("{OPERATION}{}", Uuid::new_v4()));
        lock.run("begin operation", move |_| {
            let failed = |e| StorageError::io("make folder", &path, e);
            fs::create_dir(&path).map_err(failed)?;
            let held = lock::make(&path.join(LOCK)).map_err(failed)?;
            Ok(Operation { path, held })
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
        let (path, held) = (self.path.clone(), self.held.take());
        // The medium may hang; the caller's thread must not. What cannot be removed now the next scan removes.
        let _ = std::thread::Builder::new()
            .name("sr-clean".to_owned())
            .spawn(move || {
                let _ = fs::remove_dir_all(&path);
                drop(held);
            });
    }
}

/// Removes what operations that were cut off left behind, and answers its names. Under the lock.
pub fn remove_leftovers(folder: &Path) -> Result<Vec<String>> {
    let mut removed = Vec::new();
    for name in marker::operations(folder)? {
        let path = folder.join(PRIVATE).join(&name);
        let held = match lock::take(&path.join(LOCK), std::time::Duration::ZERO) {
            Ok(None) => continue,
            Ok(held) => held,
            // It died before it made its lock, or is just being removed by its owner.
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(StorageError::io("lock", path, error)),
        };
        match fs::remove_dir_all(&path) {
            Ok(()) => removed.push(name),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(StorageError::io("remove", path, error)),
        }
        drop(held);
    }
    Ok(removed)
}
