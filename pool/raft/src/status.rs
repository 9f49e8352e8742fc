//! What an operator asks of the consensus node.

use openraft::async_runtime::WatchReceiver;
use openraft::{Instant as _, ServerState};
use pool_domain::Index;
use std::time::Duration;

use crate::handle::{Member, Pool};
use crate::type_config::Raft;

/// Whether a member counts for the quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It votes.
    Voter,
    /// It does not vote: it is catching up, or only learns.
    Learner,
}

/// What this node does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Leads.
    Leader,
    /// Follows.
    Follower,
    /// Asks for votes.
    Candidate,
    /// Does not vote.
    Learner,
    /// Has stopped.
    Stopped,
}

/// One member as the leader sees it; on other nodes only who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberStatus {
    /// Who.
    pub member: Member,
    /// Whether it votes.
    pub standing: Standing,
    /// The last index it is known to have on disk; only the leader knows.
    pub matched: Option<Index>,
    /// Entries it is behind the leader's log; only the leader knows.
    pub lag: Option<u64>,
    /// How long ago it last answered; only the leader knows.
    pub heard: Option<Duration>,
}

/// The state of the consensus node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// This node.
    pub node_id: u64,
    /// Its role.
    pub role: Role,
    /// Its term.
    pub term: u64,
    /// The leader it knows.
    pub leader: Option<Member>,
    /// Whether it leads with a quorum behind it, or has heard from the leader lately.
    pub in_touch: bool,
    /// The last index in its log.
    pub last_log: Index,
    /// The last index known to be committed.
    pub committed: Index,
    /// The last index applied.
    pub applied: Index,
    /// The index its newest snapshot stands for; 0 if there is none.
    pub snapshot: Index,
    /// Entries up to this index have been cut off the log.
    pub purged: Index,
    /// Every member.
    pub members: Vec<MemberStatus>,
    /// Why the store cannot be used any more, if so.
    pub failure: Option<String>,
}

pub(crate) fn members(raft: &Raft) -> Vec<(Member, Standing)> {
    let metrics = raft.server_metrics().borrow_watched().clone();
    let membership = metrics.membership_config.membership();
    let voters: Vec<u64> = membership.voter_ids().collect();
    membership
        .nodes()
        .map(|(id, node)| {
            (
                node.clone(),
                if voters.contains(id) {
                    Standing::Voter
                } else {
                    Standing::Learner
                },
            )
        })
        .collect()
}

pub(crate) fn status(pool: &Pool) -> Status {
    let raft = &pool.inner.raft;
    let metrics = raft.metrics().borrow_watched().clone();
    let last_log = metrics.last_log_index.unwrap_or(0);
    let index = |log_id: &Option<pool_store::LogId>| log_id.as_ref().map_or(0, |at| at.index);
    let role = if metrics.running_state.is_err() {
        Role::Stopped
    } else {
        match metrics.state {
            ServerState::Leader => Role::Leader,
            ServerState::Follower => Role::Follower,
            ServerState::Candidate => Role::Candidate,
            ServerState::Learner => Role::Learner,
            ServerState::Shutdown => Role::Stopped,
        }
    };
    let members = members(raft)
        .into_iter()
        .map(|(member, standing)| {
            let id = member.node_id;
            let matched = metrics
                .replication
                .as_ref()
                .and_then(|all| all.get(&id))
                .map(index);
            let heard = metrics
                .heartbeat
                .as_ref()
                .and_then(|all| all.get(&id).copied().flatten())
                .map(|at| at.into_inner().elapsed());
            MemberStatus {
                member,
                standing,
                matched,
                lag: matched.map(|at| last_log.saturating_sub(at)),
                heard,
            }
        })
        .collect();
    Status {
        node_id: pool.inner.node_id,
        role,
        term: metrics.current_term,
        in_touch: role != Role::Stopped && pool.leadership().borrow().leader.is_some(),
        leader: pool.leadership().borrow().leader.clone(),
        last_log,
        committed: index(&metrics.cluster_committed),
        applied: index(&metrics.last_applied),
        snapshot: index(&metrics.snapshot),
        purged: index(&metrics.purged),
        members,
        failure: pool.inner.store.failure(),
    }
}
