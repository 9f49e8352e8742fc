//! Operations on VMs, one file each.

pub mod adopt;
pub mod checkpoint;
pub mod clone;
pub mod freeze;
pub mod live;
pub mod media;
pub mod migrate;
pub mod migrate_send;
pub mod plug;
pub mod power;
pub mod provision;
pub mod reset;
pub mod revert;
pub mod scheduled;
pub mod snapshot;
pub mod start;
pub mod stop;
pub mod suspend;
pub mod tpm;
pub mod unplug_usb;
