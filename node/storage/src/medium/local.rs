//! Folders of this host, also those that the kernel has mounted from elsewhere.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, Flock, FlockArg, fcntl};
use nix::sys::statvfs::statvfs;
use node_hypervisor::DiskSource;
use proto_types::Bytes;

use super::{Entry, Held, ImageAt, Medium, OpenBy, ReadAt};
use crate::driver::SrSpace;

/// The files of this host.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalFiles;

impl Medium for LocalFiles {
    fn entry(&self, path: &Path) -> io::Result<Entry> {
        let metadata = fs::symlink_metadata(path)?;
        Ok(Entry {
            is_file: metadata.is_file(),
            length: metadata.len(),
            taken: metadata.blocks().saturating_mul(512),
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    fn assert_folder(&self, path: &Path) -> io::Result<()> {
        match fs::metadata(path)?.is_dir() {
            true => Ok(()),
            false => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            names.extend(entry?.file_name().into_string().ok());
        }
        Ok(names)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadAt>> {
        Ok(Box::new(open(path)?))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let mut file = File::create(path)?;
        file.write_all(content)?;
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to).map_err(|error| match error.raw_os_error() {
            // What file systems without hard links say.
            Some(nix::libc::EPERM) => io::Error::new(io::ErrorKind::Unsupported, error),
            _ => error,
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn make_folders(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn space(&self, folder: &Path) -> io::Result<SrSpace> {
        let stat = statvfs(folder)?;
        let unit = stat.fragment_size();
        let size = stat.blocks().saturating_mul(unit);
        let free = stat.blocks_free().saturating_mul(unit);
        Ok(SrSpace {
            physical_size: Bytes(size),
            physical_utilisation: Bytes(size.saturating_sub(free)),
        })
    }

    /// On NFS the kernel makes it a lock that other hosts see.
    fn take(&self, path: &Path, wait: Duration) -> io::Result<Option<Held>> {
        take(path, wait)
    }

    fn make(&self, path: &Path) -> io::Result<Option<Held>> {
        OpenOptions::new().create(true).append(true).open(path)?;
        take(path, Duration::ZERO)
    }

    /// Source: QEMU `block/file-posix.c`: whoever has a right locks byte 100 + number of the right, and who
    /// denies it to others byte 200 + number; right 0 is reading, 1 writing.
    fn open_by(&self, path: &Path) -> io::Result<OpenBy> {
        let image = open(path)?;
        if is_locked(&image, 101, 1)? {
            return Ok(OpenBy::Writer);
        }
        Ok(if is_locked(&image, 100, 8)? {
            OpenBy::Reader
        } else {
            OpenBy::Nobody
        })
    }

    fn qemu_name(&self, path: &Path) -> String {
        path.to_string_lossy().into_owned()
    }

    /// QEMU follows the names in the images by itself.
    fn source(&self, chain: &[ImageAt]) -> DiskSource {
        match chain.first() {
            Some((path, format)) => DiskSource::File {
                path: path.clone(),
                format: *format,
            },
            None => DiskSource::Empty,
        }
    }

    /// Without the folder where it can be, which may be mounted elsewhere on another host.
    fn backing_name(&self, folder: &Path, parent: &Path) -> String {
        let above = || Some(Path::new("..").join(parent.strip_prefix(folder.parent()?).ok()?));
        let name = parent
            .strip_prefix(folder)
            .map(Path::to_owned)
            .ok()
            .or_else(above);
        self.qemu_name(name.as_deref().unwrap_or(parent))
    }

    fn parent_file(&self, _folder: &Path, backing: &str) -> Option<String> {
        Some(backing.to_owned())
    }
}

/// Opens a file for reading; links and pipes are not followed or waited for.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK)
        .open(path)
}

fn take(path: &Path, wait: Duration) -> io::Result<Option<Held>> {
    let until = Instant::now() + wait;
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut pause = Duration::from_millis(1);
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(Some(Held::by(lock))),
            // EWOULDBLOCK is the same number.
            Err((back, Errno::EAGAIN | Errno::EINTR)) => file = back,
            Err((_, errno)) => return Err(errno.into()),
        }
        if Instant::now() >= until {
            return Ok(None);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

fn is_locked(file: &File, start: i64, length: i64) -> io::Result<bool> {
    // An exclusive lock would meet every other one.
    let mut asked = nix::libc::flock {
        l_type: kind(nix::libc::F_WRLCK),
        l_whence: kind(nix::libc::SEEK_SET),
        l_start: start,
        l_len: length,
        l_pid: 0,
    };
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut asked)).map_err(|errno| match errno {
        Errno::ENOLCK => io::Error::new(io::ErrorKind::Unsupported, errno),
        errno => errno.into(),
    })?;
    Ok(asked.l_type != kind(nix::libc::F_UNLCK))
}

/// The kernel's constants are small; the struct's fields are shorter than they are.
fn kind(constant: i32) -> i16 {
    i16::try_from(constant).unwrap_or(i16::MAX)
}
