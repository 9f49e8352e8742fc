//! Why a store cannot be used.

use std::path::PathBuf;

use proto_wire::value::Malformed;

/// Why a store cannot be used. The node says so and stays out of the pool; nothing is repaired silently.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be opened: missing rights, in use by another process, or RocksDB found damage.
    #[error("store {path} cannot be opened")]
    Open {
        /// Where the store is.
        path: PathBuf,
        /// What RocksDB says.
        #[source]
        source: rocksdb::Error,
    },
    /// The directory cannot be made.
    #[error("directory {path} cannot be made")]
    Directory {
        /// Where the store should be.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// What is read is not what was written.
    #[error("store is damaged: {what}")]
    Damaged {
        /// Which part, and how.
        what: String,
    },
    /// Reading or writing failed.
    #[error("store access failed")]
    Access(#[from] rocksdb::Error),
    /// A newer release wrote the store.
    #[error("store has format {found}, this build knows up to {known}")]
    Newer {
        /// The store's format.
        found: u32,
        /// The newest format of this build.
        known: u32,
    },
    /// A stored part does not read.
    #[error("stored {what} does not read")]
    Unreadable {
        /// Which part.
        what: &'static str,
        /// Why.
        #[source]
        source: Malformed,
    },
    /// The store is that of another node.
    #[error("store belongs to node {found}, this is node {own}")]
    OtherNode {
        /// The owner.
        found: u64,
        /// This node.
        own: u64,
    },
}

/// A failed access while running; the node stops.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Access {
    #[error(transparent)]
    Rocks(#[from] rocksdb::Error),
    #[error("column family {0} is missing")]
    Family(&'static str),
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("{0}")]
    Damaged(String),
}

impl From<prost::DecodeError> for Access {
    fn from(error: prost::DecodeError) -> Self {
        Access::Malformed(error.into())
    }
}

impl From<Access> for StoreError {
    fn from(access: Access) -> Self {
        match access {
            Access::Rocks(source) => StoreError::Access(source),
            Access::Family(name) => StoreError::Damaged {
                what: format!("column family {name} is missing"),
            },
            Access::Malformed(source) => StoreError::Unreadable { what: "part", source },
            Access::Damaged(what) => StoreError::Damaged { what },
        }
    }
}
