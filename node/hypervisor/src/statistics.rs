//! Counters of a live domain.

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
}
