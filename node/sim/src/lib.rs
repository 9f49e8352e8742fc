//! A hypervisor without machines: domains are a few numbers that count while they "run".
//!
//! Everything the pool can see of a real host is there: states, events, idempotence, save images, live migration
//! between hosts of one process or of several. What a domain has done is its count, in milliseconds of running;
//! it goes on over save, restore and migration, so that tests can prove continuity. Faults are injected through
//! [`SimHypervisor::faults`].
#![forbid(unsafe_code)]

mod devices;
mod domain;
mod driver;
mod faults;
mod foreign;
mod guest;
mod host;
mod image;
mod load;
mod transfer;
mod world;

pub use faults::{Fault, Faults, Operation};
pub use host::{SimHypervisor, SimSettings};
pub use world::SimWorld;
