//! Starting the consensus node.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use openraft::async_runtime::WatchReceiver;
use openraft::{Config, SnapshotPolicy};
use pool_store::{StoreConfig, StoreError};
use proto_wire::channel::Peers;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::cut::Cut;
use crate::handle::{Inner, Pool};
use crate::leader::{Heard, Leadership, Lease, Watcher};
use crate::network::{Moved, Network};
use crate::runtime::{Threads, go_before_others};
use crate::type_config::Raft;

/// How the consensus node runs. [`RaftConfig::new`] gives what is right for hosts in one room.
#[derive(Clone, Debug)]
pub struct RaftConfig {
    /// The node's id: [`pool_store::Node::id_of`] its host's uuid, else peers refuse what it says.
    pub node_id: u64,
    /// Directory of the store.
    pub state_dir: PathBuf,
    /// How often the leader shows that it lives.
    pub heartbeat: Duration,
    /// A follower that hears nothing for `election_max` and then a random time between the two asks for votes.
    pub election_min: Duration,
    /// See `election_min`; also how long a leader leads on without hearing from a quorum.
    pub election_max: Duration,
    /// Entries after which the log is cut off behind a new snapshot.
    pub snapshot_every: u64,
    /// Entries kept behind the snapshot, for members that were away briefly.
    pub keep_log: u64,
}

impl RaftConfig {
    /// The defaults: a dead leader is replaced in about 1.5 s; a follower must hear nothing for over a second
    /// before it so much as asks.
    pub fn new(node_id: u64, state_dir: impl Into<PathBuf>) -> RaftConfig {
        RaftConfig {
            node_id,
            state_dir: state_dir.into(),
            heartbeat: Duration::from_millis(300),
            election_min: Duration::from_millis(450),
            election_max: Duration::from_millis(800),
            snapshot_every: 10_000,
            keep_log: 2_000,
        }
    }
}

/// Why the node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store cannot be used; the node must stay out of the pool.
    #[error("store cannot be used")]
    Store(#[from] StoreError),
    /// It cannot be read whom this node does not listen to.
    #[error("the list of barred members cannot be read")]
    Barred(#[source] std::io::Error),
    /// Threads cannot be made.
    #[error("threads cannot be made")]
    Threads(#[source] std::io::Error),
    /// The times do not fit one another.
    #[error("settings do not fit: {0}")]
    Settings(String),
    /// The log and the state do not fit one another.
    #[error("consensus does not start: {0}")]
    Raft(String),
}

fn settings(config: &RaftConfig) -> Result<Config, StartError> {
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    Config {
        cluster_name: "tarn".to_owned(),
        heartbeat_interval: ms(config.heartbeat),
        election_timeout_min: ms(config.election_min),
        election_timeout_max: ms(config.election_max),
        enable_pre_vote: Some(true),
        max_payload_entries: 512,
        // A lone writer waits for disks that work at the same time, not one after the other.
        broadcast_submitted_on_append: Some(true),
        snapshot_policy: SnapshotPolicy::LogsSinceLast(config.snapshot_every.max(1)),
        max_in_snapshot_log_to_keep: config.keep_log,
        // A member further behind than what is kept anyway gets a snapshot.
        replication_lag_threshold: config
            .snapshot_every
            .saturating_mul(2)
            .saturating_add(config.keep_log),
        purge_batch_size: config.snapshot_every.div_ceil(10).max(1),
        // Transfers are watched part by part; the whole may take long.
        install_snapshot_timeout: 3_600_000,
        ..Config::default()
    }
    .validate()
    .map_err(|error| StartError::Settings(error.to_string()))
}

/// Starts the node: opens the store, loads the state, joins in if it belongs to a pool. A node of no pool waits
/// for [`Pool::initialise`], or for a leader that adds it.
///
/// Serve [`Pool::service`] on the node-to-node port right after, best on [`Pool::runtime`].
///
/// # Errors
/// [`StartError`]; nothing runs then.
pub async fn start(config: RaftConfig, peers: Peers) -> Result<Pool, StartError> {
    let settings = Arc::new(settings(&config)?);
    let threads = Threads::start().map_err(StartError::Threads)?;
    let handle = threads.handle();
    let started = handle.spawn(run(config, peers, settings, threads)).await;
    started.map_err(|error| StartError::Raft(error.to_string()))?
}

async fn run(
    config: RaftConfig,
    peers: Peers,
    settings: Arc<Config>,
    threads: Threads,
) -> Result<Pool, StartError> {
    let store_config = StoreConfig {
        path: config.state_dir.clone(),
        node_id: config.node_id,
        on_thread_start: go_before_others,
    };
    let opened = tokio::task::spawn_blocking(move || pool_store::open(&store_config))
        .await
        .map_err(|error| StartError::Raft(error.to_string()))??;
    let barred = crate::survive::barred(&config.state_dir).map_err(StartError::Barred)?;
    let promised = opened.log.has_vote();
    let store = opened.store;
    let cut = Cut::new();
    let moved = Arc::new(OnceLock::<Moved>::new());
    let network = Network {
        peers,
        cut: cut.clone(),
        append_timeout: config.election_max * 2,
        moved: Arc::clone(&moved),
    };
    let raft = match Raft::new(
        config.node_id,
        settings,
        network,
        opened.log,
        opened.state_machine,
    )
    .await
    {
        Ok(raft) => raft,
        Err(error) => {
            store.close();
            return Err(StartError::Raft(error.to_string()));
        }
    };
    let server = raft.server_metrics();
    let _ = moved.set(Box::new(move |id, known| {
        let metrics = server.borrow_watched();
        let now = metrics.membership_config.membership().get_node(&id)?;
        (now != known).then(|| now.clone())
    }));
    let lease = Arc::new(Lease::new());
    let heard = Arc::new(Heard::new());
    let handing_over = Arc::new(AtomicBool::new(false));
    let (announce, leadership) = watch::channel(Leadership::default());
    let watcher = Watcher {
        raft: raft.clone(),
        store: store.clone(),
        node_id: config.node_id,
        lease: Arc::clone(&lease),
        heard: Arc::clone(&heard),
        lost_after: config.election_max * 5,
        handing_over: Arc::clone(&handing_over),
        // Clocks of hosts may run apart by a little.
        lease_for: config.election_max * 4 / 5,
        every: config.heartbeat,
    };
    tokio::spawn(watcher.run(announce));
    let votes_from = if promised {
        Instant::now() + config.election_max
    } else {
        Instant::now()
    };
    Ok(Pool {
        inner: Arc::new(Inner {
            raft,
            store,
            node_id: config.node_id,
            leadership,
            lease,
            handing_over,
            cut,
            threads,
            votes_from,
            barred: Arc::new(barred),
            heard,
            retry_every: Duration::from_millis(10),
            fresh_for: config.election_max,
        }),
    })
}
