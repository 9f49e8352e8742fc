//! The pool database as pure data.
//!
//! ```text
//! (Database snapshot, request, Facts) --decide--> Transaction --log--> apply(Database) on every node
//! ```
//! No clock, no randomness, no socket: what a decision needs of the world comes in as [`facts::Facts`].
#![forbid(unsafe_code)]

pub mod access;
pub mod allowed;
pub mod appliance_rules;
pub mod apply;
pub mod changes;
pub mod database;
pub mod decide;
pub mod draft;
pub mod evacuation;
pub mod facts;
pub mod failover;
pub mod filter;
pub mod host_rules;
pub mod placement;
pub mod query;
pub mod refused;
pub mod relations;
pub mod row;
pub mod transaction;
pub mod vdi_rules;
pub mod vm_rules;
pub mod xml;

pub use apply::Outcome;
pub use database::{Database, Index};
pub use draft::Draft;
pub use facts::Facts;
pub use refused::Refused;
pub use row::Row;
pub use transaction::{Change, RequestId, Transaction};
