//! Compares the generated files with those in the tree, and brings the tree up to date.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

/// Where generated files live, without the `.rs` of the file that joins them.
pub const FOLDER: &str = "proto/types/src/generated";

/// What differs between the tree and the rendering.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Missing, or of other content.
    pub stale: Vec<String>,
    /// In the folder, though nothing renders them.
    pub extra: Vec<String>,
}

impl Difference {
    /// Says whether the tree is up to date.
    pub fn is_none(&self) -> bool {
        self.stale.is_empty() && self.extra.is_empty()
    }
}

/// Compares without writing.
///
/// # Errors
/// When the folder cannot be read.
pub fn compare(root: &Path, files: &BTreeMap<String, String>) -> io::Result<Difference> {
    let mut difference = Difference::default();
    for (path, text) in files {
        match fs::read_to_string(root.join(path)) {
            Ok(present) if present == *text => (),
            Ok(_) => difference.stale.push(path.clone()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => difference.stale.push(path.clone()),
            Err(e) => return Err(e),
        }
    }
    let folder = root.join(FOLDER);
    if folder.is_dir() {
        for entry in fs::read_dir(folder)? {
            let path = format!("{FOLDER}/{}", entry?.file_name().to_string_lossy());
            if !files.contains_key(&path) {
                difference.extra.push(path);
            }
        }
    }
    difference.extra.sort();
    Ok(difference)
}

/// Writes what is stale, removes what is extra, and leaves the rest untouched so that cargo rebuilds little.
///
/// # Errors
/// When a file cannot be written.
pub fn update(root: &Path, files: &BTreeMap<String, String>) -> io::Result<Difference> {
    let difference = compare(root, files)?;
    fs::create_dir_all(root.join(FOLDER))?;
    for path in &difference.stale {
        // Beside and then into place: a build that runs meanwhile sees a whole file.
        let fresh = root.join(format!("{path}.new"));
        fs::write(&fresh, &files[path])?;
        fs::rename(&fresh, root.join(path))?;
    }
    for path in &difference.extra {
        fs::remove_file(root.join(path))?;
    }
    Ok(difference)
}
