//! Where the files of a repository are: a folder of this host, or one on a server that is spoken to in user space.
//!
//! Calls block, so they are made behind a [`crate::gate::Gate`] only.

use std::any::Any;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use node_hypervisor::{DiskFormat, DiskSource};
use proto_types::Bytes;
use serde::{Deserialize, Serialize};

use crate::driver::SrSpace;

mod local;

pub use local::LocalFiles;

/// What is known of an entry of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whether it is a plain file.
    pub is_file: bool,
    /// Its length in bytes.
    pub length: u64,
    /// What it takes on the medium, in bytes.
    pub taken: u64,
    /// Two names with one number are one file.
    pub inode: u64,
    /// When its content was changed: seconds and nanoseconds.
    pub modified: (i64, i64),
    /// When anything of it was changed.
    pub changed: (i64, i64),
}

/// A file that can be read anywhere.
pub trait ReadAt: Send {
    /// Reads some bytes; none at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Fills the buffer.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file ends before.
    fn read_exact_at(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            match self.read_at(buffer, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    buffer = buffer.get_mut(count..).unwrap_or_default();
                    offset = offset.saturating_add(count as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl ReadAt for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }
}

/// A held lock; dropping it or the death of the process gives it up.
pub struct Held(#[expect(dead_code, reason = "it is held by being there")] Box<dyn Any + Send + Sync>);

impl Held {
    /// A lock that lasts as long as this lives.
    pub fn by(guard: impl Any + Send + Sync) -> Held {
        Held(Box::new(guard))
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held")
    }
}

/// How an image is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenBy {
    /// By nobody.
    Nobody,
    /// Somebody reads it.
    Reader,
    /// Somebody may write it.
    Writer,
}

/// An image and its format.
pub type ImageAt = (PathBuf, DiskFormat);

/// How overlays name their parents. Those who open a repository must agree on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Naming {
    /// Without a folder.
    #[default]
    Beside,
    /// By the server's URL.
    Url,
}

/// Files and folders by absolute paths, as the medium has them.
pub trait Medium: Send + Sync + fmt::Debug {
    /// How overlays name their parents here.
    fn naming(&self) -> Naming {
        Naming::Beside
    }

    /// Makes an image ready to be written by a domain that shall see `size` bytes. May be repeated, also while it is open.
    fn make_room(&self, _image: &Path, _format: DiskFormat, _size: Bytes) -> io::Result<()> {
        Ok(())
    }

    /// Removes what dead processes have left of the medium's own, and answers the names.
    fn tidy(&self) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// Looks at an entry; links are not followed.
    fn entry(&self, path: &Path) -> io::Result<Entry>;

    /// Sees to it that a folder is there.
    fn assert_folder(&self, path: &Path) -> io::Result<()>;

    /// The names in a folder, as far as they are text.
    fn names(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// Opens a plain file for reading; links are not followed.
    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadAt>>;

    /// Reads a file of a few megabytes at most.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Makes a file with this content, or gives the file that is there this content; it is on the medium then.
    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()>;

    /// Gives a file another name; what had that name is replaced.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Gives a file a second name.
    ///
    /// # Errors
    /// `Unsupported` where files have one name; `AlreadyExists`.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a name of a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes a folder in one that is there.
    fn make_folder(&self, path: &Path) -> io::Result<()>;

    /// Makes a folder and those above it, as far as they are missing.
    fn make_folders(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty folder.
    fn remove_folder(&self, path: &Path) -> io::Result<()>;

    /// Removes a folder with all that is in it.
    fn remove_tree(&self, path: &Path) -> io::Result<()>;

    /// Brings a file's content to the medium.
    fn sync_file(&self, path: &Path) -> io::Result<()>;

    /// Brings changes of names in a folder to the medium.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;

    /// Size and use of the medium.
    fn space(&self, folder: &Path) -> io::Result<SrSpace>;

    /// Takes the lock on an existing file, asking again until `wait` has passed; `None` if another keeps it.
    ///
    /// # Errors
    /// `NotFound` if there is no such file.
    fn take(&self, path: &Path, wait: Duration) -> io::Result<Option<Held>>;

    /// Makes a lock file if there is none and takes it without waiting.
    fn make(&self, path: &Path) -> io::Result<Option<Held>>;

    /// Whether a QEMU, or one of its tools, has an image open, on any host.
    ///
    /// # Errors
    /// `Unsupported` where that cannot be told; the pool's own records are all there is then.
    fn open_by(&self, path: &Path) -> io::Result<OpenBy>;

    /// What qemu-img calls a file.
    fn qemu_name(&self, path: &Path) -> String;

    /// What qemu-img calls an overlay whose parent it shall write.
    fn writable_below(&self, overlay: &Path) -> String {
        self.qemu_name(overlay)
    }

    /// How QEMU opens an image: itself first, then what it builds on, downwards.
    fn source(&self, chain: &[ImageAt]) -> DiskSource;

    /// How an overlay in `folder` names its parent, a file of the repository.
    fn backing_name(&self, folder: &Path, parent: &Path) -> String;

    /// The file beside an overlay that its name of a parent stands for; `None` if it is none of them.
    fn parent_file(&self, folder: &Path, backing: &str) -> Option<String>;
}

/// A folder on its medium.
#[derive(Clone, Debug)]
pub struct Site {
    /// Where the files are.
    pub medium: Arc<dyn Medium>,
    /// The folder.
    pub path: PathBuf,
}

impl Site {
    /// A folder of this host.
    pub fn local(path: PathBuf) -> Site {
        Site {
            medium: Arc::new(LocalFiles),
            path,
        }
    }
}
