//! Storage repositories of one host.
//!
//! An [`SrDriver`] is a type of repository (`file`, `iso`, later `nfs`, `lvm` ...): it makes, probes, destroys and
//! plugs repositories. What it plugs is a [`PluggedSr`], on which volumes are made, cloned, copied and resolved
//! to something QEMU can open. The [`SrTable`] holds what this host has plugged, and is all that callers need.
//!
//! The rules every driver keeps, tested by [`contract`]:
//! - every call ends in bounded time, also on a dead backend;
//! - a crash at any moment leaves the old or the new state, and the next scan removes the rest;
//! - calls may be repeated: making what is there and removing what is gone succeed.
#![forbid(unsafe_code)]

pub mod blocks;
pub mod contract;
pub mod driver;
pub mod error;
pub mod ext;
pub mod file;
pub mod gate;
pub mod image;
pub mod iscsi;
pub mod iso;
pub mod job;
pub mod medium;
mod mounted;
pub mod nfs;
pub mod qcow2;
pub mod registry;
pub mod table;
mod tool;

pub use driver::{
    Access, ConfigKey, Content, CreateSr, DeviceConfig, DriverDescription, Merge, Merged, NewVolume,
    PluggedSr, ProbedSr, SrDriver, SrScan, SrSpace, Tracking, Volume,
};
pub use error::{Result, StorageError};
pub use job::Job;
pub use node_hypervisor::{DiskFormat, DiskSource};
pub use proto_types::Bytes;
pub use registry::{Drivers, drivers};
pub use table::{PlugRequest, SrTable};
