//! The pool's log and state on disk, in one RocksDB.
//!
//! ```text
//! append ─► log (WAL, one fdatasync for all that wait) ─► committed ─► apply ─► Database in memory, published
//!                                                                        └─► state (behind the WAL, flushed
//!                                                                             before the log is shortened)
//! ```
//! The log is what is durable. The state on disk may be behind by entries that are still in the log; they are
//! applied again at start. A store that is damaged, of a newer format or of another node is refused; a failed
//! write stops the node.
#![forbid(unsafe_code)]

pub mod backup;
mod behind;
mod digest;
mod error;
mod format;
mod history;
mod keys;
mod log;
mod open;
mod shared;
mod snapshot;
mod state;
mod sync;
mod types;

pub use digest::{Digest, digest};
pub use error::StoreError;
pub use format::{FORMAT_CHANGES, FormatChange, dropped_fields};
pub use history::{Base, HistoryError};
pub use log::{LogReader, LogStore};
pub use open::{Opened, StoreConfig, open};
pub use shared::Store;
pub use snapshot::{Assembler, Progress, SnapshotData, Whole, parts};
pub use state::{SnapshotBuilder, StateMachine};
pub use types::{
    Command, Entry, LogId, Membership, Node, Response, SnapshotMeta, StoredMembership, TypeConfig, Vote,
};

/// Conversions between openraft's types and the wire's.
pub mod convert {
    pub use crate::format::{
        entry_from_wire, entry_to_wire, head_from_wire, head_to_wire, log_id_from_wire, log_id_to_wire,
        row_from_wire, row_to_wire, vote_from_wire, vote_to_wire,
    };
}
