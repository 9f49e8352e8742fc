//! Carries out on one host what the leader asks, and tells what happens there.
//!
//! ```text
//!             Call ──► server ──► Agent::execute ──► fence ──► operations ──► turns ──► domains, disks, networks,
//!                                                                                      storage, migration
//!             Watch ◄── server ◄── events ◄── hypervisor's events, heartbeats
//! other node ─ Tunnel ─► server ──► tunnel_ends ──► migration's socket, console, volume
//! ```
//! [`Agent`] knows no transport; [`server`] and [`client`] put it on gRPC. Four rules hold it together: a term older than
//! the highest seen is refused ([`fence`]), an operation id is carried out once ([`operations`]), commands on one VM take
//! turns ([`turns`]), and what a domain holds of storage is written down ([`holdings`]).
#![forbid(unsafe_code)]

mod adopt;
mod agent;
mod carriers;
pub mod certificates;
mod changes;
pub mod client;
mod contract;
mod convert;
mod copy;
mod disks;
mod domains;
mod drift;
mod durable;
mod events;
pub mod fence;
pub mod guard;
mod guests;
pub mod holdings;
mod images;
mod jobs;
mod kept_networks;
pub mod known_guests;
mod layers;
pub mod machine;
pub mod metrics;
mod migration;
mod mirror;
mod networks;
pub mod operations;
mod reconcile;
mod serial;
pub mod server;
pub mod settings;
mod stalls;
mod stats;
mod storage;
mod timings;
mod tpm;
pub mod tunnel;
mod tunnel_ends;
pub mod turns;
mod usb;

pub use agent::{Agent, AgentParts, Drills, StartError};
pub use certificates::CertificateKeeper;
pub use client::{AgentClient, AgentError};
pub use events::HostEvents;
pub use guard::{Guard, GuardSettings};
pub use known_guests::KnownGuests;
pub use machine::MachineSettings;
pub use metrics::{ArchiveSource, Elsewhere, Form, Metrics};
pub use server::{AgentService, TraceHooks};
pub use settings::AgentSettings;
pub use tunnel::{GrpcDialer, TunnelDialer, TunnelStream, TunnelTarget, VolumeTunnel};
pub use tunnel_ends::Opened;

#[cfg(test)]
mod test;
