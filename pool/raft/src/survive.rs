//! The way on for a pool whose majority is lost for good: one member becomes the only one that votes.
//!
//! This breaks the promise that consensus makes. What the majority has acknowledged and this member has not on disk is
//! lost; what this member has on disk and nobody acknowledged becomes true. If the others are alive after all there are
//! two pools. So it is done by an operator, on a stopped node, and the others are barred: whatever they say of elections
//! and log entries this member does not listen to, until it has taken them in again.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use openraft::entry::RaftEntry;
use openraft::storage::{RaftLogStorage, RaftLogStorageExt, RaftStateMachine};
use openraft::{EntryPayload, RaftLogReader};
use pool_store::{Entry, LogId, Membership, Opened, StoreConfig, Vote};

use crate::handle::Member;
use crate::start::RaftConfig;

/// File of a node's folder with the ids of those that are barred.
const BARRED: &str = "barred.json";

/// Why a member did not become the only one that votes.
#[derive(Debug, thiserror::Error)]
pub enum SurviveError {
    /// The store cannot be used, for instance because the node runs.
    #[error("store cannot be used")]
    Store(#[from] pool_store::StoreError),
    /// The store belongs to no pool.
    #[error("this node has never been a member of a pool")]
    NoMember,
    /// A file or the log could not be read or written.
    #[error("the log cannot be changed")]
    Log(#[source] io::Error),
}

/// What was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survived {
    /// The members that are barred from now on.
    pub barred: Vec<Member>,
    /// The last entry that counts.
    pub last: u64,
}

/// The members that this node does not listen to unless they are of its pool again.
///
/// # Errors
/// If the file is there and cannot be read: whoever forgets whom it barred must not go on.
pub fn barred(state_dir: &Path) -> io::Result<BTreeSet<u64>> {
    match std::fs::read(state_dir.join(BARRED)) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(error),
    }
}

/// Bars more members.
///
/// # Errors
/// If the file cannot be written.
pub fn bar(state_dir: &Path, more: impl IntoIterator<Item = u64>) -> io::Result<()> {
    let mut all = barred(state_dir)?;
    all.extend(more);
    std::fs::create_dir_all(state_dir)?;
    let fresh = state_dir.join("barred.new");
    let file = std::fs::File::create(&fresh)?;
    serde_json::to_writer(&file, &all).map_err(io::Error::other)?;
    file.sync_all()?;
    std::fs::rename(&fresh, state_dir.join(BARRED))?;
    std::fs::File::open(state_dir)?.sync_all()
}

/// Makes a stopped node the only one that votes. The next [`crate::start`] elects it. Done twice it comes to the same.
///
/// # Errors
/// [`SurviveError`]; the node is then as it was, but for others that may be barred already.
pub async fn survive_alone(config: &RaftConfig, own: Member) -> Result<Survived, SurviveError> {
    let store = StoreConfig {
        path: config.state_dir.clone(),
        node_id: config.node_id,
        on_thread_start: || {},
    };
    let Opened {
        store,
        mut log,
        mut state_machine,
    } = pool_store::open(&store)?;
    let answer = rewrite(config, own, &mut log, &mut state_machine).await;
    drop((log, state_machine));
    store.close();
    answer
}

async fn rewrite(
    config: &RaftConfig,
    own: Member,
    log: &mut pool_store::LogStore,
    state: &mut pool_store::StateMachine,
) -> Result<Survived, SurviveError> {
    let (applied, of_state) = state.applied_state().await.map_err(SurviveError::Log)?;
    let ends = log.get_log_state().await.map_err(SurviveError::Log)?;
    let vote = log
        .get_log_reader()
        .await
        .read_vote()
        .await
        .map_err(SurviveError::Log)?;
    let last = [ends.last_log_id, ends.last_purged_log_id, applied]
        .into_iter()
        .flatten()
        .max_by_key(|at| at.index)
        .ok_or(SurviveError::NoMember)?;
    let mut members: BTreeMap<u64, Member> = of_state
        .membership()
        .nodes()
        .map(|(id, node)| (*id, node.clone()))
        .collect();
    members.extend(members_in_log(log, applied.map_or(0, |at| at.index), last.index).await?);
    members.remove(&own.node_id);
    bar(&config.state_dir, members.keys().copied()).map_err(SurviveError::Log)?;
    let term = vote
        .map_or(0, |v| v.leader_id().term)
        .max(last.committed_leader_id().term)
        .saturating_add(1);
    let id = own.node_id;
    let alone = Membership::new(vec![BTreeSet::from([id])], BTreeMap::from([(id, own)]))
        .map_err(|error| SurviveError::Log(io::Error::other(error.to_string())))?;
    let at = LogId::new_term_index(term, last.index.saturating_add(1));
    log.blocking_append([Entry::new_membership(at, alone)])
        .await
        .map_err(|error| SurviveError::Log(io::Error::other(error.to_string())))?;
    // Not a leader's vote: it stands for election once more, which it wins with its own vote.
    log.save_vote(&Vote::new(term, id))
        .await
        .map_err(SurviveError::Log)?;
    Ok(Survived {
        barred: members.into_values().collect(),
        last: last.index,
    })
}

/// Members named by configurations that the state does not hold yet.
async fn members_in_log(
    log: &mut pool_store::LogStore,
    applied: u64,
    last: u64,
) -> Result<BTreeMap<u64, Member>, SurviveError> {
    let mut reader = log.get_log_reader().await;
    let entries: Vec<Entry> = reader
        .try_get_log_entries(applied.saturating_add(1)..last.saturating_add(1))
        .await
        .map_err(SurviveError::Log)?;
    let mut found = BTreeMap::new();
    for entry in entries {
        if let EntryPayload::Membership(membership) = entry.payload {
            found.extend(membership.nodes().map(|(id, node)| (*id, node.clone())));
        }
    }
    Ok(found)
}
