//! What a host tells the leader unasked.

use std::collections::BTreeMap;

use node_hypervisor::{Domain, DomainEventKind};
use proto_types::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::machine::GuestReport;
use crate::measured::DomainFigures;

/// One message of a host's stream of events.
///
/// A stream begins with `Snapshot`, and so does every part of it after a loss, so that a listener that takes over
/// from another knows all it needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HostEvent {
    /// All domains of the host as they are now. What is not among them is not here. A migration that comes in shows as
    /// a paused domain.
    Snapshot {
        /// All domains.
        domains: Vec<Domain>,
        /// The repositories plugged on the host.
        #[serde(default)]
        plugged: Vec<Uuid>,
        /// Another number for each start of the host's node.
        #[serde(default)]
        node_start: Uuid,
    },
    /// Something happened to a domain.
    Domain {
        /// The VM.
        vm: Uuid,
        /// What happened.
        kind: DomainEventKind,
        /// How the domain was found just after, `None` if it is not there.
        now: Option<Domain>,
    },
    /// What the agent inside a guest says has changed, or it is no longer heard (`None`). After each `Snapshot` the last
    /// word of every guest is told again.
    Guest {
        /// The VM.
        vm: Uuid,
        /// Its guest's report.
        report: Option<Box<GuestReport>>,
    },
    /// Everything that others have changed about the host's domains, in words for people. Sent when that changes, and after
    /// each `Snapshot` once it has been looked for; a domain that is not named is as the pool has it.
    Drift {
        /// By VM.
        domains: BTreeMap<Uuid, Vec<String>>,
    },
    /// The host lives. Sent at a steady pace.
    Heartbeat {
        /// Counts from the node's start.
        number: u64,
        /// All memory.
        memory_total: Bytes,
        /// What new domains could take.
        memory_free: Bytes,
        /// Load of all CPUs since the last one, in thousandths; `None` the first time.
        cpu_permille: Option<u16>,
    },
    /// What was counted last, as far as records show it. Sent now and then, and when other domains are here.
    Figures {
        /// All memory.
        memory_total: Bytes,
        /// What new domains could take.
        memory_free: Bytes,
        /// Live domains.
        #[serde(default)]
        domains: Vec<DomainFigures>,
    },
}
