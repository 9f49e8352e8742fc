//! Unix sockets, whose callers are root.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;
use tokio::net::unix::UCred;

/// A bound socket; its file is removed when this is dropped.
pub(crate) struct BoundSocket {
    pub(crate) listener: UnixListener,
    path: PathBuf,
    /// Device and inode, to know the file again.
    file: (u64, u64),
    owner: u32,
}

impl BoundSocket {
    /// Binds the path with mode 0600 and makes its folder. A socket that nobody listens on is replaced.
    ///
    /// # Errors
    /// `AddrInUse` if somebody listens there, `AlreadyExists` if the file is no socket, and what the system says.
    pub(crate) fn bind(path: &Path) -> io::Result<BoundSocket> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        match std::fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => return Err(io::ErrorKind::AlreadyExists.into()),
            Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            _ => {}
        }
        // Renamed into place with its mode already set, so that nobody else can ever connect.
        let mut hidden = path.as_os_str().to_owned();
        hidden.push(format!(".{}", std::process::id()));
        let hidden = PathBuf::from(hidden);
        match std::fs::remove_file(&hidden) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&hidden)?;
        std::fs::set_permissions(&hidden, std::fs::Permissions::from_mode(0o600))?;
        let found = std::fs::symlink_metadata(&hidden)?;
        std::fs::rename(&hidden, path)?;
        Ok(BoundSocket {
            listener,
            path: path.to_owned(),
            file: (found.dev(), found.ino()),
            owner: found.uid(),
        })
    }

    /// Whether the caller is root, or the user that the server runs as.
    pub(crate) fn admits(&self, caller: &UCred) -> bool {
        caller.uid() == 0 || caller.uid() == self.owner
    }
}

impl Drop for BoundSocket {
    fn drop(&mut self) {
        let ours =
            std::fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.file);
        if ours && let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(path = %self.path.display(), %error, "socket not removed");
        }
    }
}
