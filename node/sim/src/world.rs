//! Several simulated hosts of one process.

use std::path::{Path, PathBuf};

use node_hypervisor::MigrateTarget;

use crate::host::{SimHypervisor, SimSettings};

/// A folder in which simulated hosts have their sockets, and so can reach one another.
#[derive(Clone, Debug)]
pub struct SimWorld {
    folder: PathBuf,
}

impl SimWorld {
    /// A world in that folder, which must exist. Its path must be short, since sockets' paths are limited to 107 bytes.
    pub fn new(folder: impl Into<PathBuf>) -> SimWorld {
        SimWorld {
            folder: folder.into(),
        }
    }

    /// A new host by that name. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If its socket cannot be made.
    pub fn host(&self, name: &str) -> std::io::Result<SimHypervisor> {
        SimHypervisor::new(SimSettings::named(name, self.socket(name)))
    }

    /// How a host of this world reaches that one without any forwarding.
    pub fn target(&self, name: &str) -> MigrateTarget {
        MigrateTarget {
            control_socket: self.socket(name),
            data_uri: None,
            listen_address: None,
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn socket(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.sock"))
    }
}
