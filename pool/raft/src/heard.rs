//! When this node last heard from a leader. Raft itself asks only for the sake of elections, and a follower that stands
//! alone goes on naming the leader it had.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// The moment, as milliseconds since the node started; 0 if it has heard nothing yet.
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

    /// A leader spoke.
    pub(crate) fn note(&self) {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.at.store(now.max(1), Ordering::Relaxed);
    }

    /// How long ago that was.
    pub(crate) fn since(&self) -> Option<Duration> {
        let at = self.at.load(Ordering::Relaxed);
        (at > 0).then(|| self.start.elapsed().saturating_sub(Duration::from_millis(at)))
    }
}
