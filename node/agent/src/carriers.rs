//! What carries one attempt to move a domain away: sockets of this host whose bytes arrive at the destination.

use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use node_commands::{MemoryPath, MigrationDestination};
use node_hypervisor::MigrateTarget;
use uuid::Uuid;

use crate::agent::Agent;
use crate::tunnel::{Forward, TunnelTarget};

/// Makes a folder that the hypervisor's user may use and others cannot find.
pub(crate) fn make_folder(below: &Path, name: &str) -> io::Result<PathBuf> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o711)
        .create(below)?;
    let folder = below.join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
    // The umask does not apply to this.
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777))?;
    Ok(folder)
}

pub(crate) fn remove_folder_of(socket: &Path) {
    if let Some(folder) = socket.parent() {
        let _ = std::fs::remove_dir_all(folder);
    }
}

/// Removes its folder when dropped.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What carries one attempt; cut when dropped.
pub(crate) struct Carriers {
    _control: Forward,
    _memory: Option<Forward>,
    _folders: Vec<Folder>,
}

impl Agent {
    /// Listens for what the hypervisor will send, and says where.
    pub(crate) fn carriers(
        &self,
        vm: Uuid,
        destination: &MigrationDestination,
    ) -> io::Result<(Carriers, MigrateTarget)> {
        let name = Uuid::new_v4().simple().to_string();
        let folder = make_folder(&self.inner.settings.migration_dir, &name)?;
        let control = folder.join("c");
        let mut folders = vec![Folder(folder)];
        let listen = |path: &Path, target| {
            Forward::listen(
                path,
                Arc::clone(&self.inner.dialer),
                destination.clone(),
                vm,
                target,
            )
        };
        let forward = listen(&control, TunnelTarget::Control)?;
        let (memory, data_uri) = match &destination.memory {
            MemoryPath::Tunnelled(path) => {
                // The same path on both hosts: libvirt hands one name to both sides.
                let name = path
                    .parent()
                    .and_then(Path::file_name)
                    .and_then(|n| n.to_str())
                    .unwrap_or_default();
                let same = self.inner.settings.migration_dir.join(name).join("m");
                if name.is_empty() || same != *path {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidInput,
                        format!("{} is not in this host's folder for migrations", path.display()),
                    ));
                }
                let target = TunnelTarget::Memory;
                let forward = if path.exists() || path.parent().is_some_and(Path::exists) {
                    // Both hosts share a file system, as simulated ones do: nothing to forward.
                    None
                } else {
                    folders.push(Folder(make_folder(&self.inner.settings.migration_dir, name)?));
                    Some(listen(path, target)?)
                };
                (forward, format!("unix://{}", path.display()))
            }
            MemoryPath::Direct => (None, format!("tcp://{}", bracketed(&destination.address))),
        };
        let target = MigrateTarget {
            control_socket: control,
            data_uri: Some(data_uri),
            listen_address: None,
        };
        Ok((
            Carriers {
                _control: forward,
                _memory: memory,
                _folders: folders,
            },
            target,
        ))
    }
}

/// An address as it stands in a URI.
fn bracketed(address: &str) -> String {
    if address.contains(':') && !address.starts_with('[') {
        format!("[{address}]")
    } else {
        address.to_owned()
    }
}
