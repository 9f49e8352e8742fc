//! The replicated pool behind the ports of operations and gateway.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use gateway_server::api::ports::{Cluster, Leader, Role};
use gateway_server::latencies::{Ended, Latencies};
use pool_domain::{Database, Index, Outcome, Transaction};
use pool_ops::{PoolError, PoolPort};
use pool_raft::{Member, Pool, ProposeError};
use tokio::sync::watch;

/// How long the node waits for a leader to be known: an election is over before, and so is the doubt of a leader that a
/// busy machine answers late.
pub const DOUBT: Duration = Duration::from_secs(2);
/// How often a read asks again meanwhile.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// The pool of this node.
#[derive(Clone)]
pub struct ClusterAdapter {
    pool: Pool,
    commits: Arc<Latencies>,
    reign: Arc<watch::Sender<Option<u64>>>,
}

impl ClusterAdapter {
    /// Wraps the running node.
    pub fn new(pool: Pool) -> ClusterAdapter {
        ClusterAdapter {
            pool,
            commits: Arc::default(),
            reign: Arc::new(watch::Sender::new(None)),
        }
    }

    /// The term in which this node has taken over last what earlier leaders had begun. No call is answered before: what it
    /// begins would be taken for an earlier leader's, and taken from it.
    pub fn reign(&self) -> Arc<watch::Sender<Option<u64>>> {
        Arc::clone(&self.reign)
    }

    /// Waits a moment until this node has taken over in the term in which it leads now; whether it has.
    async fn has_taken_over(&self) -> bool {
        let leadership = self.pool.leadership();
        let has = |reign: &Option<u64>| {
            let now = leadership.borrow();
            now.is_me && *reign == Some(now.term)
        };
        let mut reign = self.reign.subscribe();
        let seen = tokio::time::timeout(ASK_AGAIN, reign.wait_for(has)).await;
        matches!(seen, Ok(Ok(_)))
    }

    /// How long writes took.
    pub fn commits(&self) -> Arc<Latencies> {
        Arc::clone(&self.commits)
    }
}

fn leader_of(member: Member) -> Leader {
    Leader {
        host: member.host,
        address: member.address,
    }
}

#[async_trait]
impl PoolPort for ClusterAdapter {
    fn snapshot(&self) -> Database {
        self.pool.snapshot()
    }

    #[tracing::instrument(name = "commit", skip_all, fields(request = %transaction.request, method = transaction.origin.method))]
    async fn propose(&self, transaction: Transaction) -> Result<(Outcome, Database), PoolError> {
        let began = Instant::now();
        let outcome = self.pool.propose(transaction).await;
        let ended = if outcome.is_ok() {
            Ended::Well
        } else {
            Ended::Badly
        };
        self.commits.note("write", began.elapsed(), ended);
        outcome.map_err(|error| match error {
            ProposeError::NotLeader { leader } => PoolError::NotLeader {
                leader: leader.map(|l| l.address),
            },
            ProposeError::TimedOut { .. } => PoolError::Unknown,
            ProposeError::TooLarge { size } => PoolError::TooLarge { bytes: size },
            ProposeError::Stopped => PoolError::Stopped,
        })
    }

    fn is_leader(&self) -> bool {
        let leadership = self.pool.leadership();
        let now = leadership.borrow();
        now.is_me && now.ready
    }
}

#[async_trait]
impl Cluster for ClusterAdapter {
    fn role(&self) -> Role {
        let leadership = self.pool.leadership();
        let now = leadership.borrow();
        match (&now.leader, now.is_me) {
            (_, true) => Role::Leader,
            (Some(leader), false) => Role::Follower(leader_of(leader.clone())),
            (None, false) => Role::Unknown,
        }
    }

    async fn changed(&self, seen: Index) {
        // It ends with the node only, and then nobody waits any more.
        let _ = self.pool.applied().wait_for(|applied| *applied > seen).await;
    }

    async fn read(&self) -> Result<Database, Role> {
        let until = Instant::now() + DOUBT;
        loop {
            let not = match self.pool.read_barrier().await {
                Ok(db) if self.has_taken_over().await => return Ok(db),
                Ok(_) if Instant::now() < until => continue,
                Ok(_) => return Err(Role::Unknown),
                Err(not) => not,
            };
            let role = match not.leader {
                Some(leader) => Role::Follower(leader_of(leader)),
                // The metrics may know more than the refused read.
                None => match self.role() {
                    Role::Leader => Role::Unknown,
                    other => other,
                },
            };
            if !matches!(role, Role::Unknown) || Instant::now() + ASK_AGAIN >= until {
                return Err(role);
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    fn snapshot(&self) -> Database {
        self.pool.snapshot()
    }
}
