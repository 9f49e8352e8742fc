//! Round-robin archives of a host's and its VMs' figures: names, kinds and steps as XenServer has them.
//!
//! ```text
//! statistics ──► figures (names, kinds) ──► Collection ──► Rrd: column ──► archives (5 s, 1 min, 1 h, 1 day)
//!                                              │             rate, step      consolidated rows
//!                                              ├─► dump     /host_rrd, /vm_rrd
//!                                              ├─► export   /rrd_updates
//!                                              ├─► stored   a file
//!                                              └─► exposition   /metrics
//! ```
//! Everything here is pure: whoever samples says when. Memory is bounded: a column's archives have a fixed number of
//! rows, and an [`Rrd`] has at most [`rrd::MOST_COLUMNS`] columns.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::indexing_slicing))]

pub mod archive;
pub mod collection;
mod column;
pub mod dump;
pub mod export;
pub mod exposition;
pub mod figures;
mod number;
pub mod rrd;
pub mod source;
pub mod stored;

pub use archive::{Function, Shape};
pub use collection::{Collection, Description, Owner, QueryError};
pub use export::{Query, Xport};
pub use rrd::Rrd;
pub use source::{Kind, Measure, Moment, Raw, Source};
