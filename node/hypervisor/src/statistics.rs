//! Counters of a live domain.

use std::collections::BTreeMap;
use std::time::Duration;

use proto_types::Bytes;
use serde::{Deserialize, Serialize};

use crate::device::{DiskIndex, NicIndex};

/// Counters of a live domain, from its start on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainStatistics {
    /// Processor time of the whole domain.
    pub cpu_time: Duration,
    /// Processor time of each virtual CPU, by its number.
    pub vcpu_times: Vec<Duration>,
    /// Memory.
    pub memory: MemoryStatistics,
    /// Disks with a medium.
    pub disks: Vec<DiskStatistics>,
    /// Network interfaces.
    pub nics: Vec<NicStatistics>,
}

/// Memory of a live domain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryStatistics {
    /// What the balloon leaves to the guest.
    pub actual: Bytes,
    /// The domain's maximum.
    pub maximum: Bytes,
    /// What the guest says it has in all; `None` without balloon driver.
    pub guest_total: Option<Bytes>,
    /// What the guest says is free; `None` without balloon driver.
    pub guest_free: Option<Bytes>,
    /// What the emulator occupies on the host.
    pub resident: Option<Bytes>,
}

/// Counters of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskStatistics {
    /// Which one.
    pub index: DiskIndex,
    /// Bytes read.
    pub read: Bytes,
    /// Bytes written.
    pub written: Bytes,
    /// Read requests.
    pub read_requests: u64,
    /// Write requests.
    pub write_requests: u64,
    /// Time spent on reads, summed over requests; zero if it is not known.
    #[serde(default)]
    pub read_time: Duration,
    /// Time spent on writes, summed over requests; zero if it is not known.
    #[serde(default)]
    pub write_time: Duration,
}

/// Counters of a network interface, as the host sees them turned round: `received` is what the guest received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NicStatistics {
    /// Which one.
    pub index: NicIndex,
    /// Bytes the guest received.
    pub received: Bytes,
    /// Bytes the guest sent.
    pub sent: Bytes,
    /// Packets received.
    pub received_packets: u64,
    /// Packets sent.
    pub sent_packets: u64,
    /// Packets that the guest could not receive.
    #[serde(default)]
    pub receive_errors: u64,
    /// Packets that the guest could not send.
    #[serde(default)]
    pub send_errors: u64,
}

/// A live domain with its counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedDomain {
    /// The hypervisor's number of it; another one means that counters began anew.
    pub id: i64,
    /// Whether its processors run.
    pub running: bool,
    /// Its counters.
    pub statistics: DomainStatistics,
}

/// Counters of a host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostStatistics {
    /// Busy time of each logical processor since the host's start.
    pub cpu_times: Vec<Duration>,
    /// All memory.
    pub memory_total: Bytes,
    /// What new domains could take now.
    pub memory_free: Bytes,
    /// Mean number of tasks that ran or wanted to, over the last minute.
    pub load: f64,
    /// Its network interfaces by name: all that the kernel knows, not NICs alone.
    pub links: BTreeMap<String, LinkStatistics>,
}

/// Counters of one of a host's network interfaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkStatistics {
    /// Bytes received.
    pub received: Bytes,
    /// Bytes sent.
    pub sent: Bytes,
    /// Packets received with errors.
    pub receive_errors: u64,
    /// Packets not sent for errors.
    pub send_errors: u64,
}
