//! Moving a VM between hosts, as decisions only: the table of phases, who may go where, and how.
//!
//! Nothing here waits, sends or looks at a clock. The leader's operation feeds [`phase::Event`]s in and carries out the
//! [`phase::Action`]s that come out.
#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

pub mod compat;
pub mod contract;
pub mod phase;
pub mod plan;

pub use compat::{HostSide, Obstacle, VmSide};
pub use phase::{Action, Event, Phase};
pub use plan::{MigrationPlan, PoolDefaults};
