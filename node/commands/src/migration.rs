//! Moving a domain to another host.

use std::time::Duration;

use node_hypervisor::{DiskSource, Domain, DomainState, MigrateProgress, PauseReason};
use proto_types::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::CommandError;

/// Where a domain goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrationDestination {
    /// The host's uuid.
    pub host: Uuid,
    /// Its address, of the network chosen for the migration.
    pub address: String,
    /// Port of its node for other nodes.
    pub grpc_port: u16,
    /// Where the destination's hypervisor waits for commands, as its `PrepareIncoming` answered.
    pub endpoint: std::path::PathBuf,
    /// How the memory travels, as the same answer said.
    pub memory: MemoryPath,
}

/// How the memory of a domain travels; the destination's choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemoryPath {
    /// Through the nodes' own channel: the same socket's path on both hosts, the source's node listening on its own.
    Tunnelled(std::path::PathBuf),
    /// Straight over TCP to the destination's address, in the clear, on a port of its hypervisor's choice.
    Direct,
}

/// Whether a domain found on a destination has arrived: its guest is there as a whole, not a copy still coming in.
pub fn has_arrived(domain: &Domain) -> bool {
    match domain.state {
        DomainState::Paused(reason) => !matches!(reason, PauseReason::Migrating | PauseReason::Other),
        DomainState::Running | DomainState::ShuttingDown | DomainState::Crashed => true,
        DomainState::Off => false,
    }
}

/// How a domain goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrationOptions {
    /// The start id noted on the destination's domain; `None` keeps the source's.
    #[serde(default)]
    pub start_id: Option<Uuid>,
    /// Both hosts have the repositories of all disks plugged.
    #[serde(default)]
    pub disks_are_shared: bool,
    /// Compress memory.
    #[serde(default)]
    pub compress: bool,
    /// Slow the guest down if it writes faster than the network carries.
    #[serde(default)]
    pub auto_converge: bool,
    /// Upper limit per second.
    #[serde(default)]
    pub bandwidth: Option<Bytes>,
    /// Longest pause to aim at.
    #[serde(default)]
    pub max_downtime: Option<Duration>,
    /// Longest time for the whole; it is called off after that. `None` takes the host's setting.
    #[serde(default)]
    pub deadline: Option<Duration>,
    /// What the bridges of interfaces are called on the destination, by `device`, where they differ.
    #[serde(default)]
    pub bridges: std::collections::BTreeMap<u16, String>,
    /// Where the bytes of disks are on the destination, by `userdevice`, where it differs: what its `PrepareIncoming`
    /// answered.
    #[serde(default)]
    pub disks: std::collections::BTreeMap<u16, DiskSource>,
}

impl Default for MigrationOptions {
    fn default() -> Self {
        MigrationOptions {
            start_id: None,
            disks_are_shared: true,
            compress: false,
            auto_converge: true,
            bandwidth: None,
            max_downtime: None,
            deadline: None,
            bridges: std::collections::BTreeMap::new(),
            disks: std::collections::BTreeMap::new(),
        }
    }
}

/// How far a migration is on its source, or how it ended there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrationStatus {
    /// Where it stands.
    pub phase: MigrationPhase,
    /// The last figures; `None` before the first.
    pub progress: Option<MigrateProgress>,
    /// What the guest was found to write in a second, if a contract made that worth measuring.
    #[serde(default)]
    pub dirty_rate: Option<Bytes>,
}

/// Where a migration stands, as the source knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MigrationPhase {
    /// Memory travels; the guest runs on the source (or is in its last pause).
    Copying,
    /// The guest runs on the destination.
    Arrived,
    /// The source has ended the attempt. The guest is most probably on the source: both hosts must be asked before
    /// anything is undone, since the last message may have been lost.
    Failed(CommandError),
}

impl MigrationPhase {
    /// Whether nothing more will happen.
    pub fn is_over(&self) -> bool {
        !matches!(self, MigrationPhase::Copying)
    }
}
