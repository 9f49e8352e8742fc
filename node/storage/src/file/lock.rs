//! Locks on files: the repository's own, those of operations, and those that QEMU holds on images.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, Flock, FlockArg, fcntl};

/// A held lock; dropping it or the death of the process gives it up. On NFS the kernel makes it a lock that
/// other hosts see.
#[derive(Debug)]
pub struct Held {
    _lock: Flock<File>,
}

/// Takes the lock on an existing file, asking again until `wait` has passed; `None` if another keeps it.
pub fn take(path: &Path, wait: Duration) -> io::Result<Option<Held>> {
    let until = Instant::now() + wait;
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut pause = Duration::from_millis(1);
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(Some(Held { _lock: lock })),
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

/// Makes a lock file if there is none and takes it without waiting.
pub fn make(path: &Path) -> io::Result<Option<Held>> {
    OpenOptions::new().create(true).append(true).open(path)?;
    take(path, Duration::ZERO)
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

/// Whether a QEMU, or one of its tools, has an image open, on any host that shares the locks of its file system.
///
/// Source: QEMU `block/file-posix.c`: whoever has a right locks byte 100 + number of the right, and who
/// denies it to others byte 200 + number; right 0 is reading, 1 writing.
pub fn open_by(image: &File) -> io::Result<OpenBy> {
    if is_locked(image, 101, 1)? {
        return Ok(OpenBy::Writer);
    }
    Ok(if is_locked(image, 100, 8)? {
        OpenBy::Reader
    } else {
        OpenBy::Nobody
    })
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
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut asked))?;
    Ok(asked.l_type != kind(nix::libc::F_UNLCK))
}

/// The kernel's constants are small; the struct's fields are shorter than they are.
fn kind(constant: i32) -> i16 {
    i16::try_from(constant).unwrap_or(i16::MAX)
}
