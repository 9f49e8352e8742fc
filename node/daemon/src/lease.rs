//! Leases between nodes: this host asks for its own, and the leader remembers who has asked.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use node_agent::Agent;
use node_agent::guard::{NotTaken, clock};
use node_commands::lease::{LeaderLeases, length};
use pool_domain::Database;
use pool_domain::decide::ha;
use pool_raft::Pool;
use proto_types::generated::host;
use proto_wire::channel::{Lane, Peers};
use proto_wire::pool::LeaseRequest;
use proto_wire::pool::pool_client::PoolClient;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// No answer is waited for less long than this.
const SHORTEST_WAIT: Duration = Duration::from_millis(500);

/// What the leader knows of all hosts' leases. It begins anew with each reign.
pub struct Leases {
    pool: Pool,
    table: Mutex<LeaderLeases>,
}

/// A host that is asking may not have a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMember;

impl Leases {
    /// For a node.
    pub fn new(pool: Pool) -> Leases {
        Leases {
            pool,
            table: Mutex::default(),
        }
    }

    /// From now on every host is waited for in full: this node's reign begins, or high availability does.
    pub fn begin(&self) {
        self.table().begin(clock());
    }

    /// Answers a host that asks for more time, on a leader and by a state at or after the question.
    ///
    /// # Errors
    /// If the host is none of the pool.
    pub fn ask(&self, db: &Database, asking: Uuid, armed: bool) -> Result<Option<Duration>, NoMember> {
        if db.by_uuid(host::CLASS, &asking.to_string()).is_none() {
            return Err(NoMember);
        }
        // Noted first: what is granted must be waited for.
        self.table().asked(asking, armed, clock());
        Ok(ha::lease(db).map(length))
    }

    /// Whether high availability is on and a host's lease is over for certain: nothing runs there.
    pub fn is_over(&self, host: Uuid) -> bool {
        let db = self.pool.snapshot();
        ha::is_on(&db)
            && ha::lease(&db).is_some_and(|seconds| self.table().is_over(host, length(seconds), clock()))
    }

    /// Whether a host may be given guests to run: always without high availability, else while it runs them by a lease.
    pub fn may_run(&self, host: Uuid) -> bool {
        match ha::lease(&self.pool.snapshot()) {
            None => true,
            Some(seconds) => self.table().may_run(host, length(seconds), clock()),
        }
    }

    fn table(&self) -> std::sync::MutexGuard<'_, LeaderLeases> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks for this host's lease again and again, until stopped; not while its watchdog is away, so that the lease runs out
/// then unless it comes back.
pub async fn renew(
    pool: Pool,
    peers: Peers,
    agent: Agent,
    leases: Arc<Leases>,
    every: Duration,
    stop: CancellationToken,
) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let wait = every.max(SHORTEST_WAIT);
    let mut watched = true;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => return,
        }
        if pool.cut().is_cut() {
            continue;
        }
        if agent.guard().is_watched() != watched {
            watched = !watched;
            if watched {
                tracing::info!("the watchdog is there again");
            } else {
                tracing::error!("the watchdog is away: without it this host does not renew its lease");
            }
        }
        if !watched {
            continue;
        }
        // Before the question is sent: the lease runs from here.
        let asked = clock();
        let armed = agent.guard().is_armed();
        let holds = agent.guard().holds_lease();
        match tokio::time::timeout(wait, ask(&pool, &peers, &leases, agent.host(), holds)).await {
            Ok(Ok(granted)) => {
                if granted.is_some() != armed {
                    tracing::info!(?granted, "guests run by a lease from now on, or no longer");
                }
                match agent.guard().answered(asked, granted) {
                    Ok(()) => {}
                    Err(NotTaken::Lapsed) => {
                        tracing::warn!("the lease is not renewed before its guests are ended")
                    }
                    Err(NotTaken::NotWritten(error)) => {
                        tracing::error!(%error, "the lease was not written for the watchdog");
                    }
                }
            }
            Ok(Err(reason)) => tracing::debug!(reason, "the lease was not renewed"),
            Err(_) => tracing::debug!("the leader did not answer in time: the lease was not renewed"),
        }
    }
}

async fn ask(
    pool: &Pool,
    peers: &Peers,
    leases: &Leases,
    own: Uuid,
    armed: bool,
) -> Result<Option<Duration>, String> {
    let leadership = pool.leadership().borrow().clone();
    if leadership.is_me {
        let db = pool.read_barrier().await.map_err(|e| e.to_string())?;
        return leases
            .ask(&db, own, armed)
            .map_err(|_| "this host is none of the pool".to_owned());
    }
    let leader = leadership.leader.ok_or("nobody leads")?;
    let channel = peers.channel(leader.host, &leader.address, leader.port, Lane::Raft);
    let reply = PoolClient::new(channel)
        .renew_lease(LeaseRequest { armed })
        .await
        .map_err(|status| status.message().to_owned())?
        .into_inner();
    Ok((reply.length_ms > 0).then(|| Duration::from_millis(reply.length_ms)))
}
