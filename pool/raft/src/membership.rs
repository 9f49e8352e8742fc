//! Members come and go: learner, caught up, voter; and the guarded way out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use openraft::ChangeMembers;
use openraft::errors::{ChangeMembershipError, ClientWriteError, RaftError};
use pool_store::Node;
use tokio::time::Instant;

use crate::handle::{Member, Pool};
use crate::status::Standing;

/// A learner this near the end of the log may vote: the rest comes while the change is agreed on.
const NEAR: u64 = 1000;
/// How often a wait looks again.
const LOOK: Duration = Duration::from_millis(20);

/// A change of members or leader that did not happen, or perhaps not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MembershipError {
    /// Another node leads.
    #[error("this node is not the leader")]
    NotLeader {
        /// The leader, if known.
        leader: Option<Member>,
    },
    /// It was not done in time; asking again goes on where this ended.
    #[error("not done within {after:?}: {step}")]
    TimedOut {
        /// What was being waited for.
        step: &'static str,
        /// How long was waited.
        after: Duration,
    },
    /// There is no such member.
    #[error("node {node_id} is no member")]
    Unknown {
        /// The id.
        node_id: u64,
    },
    /// The last voter cannot leave.
    #[error("node {node_id} is the only member that votes")]
    LastVoter {
        /// The id.
        node_id: u64,
    },
    /// Too few of those that would stay are answering: the pool would stand still.
    #[error("only {alive} of the {needed} members needed would be answering")]
    WouldLoseQuorum {
        /// Voters that would stay and are answering.
        alive: usize,
        /// Voters needed for a quorum.
        needed: usize,
    },
    /// The library refused the change.
    #[error("change of members refused: {why}")]
    Refused {
        /// Its reason.
        why: String,
    },
    /// The node has stopped.
    #[error("this node has stopped")]
    Stopped,
}

/// One change of the configuration, tried again while another is under way.
async fn change(
    pool: &Pool,
    members: ChangeMembers<u64, Node>,
    step: &'static str,
    began: Instant,
    within: Duration,
) -> Result<(), MembershipError> {
    let deadline = began + within;
    let timed_out = || MembershipError::TimedOut { step, after: within };
    loop {
        let attempt = pool.inner.raft.change_membership(members.clone(), false);
        match tokio::time::timeout_at(deadline, attempt)
            .await
            .map_err(|_| timed_out())?
        {
            Ok(_) => return Ok(()),
            Err(RaftError::Fatal(_)) => return Err(MembershipError::Stopped),
            Err(RaftError::APIError(error)) => match error {
                ClientWriteError::ForwardToLeader(forward) if forward.leader_node.is_some() => {
                    let leader = forward.leader_node.filter(|l| l.node_id != pool.inner.node_id);
                    if leader.is_some() {
                        return Err(MembershipError::NotLeader { leader });
                    }
                }
                ClientWriteError::ForwardToLeader(_)
                | ClientWriteError::LogEntryDiscarded(_)
                | ClientWriteError::ChangeMembershipError(ChangeMembershipError::InProgress(_)) => {}
                ClientWriteError::ChangeMembershipError(error) => {
                    return Err(MembershipError::Refused {
                        why: error.to_string(),
                    });
                }
                ClientWriteError::PreconditionFailed(error) => {
                    return Err(MembershipError::Refused {
                        why: error.to_string(),
                    });
                }
            },
        }
        if Instant::now() + LOOK >= deadline {
            return Err(timed_out());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Waits until it is certain who leads: a leader may miss its quorum's answer for a moment.
async fn require_leader(pool: &Pool, began: Instant, within: Duration) -> Result<(), MembershipError> {
    let mut leadership = pool.leadership();
    let certain = leadership.wait_for(|l| l.is_me || l.leader.is_some());
    match tokio::time::timeout_at(began + within, certain).await {
        Ok(Ok(now)) if now.is_me => Ok(()),
        Ok(Ok(now)) => Err(MembershipError::NotLeader {
            leader: now.leader.clone(),
        }),
        Ok(Err(_)) => Err(MembershipError::Stopped),
        Err(_) => Err(MembershipError::NotLeader { leader: None }),
    }
}

fn find(pool: &Pool, node_id: u64) -> Option<(Member, Standing)> {
    pool.members()
        .into_iter()
        .find(|(member, _)| member.node_id == node_id)
}

pub(crate) async fn add(
    pool: &Pool,
    member: Member,
    wanted: Standing,
    within: Duration,
) -> Result<(), MembershipError> {
    let began = Instant::now();
    let id = member.node_id;
    require_leader(pool, began, within).await?;
    let known = find(pool, id);
    match &known {
        Some((node, _)) if *node == member => {}
        // The same host under another address.
        Some(_) => {
            let nodes = BTreeMap::from([(id, member)]);
            change(pool, ChangeMembers::SetNodes(nodes), "new address", began, within).await?;
        }
        None => {
            let nodes = BTreeMap::from([(id, member)]);
            change(pool, ChangeMembers::AddNodes(nodes), "learner", began, within).await?;
        }
    }
    if wanted == Standing::Learner || known.is_some_and(|(_, standing)| standing == Standing::Voter) {
        return Ok(());
    }
    caught_up(pool, id, NEAR, began, within).await?;
    change(
        pool,
        ChangeMembers::AddVoterIds(BTreeSet::from([id])),
        "voter",
        began,
        within,
    )
    .await
}

/// Waits until a member has all but the last `near` entries on disk.
async fn caught_up(
    pool: &Pool,
    id: u64,
    near: u64,
    began: Instant,
    within: Duration,
) -> Result<(), MembershipError> {
    loop {
        require_leader(pool, began, within).await?;
        let status = pool.status();
        let member = status.members.iter().find(|m| m.member.node_id == id);
        let behind = member.and_then(|m| m.lag.filter(|_| m.matched.is_some_and(|at| at > 0)));
        if behind.is_some_and(|lag| lag <= near) {
            return Ok(());
        }
        if began.elapsed() >= within {
            return Err(MembershipError::TimedOut {
                step: "catching up",
                after: within,
            });
        }
        tokio::time::sleep(LOOK).await;
    }
}

pub(crate) async fn remove(pool: &Pool, node_id: u64, within: Duration) -> Result<(), MembershipError> {
    let began = Instant::now();
    require_leader(pool, began, within).await?;
    let Some((_, standing)) = find(pool, node_id) else {
        return Ok(());
    };
    if standing == Standing::Learner {
        return change(
            pool,
            ChangeMembers::RemoveNodes(BTreeSet::from([node_id])),
            "removal",
            began,
            within,
        )
        .await;
    }
    let status = pool.status();
    let staying: Vec<_> = status
        .members
        .iter()
        .filter(|m| m.standing == Standing::Voter && m.member.node_id != node_id)
        .collect();
    if staying.is_empty() {
        return Err(MembershipError::LastVoter { node_id });
    }
    let recent = pool.inner.fresh_for;
    let alive = staying
        .iter()
        .filter(|m| m.member.node_id == pool.inner.node_id || m.heard.is_some_and(|heard| heard < recent))
        .count();
    let needed = staying.len() / 2 + 1;
    if alive < needed {
        return Err(MembershipError::WouldLoseQuorum { alive, needed });
    }
    change(
        pool,
        ChangeMembers::RemoveVoters(BTreeSet::from([node_id])),
        "removal",
        began,
        within,
    )
    .await
}

pub(crate) async fn transfer(pool: &Pool, to: u64, within: Duration) -> Result<(), MembershipError> {
    let began = Instant::now();
    require_leader(pool, began, within).await?;
    if to == pool.inner.node_id {
        return Ok(());
    }
    if !find(pool, to).is_some_and(|(_, standing)| standing == Standing::Voter) {
        return Err(MembershipError::Unknown { node_id: to });
    }
    // A target that lags would leave the pool without leader until an election.
    caught_up(pool, to, 8, began, within).await?;
    pool.inner.handing_over.store(true, Ordering::Release);
    let asked = pool.inner.raft.trigger().transfer_leader(to).await;
    let result = match asked {
        Ok(()) => {
            let mut leadership = pool.leadership();
            let done = leadership.wait_for(|l| l.leader.as_ref().is_some_and(|leader| leader.node_id == to));
            match tokio::time::timeout_at(began + within, done).await {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(_)) => Err(MembershipError::Stopped),
                Err(_) => Err(MembershipError::TimedOut {
                    step: "new leader",
                    after: within,
                }),
            }
        }
        Err(_) => Err(MembershipError::Stopped),
    };
    // The target may yet ask for votes: no reading by lease until such a request would long be dead.
    let handing_over = std::sync::Arc::clone(&pool.inner.handing_over);
    let wait = pool.inner.fresh_for * 4;
    pool.runtime().spawn(async move {
        tokio::time::sleep(wait).await;
        handing_over.store(false, Ordering::Release);
    });
    result
}
