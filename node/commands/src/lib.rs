//! What the leader may ask of a host, and what a host tells the leader: plain data, no transport.
//!
//! ```text
//! leader (pool-ops) ── HostCommand ──► agent of one host ──► hypervisor, storage, network
//!                   ◄── HostReply or CommandError ──
//!                   ◄── HostEvent (a stream per host) ──
//! ```
//! Every call carries the leader's term (an older one than the host has seen is refused), an operation id (the same
//! id again is the same call, not a second one) and a deadline. The forms on the wire are read tolerantly: fields that
//! the reader does not know are skipped, fields that are missing take their defaults.
#![forbid(unsafe_code)]

pub mod command;
pub mod domain;
pub mod error;
pub mod event;
pub mod lease;
pub mod machine;
pub mod measured;
pub mod migration;
pub mod network;
pub mod release;
pub mod reply;
pub mod storage;

pub use command::{Fate, HostCommand};
pub use domain::{
    BootRequest, DiskRequest, DomainRequest, FirmwareRequest, MirrorRequest, NicRequest, TpmRequest,
    VolumeRef,
};
pub use error::{CommandError, CommandErrorKind};
pub use event::HostEvent;
pub use machine::{
    Failure, GuestReport, MachineReply, MachineVerb, SecretText, ShownCertificates, Timing, UsbDevice,
};
pub use measured::{DataSource, DomainFigures, Measured};
pub use migration::{
    MemoryPath, MigrationDestination, MigrationOptions, MigrationPhase, MigrationStatus, has_arrived,
};
pub use network::{BondRequest, BridgeRequest, IpRequest, NicLock, NicPolicy, TunnelRequest};
pub use release::release;
pub use reply::{BridgeFacts, Facts, HostReply, NicFacts};
pub use storage::{
    FoundSr, FreezeRequest, MergeFacts, ProbeRequest, SrFacts, SrSpec, VolumeFacts, VolumeFill, VolumeRequest,
};

#[cfg(test)]
mod test;
