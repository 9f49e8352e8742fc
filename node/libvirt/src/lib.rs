//! The hypervisor of a real host: QEMU with KVM or emulation, driven through libvirt.
//!
//! libvirt stays as it is installed. Domains are transient, so that nothing of theirs outlives them on the host; the
//! operation that started one is noted in its metadata. libvirt's calls block, so each runs on a thread of a bounded
//! pool and has a deadline (`bridge`); its events arrive on one thread of their own (`event_loop`, `events`).

mod accelerator;
mod adopt;
mod bridge;
mod bulk;
mod config;
mod device_plugging;
mod drift;
mod driver;
mod error;
mod event_loop;
mod events;
mod ffi;
mod host;
mod image;
mod layers;
mod lifecycle;
mod migrate;
mod mirror;
mod passwords;
mod statistics;
mod tpm;
mod tuning;
mod xml;

pub use accelerator::kvm_works;
pub use config::{LibvirtConfig, Limits};
pub use driver::LibvirtHypervisor;
