//! The pool as the rest of the node sees it: propose, read, watch, change members. Nobody else names openraft.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use openraft::ReadPolicy;
use openraft::errors::{ClientWriteError, LinearizableReadError, RaftError};
use pool_domain::{Database, Index, Outcome, Transaction};
use pool_store::{Command, Digest, Node, Response, Store};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::cut::Cut;
use crate::leader::{Leadership, Lease};
use crate::membership::MembershipError;
use crate::runtime::Threads;
use crate::status::{Standing, Status};
use crate::type_config::Raft;

/// A member of the pool as Raft knows it.
pub type Member = Node;

/// How long [`Pool::propose`] goes on trying where the caller names no deadline.
pub const PROPOSE_DEADLINE: Duration = Duration::from_secs(10);

/// The largest encoded transaction that is accepted, in bytes.
pub const LARGEST_TRANSACTION: usize = 8 * 1024 * 1024;

/// This node does not lead the pool, or does not know any more whether it does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this node is not the leader")]
pub struct NotLeader {
    /// The leader as far as this node knows; `None` during an election, when cut off, or when stopped.
    pub leader: Option<Member>,
}

/// A transaction that was not, or perhaps not, written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// Nothing was written: another node leads.
    #[error("this node is not the leader")]
    NotLeader {
        /// The leader, if known.
        leader: Option<Member>,
    },
    /// It may be written yet, or never. Ask again with the same request id.
    #[error("the outcome was not known within {after:?}")]
    TimedOut {
        /// How long was waited.
        after: Duration,
    },
    /// Nothing was written: the transaction is larger than [`LARGEST_TRANSACTION`].
    #[error("a transaction of {size} bytes is too large")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
    },
    /// The node has stopped serving, by order or after a storage failure.
    #[error("this node has stopped")]
    Stopped,
}

impl ProposeError {
    /// Says whether the same proposal may succeed later, here or at the leader.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            ProposeError::NotLeader { .. } | ProposeError::TimedOut { .. }
        )
    }
}

/// The running consensus node. Cheap to copy; all copies are the same node.
#[derive(Clone)]
pub struct Pool {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) raft: Raft,
    pub(crate) store: Store,
    pub(crate) node_id: u64,
    pub(crate) leadership: watch::Receiver<Leadership>,
    pub(crate) lease: Arc<Lease>,
    /// Set while leadership is being handed over: reads then ask the core, which knows.
    pub(crate) handing_over: Arc<AtomicBool>,
    pub(crate) cut: Cut,
    pub(crate) threads: Threads,
    pub(crate) votes_from: Instant,
    /// When a leader was last heard.
    pub(crate) heard: Arc<crate::leader::Heard>,
    /// Members of a pool that this node has left behind.
    pub(crate) barred: Arc<std::collections::BTreeSet<u64>>,
    pub(crate) retry_every: Duration,
    /// A member that answered within this time is taken to be alive.
    pub(crate) fresh_for: Duration,
}

impl Pool {
    /// The latest applied state of this node, be it leader or not. Cheap. May be behind the leader's.
    pub fn snapshot(&self) -> Database {
        self.inner.store.database()
    }

    /// A state that holds every write acknowledged before the call, on the leader only.
    ///
    /// Costs nothing while the leader's lease is fresh, else one round to a quorum. Cancel-safe.
    ///
    /// # Errors
    /// [`NotLeader`] if another node leads, during an election, or when this node has lost its quorum: a
    /// leader that is cut off answers so once its lease has run out.
    pub async fn read_barrier(&self) -> Result<Database, NotLeader> {
        let inner = &self.inner;
        if !inner.handing_over.load(Ordering::Acquire) && inner.lease.is_fresh() && !inner.store.has_failed()
        {
            return Ok(self.snapshot());
        }
        match inner.raft.ensure_linearizable(ReadPolicy::ReadIndex).await {
            Ok(_) if !inner.store.has_failed() => Ok(self.snapshot()),
            Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(forward))) => {
                // Consensus goes on naming a leader that is dead.
                let heard = inner.leadership.borrow().leader.is_some();
                Err(NotLeader {
                    leader: self.other(forward.leader_node).filter(|_| heard),
                })
            }
            Ok(_) | Err(_) => Err(NotLeader { leader: None }),
        }
    }

    /// Writes a transaction, waiting at most [`PROPOSE_DEADLINE`]; see [`Pool::propose_within`].
    ///
    /// # Errors
    /// As [`Pool::propose_within`].
    pub async fn propose(&self, transaction: Transaction) -> Result<(Outcome, Database), ProposeError> {
        self.propose_within(transaction, PROPOSE_DEADLINE).await
    }

    /// Writes a transaction: returns once a quorum has it on disk and this node has applied it.
    ///
    /// The database is one at or after the entry. Repeating a request id answers the first outcome. During an
    /// election that this node may win, the call waits for its end. Dropping the future does not take the
    /// proposal back.
    ///
    /// # Errors
    /// See [`ProposeError`]; only `TimedOut` leaves the outcome open.
    pub async fn propose_within(
        &self,
        transaction: Transaction,
        within: Duration,
    ) -> Result<(Outcome, Database), ProposeError> {
        let command = Command::encode(&transaction);
        drop(transaction);
        if command.len() > LARGEST_TRANSACTION {
            return Err(ProposeError::TooLarge { size: command.len() });
        }
        let response = self.write(command, within).await?;
        Ok((response.outcome, self.snapshot()))
    }

    #[tracing::instrument(name = "replicate", skip_all, fields(bytes = command.len(), index = tracing::field::Empty))]
    async fn write(&self, command: Command, within: Duration) -> Result<Response, ProposeError> {
        let deadline = Instant::now() + within;
        // Once the log may hold the entry, a later refusal does not mean that nothing was written.
        let mut perhaps_written = false;
        loop {
            let attempt =
                tokio::time::timeout_at(deadline, self.inner.raft.client_write(command.clone())).await;
            let refused = match attempt {
                Err(_) => return Err(ProposeError::TimedOut { after: within }),
                Ok(Ok(written)) => {
                    tracing::Span::current().record("index", written.log_id.index);
                    return Ok(written.data);
                }
                Ok(Err(RaftError::Fatal(_))) => return Err(ProposeError::Stopped),
                Ok(Err(RaftError::APIError(error))) => error,
            };
            let leader = match refused {
                ClientWriteError::ForwardToLeader(forward) => forward.leader_node,
                ClientWriteError::LogEntryDiscarded(forward) => {
                    perhaps_written = true;
                    forward.leader_node
                }
                ClientWriteError::ChangeMembershipError(_) | ClientWriteError::PreconditionFailed(_) => {
                    return Err(ProposeError::Stopped);
                }
            };
            if let Some(leader) = self.other(leader) {
                return Err(if perhaps_written {
                    ProposeError::TimedOut { after: within }
                } else {
                    ProposeError::NotLeader { leader: Some(leader) }
                });
            }
            // An election is under way, or a quorum has not yet confirmed this leader: ask again soon.
            if Instant::now() + self.inner.retry_every >= deadline {
                return Err(if perhaps_written {
                    ProposeError::TimedOut { after: within }
                } else {
                    ProposeError::NotLeader { leader: None }
                });
            }
            tokio::time::sleep(self.inner.retry_every).await;
        }
    }

    /// Who leads, as this node sees it; changes are announced on the channel.
    pub fn leadership(&self) -> watch::Receiver<Leadership> {
        self.inner.leadership.clone()
    }

    /// The applied index; changes are announced on the channel.
    pub fn applied(&self) -> watch::Receiver<Index> {
        self.inner.store.applied()
    }

    /// Waits until this node has applied `index`; `false` if that did not happen before the deadline.
    pub async fn wait_applied(&self, index: Index, deadline: Instant) -> bool {
        let mut applied = self.inner.store.applied();
        let wait = applied.wait_for(|at| *at >= index);
        matches!(tokio::time::timeout_at(deadline, wait).await, Ok(Ok(_)))
    }

    /// Adds a member: as learner first, and as voter once it has caught up. Idempotent. On the leader only.
    ///
    /// # Errors
    /// See [`MembershipError`]. After a time-out the node may be left a learner; calling again goes on.
    pub async fn add_member(&self, member: Member, within: Duration) -> Result<(), MembershipError> {
        crate::membership::add(self, member, Standing::Voter, within).await
    }

    /// Adds a member that takes the log in and never votes. Idempotent; one that votes already goes on voting. On the leader
    /// only.
    ///
    /// # Errors
    /// See [`MembershipError`].
    pub async fn add_learner(&self, member: Member, within: Duration) -> Result<(), MembershipError> {
        crate::membership::add(self, member, Standing::Learner, within).await
    }

    /// Removes a member, which may be down or be this node. Idempotent. On the leader only.
    ///
    /// # Errors
    /// See [`MembershipError`].
    pub async fn remove_member(&self, node_id: u64, within: Duration) -> Result<(), MembershipError> {
        crate::membership::remove(self, node_id, within).await
    }

    /// Hands leadership to a member that has caught up, and waits until it leads. On the leader only.
    ///
    /// # Errors
    /// See [`MembershipError`]; this node may lead on after an error.
    pub async fn transfer_leader(&self, to: u64, within: Duration) -> Result<(), MembershipError> {
        crate::membership::transfer(self, to, within).await
    }

    /// The members of the pool in the newest configuration this node has seen, with whether each votes.
    pub fn members(&self) -> Vec<(Member, crate::status::Standing)> {
        crate::status::members(&self.inner.raft)
    }

    /// What `tarn status` shows.
    pub fn status(&self) -> Status {
        crate::status::status(self)
    }

    /// A digest of the state at the applied index, to compare nodes by. Takes milliseconds per thousand rows.
    pub async fn digest(&self) -> Option<Digest> {
        let db = self.snapshot();
        tokio::task::spawn_blocking(move || pool_store::digest(&db))
            .await
            .ok()
    }

    /// Takes a snapshot now and cuts off the log behind it, keeping what the settings say.
    ///
    /// # Errors
    /// [`ProposeError::Stopped`] if the node has stopped.
    pub async fn compact(&self) -> Result<(), ProposeError> {
        self.inner
            .raft
            .trigger()
            .snapshot()
            .await
            .map_err(|_| ProposeError::Stopped)
    }

    /// The open store.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// This node's id.
    pub fn node_id(&self) -> u64 {
        self.inner.node_id
    }

    /// The runtime whose threads run before others; serve the node-to-node port on it, so that a busy API
    /// does not delay heartbeats.
    pub fn runtime(&self) -> tokio::runtime::Handle {
        self.inner.threads.handle()
    }

    /// The gRPC service that other members call; add it to the server of the node-to-node port.
    pub fn service(&self) -> proto_wire::raft::raft_server::RaftServer<crate::server::RaftService> {
        let inner = &self.inner;
        crate::server::service(
            inner.raft.clone(),
            inner.store.clone(),
            inner.cut.clone(),
            inner.votes_from,
            Arc::clone(&inner.barred),
            Arc::clone(&inner.heard),
        )
    }

    /// Whether this node listens to a host: not to a member of a pool that it has left behind, unless that has been taken
    /// into this one again.
    pub fn listens_to(&self, host: uuid::Uuid) -> bool {
        let id = Node::id_of(host);
        !self.inner.barred.contains(&id) || self.members().iter().any(|(m, _)| m.node_id == id)
    }

    /// Whether a host's word counts for this node: it is a member, or this node knows of no members yet. One that was sent
    /// away still has a certificate of the pool's.
    pub fn counts(&self, host: uuid::Uuid) -> bool {
        let (id, members) = (Node::id_of(host), self.members());
        id == self.inner.node_id || members.is_empty() || members.iter().any(|(m, _)| m.node_id == id)
    }

    /// A switch that makes this node drop all Raft traffic, both ways: for tests of partitions.
    pub fn cut(&self) -> Cut {
        self.inner.cut.clone()
    }

    /// Resolves when the node has stopped by itself, because its storage failed; says why.
    pub async fn failed(&self) -> String {
        self.inner.store.failed().await
    }

    /// Says whether this node belongs to a pool: it has been initialised, or has heard of a leader.
    pub async fn is_initialised(&self) -> bool {
        self.inner.raft.is_initialized().await.unwrap_or(false)
    }

    /// Makes a pool of one: this node, with the first transactions applied in order.
    ///
    /// # Errors
    /// [`InitialiseError::AlreadyInitialised`] if the store belongs to a pool.
    pub async fn initialise(
        &self,
        first: Member,
        transactions: Vec<Transaction>,
    ) -> Result<(), InitialiseError> {
        let members = std::collections::BTreeMap::from([(first.node_id, first)]);
        match self.inner.raft.initialize(members).await {
            Ok(()) => {}
            Err(RaftError::APIError(_)) => return Err(InitialiseError::AlreadyInitialised),
            Err(RaftError::Fatal(_)) => return Err(InitialiseError::Write(ProposeError::Stopped)),
        }
        for transaction in transactions {
            match self.propose(transaction).await {
                Ok((Outcome::Applied(_), _)) => {}
                Ok((Outcome::Conflict(_), _)) => return Err(InitialiseError::Conflict),
                Err(error) => return Err(InitialiseError::Write(error)),
            }
        }
        Ok(())
    }

    /// Stops the node. The store is closed when this returns and all copies of the handle are gone.
    pub async fn shutdown(&self) {
        if let Err(error) = self.inner.raft.shutdown().await {
            tracing::warn!(%error, "raft did not stop cleanly");
        }
        self.inner.store.close();
    }

    /// The node, unless it is this one.
    fn other(&self, leader: Option<Member>) -> Option<Member> {
        leader.filter(|l| l.node_id != self.inner.node_id)
    }
}

/// A pool that was not made.
#[derive(Debug, thiserror::Error)]
pub enum InitialiseError {
    /// The store belongs to a pool.
    #[error("this node already belongs to a pool")]
    AlreadyInitialised,
    /// The first transactions contradict one another.
    #[error("the first transactions do not follow from one another")]
    Conflict,
    /// The first transactions could not be written.
    #[error("the first transactions were not written")]
    Write(#[source] ProposeError),
}
