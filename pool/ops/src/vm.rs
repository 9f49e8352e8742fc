//! Operations on VMs, one file each.

pub mod clone;
pub mod live;
pub mod migrate;
pub mod plug;
pub mod power;
pub mod provision;
pub mod reset;
pub mod start;
pub mod stop;
pub mod suspend;
