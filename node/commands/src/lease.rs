//! Leases: how long a host may run guests without word from the leader, and who waits for whom. Pure; times come in.
//!
//! ```text
//!   asks         heard                      node ends    watchdog kills   lease over        leader starts
//!   (host's      (leader's                  the guests   what is left     (host's clock)    them elsewhere
//!    clock)       clock)                        │              │               │                 │
//!   ──┼────────────┼────────────────────────────┼──────────────┼───────────────┼─────────────────┼──►
//!     │◄──────────────────────── lease ────────────────────────────────────────►│
//!                  │◄──────────────────────── lease + drift ───────────────────────────────────►│
//! ```
//! The host counts from the moment *before* it asked, the leader from the moment *after* it heard: whatever the answer
//! takes on its way, the host's lease is over first. The two clocks are never compared; each need only run at a rate
//! within [`DRIFT_PER_MILLE`] of true time. A new leader counts every host as heard at the moment its reign began, since
//! nobody before it can have granted anything to a question asked later.
//!
//! A moment is a [`Duration`] since a fixed but arbitrary point of one clock that never goes back.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A clock may run so much faster or slower than true time, in thousandths. Quartz is within 0.1.
pub const DRIFT_PER_MILLE: u32 = 10;
/// The shortest lease: what is left of it after the margins must outlast an election and a busy moment.
pub const SHORTEST: Duration = Duration::from_secs(6);
/// The longest lease.
pub const LONGEST: Duration = Duration::from_secs(600);
/// The lease where nobody says otherwise: a network that is away for ten seconds ends nothing.
pub const USUAL: Duration = Duration::from_secs(15);

/// The lease of a pool whose `ha_configuration` says so many seconds, or nothing.
pub fn length(seconds: Option<u64>) -> Duration {
    seconds
        .map_or(USUAL, Duration::from_secs)
        .clamp(SHORTEST, LONGEST)
}

/// How long before the end of its lease a host acts. Both are the host's own settings: they shorten what it may do, so
/// hosts need not agree on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Margins {
    /// The node ends the guests this long before. It asks libvirt, which may take a second a guest.
    pub node: Duration,
    /// The watchdog kills what is left this long before.
    pub watchdog: Duration,
}

impl Default for Margins {
    fn default() -> Margins {
        Margins {
            node: Duration::from_secs(3),
            watchdog: Duration::from_millis(1500),
        }
    }
}

impl Margins {
    /// The margins as they are used: the watchdog acts after the node and before the lease ends, and half of the lease
    /// is left to run guests in.
    #[must_use]
    pub fn sane(self, lease: Duration) -> Margins {
        let node = self.node.min(lease / 2);
        Margins {
            node,
            watchdog: self.watchdog.min(node / 2),
        }
    }
}

/// The lease of one host as the host sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostLease {
    held: Option<Held>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    /// The question that was granted was asked at this moment.
    asked: Duration,
    length: Duration,
}

impl HostLease {
    /// Notes an answer to a question asked at a moment. `None` says that no lease is needed: high availability is off.
    ///
    /// An answer to an older question than one granted before changes nothing, be it a grant or a release: it was
    /// overtaken.
    pub fn answered(&mut self, asked: Duration, granted: Option<Duration>) {
        if self.held.is_some_and(|held| held.asked > asked) {
            return;
        }
        self.held = granted.map(|length| Held { asked, length });
    }

    /// Whether the host needs a lease to run guests.
    pub fn is_armed(&self) -> bool {
        self.held.is_some()
    }

    /// When the node ends the guests; `None` if it need not.
    pub fn node_acts(&self, margins: Margins) -> Option<Duration> {
        self.held
            .map(|held| held.end().saturating_sub(margins.sane(held.length).node))
    }

    /// When the watchdog kills what is left; `None` if it need not.
    pub fn watchdog_acts(&self, margins: Margins) -> Option<Duration> {
        self.held
            .map(|held| held.end().saturating_sub(margins.sane(held.length).watchdog))
    }

    /// Whether guests may be started and run at a moment.
    pub fn admits(&self, now: Duration, margins: Margins) -> bool {
        self.node_acts(margins).is_none_or(|at| now < at)
    }
}

impl Held {
    fn end(&self) -> Duration {
        self.asked.saturating_add(self.length)
    }
}

/// The leases of all hosts as the leader sees them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaderLeases {
    reign: Duration,
    heard: BTreeMap<Uuid, Heard>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Heard {
    at: Duration,
    armed: bool,
}

impl LeaderLeases {
    /// A reign begins, or high availability does: from here on every host is waited for in full.
    pub fn begin(&mut self, now: Duration) {
        self.reign = now;
        self.heard.clear();
    }

    /// A host has asked; to be noted before it is answered. It says whether it holds a lease now: one that it was granted
    /// and has not heard of, or has let run out since, is none.
    pub fn asked(&mut self, host: Uuid, armed: bool, now: Duration) {
        let heard = self.heard.entry(host).or_default();
        heard.at = now.max(heard.at);
        heard.armed = armed;
    }

    /// Whether a host has said in this reign that it runs guests by a lease, and that is not over. Before that it must be
    /// given none to run.
    pub fn may_run(&self, host: Uuid, length: Duration, now: Duration) -> bool {
        self.heard.get(&host).is_some_and(|heard| heard.armed) && !self.is_over(host, length, now)
    }

    /// Whether a host's lease is over for certain, by its own clock and with its guests ended.
    pub fn is_over(&self, host: Uuid, length: Duration, now: Duration) -> bool {
        let heard = self.heard.get(&host).map_or(Duration::ZERO, |heard| heard.at);
        now >= heard.max(self.reign).saturating_add(wait(length))
    }
}

/// How long a leader waits after it last heard of a host. The host's clock may be slow and the leader's fast.
pub fn wait(length: Duration) -> Duration {
    let drift = length.saturating_mul(2 * DRIFT_PER_MILLE + 1) / 1000;
    length.saturating_add(drift)
}

#[cfg(test)]
mod test;
