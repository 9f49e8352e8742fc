//! What a live migration needs to know and tells.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use proto_types::Bytes;
use serde::{Deserialize, Serialize};

use crate::device::{DiskIndex, DiskSource, NicIndex};

/// The shortest pause that an emulated guest is moved with. QEMU 7.2 copies in further rounds while more than the pause's
/// worth is left, and its emulation loses writes of a guest between two rounds that follow soon; with a pause of this
/// length the first round is the last. Source: measured, `node/decisions/0013`.
pub const EMULATED_DOWNTIME: Duration = Duration::from_secs(2);

/// Where a domain goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrateTarget {
    /// A Unix socket on the *source* host whose bytes arrive at the destination's [`MigrationEndpoint::socket`].
    pub control_socket: PathBuf,
    /// How the memory travels, as seen from the source: `tcp://host` or `tcp://host:port`, or `unix:/path` where forwarded. Unused by the simulation.
    pub data_uri: Option<String>,
    /// Address on which the destination waits for the memory; `None` is any.
    pub listen_address: Option<String>,
}

/// Where a destination waits for the source's commands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrationEndpoint {
    /// A Unix socket on the destination host.
    pub socket: PathBuf,
}

/// How a domain goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrateOptions {
    /// The operation noted on the destination's domain; `None` keeps the source's.
    pub operation: Option<String>,
    /// The caller knows that both hosts see the same disks, whatever the hypervisor believes.
    pub disks_are_shared: bool,
    /// Compress memory pages.
    pub compress: bool,
    /// Slow the guest down if it writes faster than the network carries.
    pub auto_converge: bool,
    /// Several connections for memory; 0 and 1 mean one.
    pub parallel: u16,
    /// Upper limit per second; `None` is none.
    pub bandwidth: Option<Bytes>,
    /// Longest pause of the guest to aim at.
    pub max_downtime: Option<Duration>,
    /// Longest time for the whole; it is called off after that.
    pub deadline: Option<Duration>,
    /// What is called otherwise on the destination.
    pub destination: DestinationChanges,
}

/// What is called otherwise on the destination host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestinationChanges {
    /// Disks whose source differs there.
    pub disks: BTreeMap<DiskIndex, DiskSource>,
    /// Bridges that are called otherwise there.
    pub bridges: BTreeMap<NicIndex, String>,
}

impl DestinationChanges {
    /// Whether everything is called the same.
    pub fn is_empty(&self) -> bool {
        self.disks.is_empty() && self.bridges.is_empty()
    }
}

/// How far a migration is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrateProgress {
    /// Bytes to carry over in all, as known now; grows while the guest writes.
    pub total: Bytes,
    /// Bytes carried over.
    pub processed: Bytes,
    /// Bytes still to go.
    pub remaining: Bytes,
    /// Since the beginning.
    pub elapsed: Duration,
    /// The guest's pause, once known.
    pub downtime: Option<Duration>,
}

impl MigrateProgress {
    /// Whole per cents done, 0 to 100. Never shrinks by itself, but may if the guest writes much.
    pub fn percent(&self) -> u8 {
        if self.total.0 == 0 {
            return 0;
        }
        let done = self.total.0.saturating_sub(self.remaining.0);
        u8::try_from(u128::from(done) * 100 / u128::from(self.total.0))
            .unwrap_or(100)
            .min(100)
    }
}

/// Called from time to time while a migration runs. Must return at once.
pub type ProgressSink = Arc<dyn Fn(MigrateProgress) + Send + Sync>;

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn percent_stays_within_its_range() {
        let p = |total, remaining| {
            MigrateProgress {
                total: Bytes(total),
                remaining: Bytes(remaining),
                ..Default::default()
            }
            .percent()
        };
        assert_eq!(
            [
                p(0, 0),
                p(100, 100),
                p(100, 1),
                p(100, 0),
                p(1, 5),
                p(u64::MAX, 0)
            ],
            [0, 0, 99, 100, 0, 100]
        );
    }
}
