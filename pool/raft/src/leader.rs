//! Who leads, and for how long this node may answer as the leader without asking.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use openraft::Instant as _;
use openraft::async_runtime::WatchReceiver;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::handle::Member;
use crate::type_config::{Metrics, Raft};
use pool_store::Store;

/// Leadership as one node sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leadership {
    /// The Raft term. Never falls; at most one node leads in a term.
    pub term: u64,
    /// The leader of the term, if known and, where it is this node, still in touch with a quorum.
    pub leader: Option<Member>,
    /// This node leads and a quorum has confirmed it within the lease.
    pub is_me: bool,
    /// This node leads and has applied every entry of earlier terms: what it decides rests on all of them.
    pub ready: bool,
}

/// Until when this node may answer reads as leader: milliseconds would do, nanoseconds since start are kept.
pub(crate) struct Lease {
    start: Instant,
    until: AtomicU64,
}

impl Lease {
    pub(crate) fn new() -> Lease {
        Lease {
            start: Instant::now(),
            until: AtomicU64::new(0),
        }
    }

    pub(crate) fn is_fresh(&self) -> bool {
        self.since_start(Instant::now()) < self.until.load(Ordering::Acquire)
    }

    fn extend_to(&self, until: Instant) {
        self.until.store(self.since_start(until), Ordering::Release);
    }

    fn end(&self) {
        self.until.store(0, Ordering::Release);
    }

    fn since_start(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.start).as_nanos()).unwrap_or(u64::MAX)
    }
}

/// When a leader was last heard of: consensus itself goes on naming one that is dead until another is elected, which
/// without a majority never happens.
pub(crate) struct Heard {
    start: Instant,
    at: AtomicU64,
}

impl Heard {
    pub(crate) fn new() -> Heard {
        Heard {
            start: Instant::now(),
            at: AtomicU64::new(0),
        }
    }

    /// It was heard just now.
    pub(crate) fn note(&self) {
        let nanos = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.at.fetch_max(nanos, Ordering::Relaxed);
    }

    fn ago(&self) -> Duration {
        self.start
            .elapsed()
            .saturating_sub(Duration::from_nanos(self.at.load(Ordering::Relaxed)))
    }
}

/// What the watcher needs to know.
pub(crate) struct Watcher {
    pub(crate) raft: Raft,
    pub(crate) store: Store,
    pub(crate) node_id: u64,
    pub(crate) lease: Arc<Lease>,
    pub(crate) heard: Arc<Heard>,
    /// A leader that is not heard for so long is none: an election would have ended long ago.
    pub(crate) lost_after: Duration,
    pub(crate) handing_over: Arc<AtomicBool>,
    /// How long after a quorum's acknowledgement this node answers without asking; shorter than the time
    /// for which followers refuse to elect another.
    pub(crate) lease_for: Duration,
    pub(crate) every: Duration,
}

impl Watcher {
    /// Follows the metrics until Raft stops or nobody listens.
    pub(crate) async fn run(self, announce: watch::Sender<Leadership>) {
        let mut metrics = self.raft.metrics();
        let mut server = self.raft.server_metrics();
        loop {
            let seen: Metrics = metrics.borrow_watched().clone();
            let stopped = seen.running_state.is_err() || self.store.has_failed();
            let now = if stopped {
                self.stopped(&seen)
            } else {
                self.judge(&seen)
            };
            // A leader that no quorum has confirmed yet is one that was just elected, or one in doubt.
            let leads = seen.state == openraft::ServerState::Leader;
            let settled = stopped || !leads || now.ready;
            announce.send_if_modified(|before| {
                let changed = *before != now;
                if changed {
                    if before.is_me && !now.is_me || before.term != now.term {
                        self.handing_over.store(false, Ordering::Release);
                    }
                    tracing::info!(term = now.term, leader = ?now.leader.as_ref().map(|l| l.host), is_me = now.is_me, ready = now.ready, "leadership");
                    *before = now;
                }
                changed
            });
            if stopped || announce.is_closed() {
                return;
            }
            // Steady leadership needs a look per heartbeat; a young one is followed closely.
            let alive = tokio::select! {
                changed = server.changed() => changed.is_ok(),
                changed = metrics.changed(), if !settled => changed.is_ok(),
                () = tokio::time::sleep(self.every) => true,
            };
            if !alive {
                let last = metrics.borrow_watched().clone();
                announce.send_replace(self.stopped(&last));
                return;
            }
        }
    }

    fn stopped(&self, seen: &Metrics) -> Leadership {
        self.lease.end();
        Leadership {
            term: seen.current_term,
            ..Leadership::default()
        }
    }

    fn judge(&self, seen: &Metrics) -> Leadership {
        let membership = seen.membership_config.membership();
        let leader = seen
            .current_leader
            .and_then(|id| membership.get_node(&id).cloned());
        let leads = seen.current_leader == Some(self.node_id) && seen.state == openraft::ServerState::Leader;
        if !leads {
            self.lease.end();
            let lost = self.heard.ago() > self.lost_after;
            return Leadership {
                term: seen.current_term,
                leader: leader.filter(|_| !lost),
                is_me: false,
                ready: false,
            };
        }
        let mut voters = membership.voter_ids();
        let alone = voters.next() == Some(self.node_id) && voters.next().is_none();
        let votes = membership.voter_ids().any(|id| id == self.node_id);
        let now = Instant::now();
        let until = if alone {
            Some(now + self.lease_for)
        } else {
            // The library's instants are of a type of their own: go by their age.
            seen.last_quorum_acked
                .and_then(|at| now.checked_sub(at.into_inner().elapsed()))
                .map(|at| at + self.lease_for)
        };
        let fresh = until.is_some_and(|until| now < until);
        let ready = fresh
            && seen
                .last_applied
                .as_ref()
                .is_some_and(|log_id| log_id.committed_leader_id().term == seen.current_term);
        match until {
            // A leader on its way out of the pool does not answer by lease.
            Some(until) if ready && votes => self.lease.extend_to(until),
            Some(_) | None => self.lease.end(),
        }
        Leadership {
            term: seen.current_term,
            leader: if fresh { leader } else { None },
            is_me: fresh,
            ready,
        }
    }
}
