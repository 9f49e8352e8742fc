//! What the leader's node does besides answering: goes on with sagas, follows every host, ages sessions and tasks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use gateway_server::Api;
use gateway_server::handlers::certificate;
use node_commands::{HostCommand, HostEvent, HostReply};
use pool_domain::decide::host_life::Since;
use pool_domain::decide::session::SessionLimits;
use pool_domain::decide::{event, ha, host as hosts, pif_hardware as hardware, session, task};
use pool_ops::host::auto_start;
use pool_ops::reconcile::{self, Liveness};
use pool_ops::storage::{merge, sr as repositories};
use pool_ops::vm::scheduled::Schedules;
use pool_ops::vm::tpm;
use pool_ops::{HostAgents, Ops, registry};
use pool_raft::Pool;
use proto_types::generated::{host, tarn_member};
use proto_types::{DateTime, Ref};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::adapters::agents::Agents;
use crate::adapters::cluster::DOUBT;
use crate::facts::host_facts;
use crate::lease::Leases;
use crate::{certificates, keeper, members};

/// A host that says nothing for so long counts as away; it says that it lives every second.
const SILENCE: Duration = Duration::from_secs(6);
/// Between two looks for sessions and tasks past their time.
const SWEEP: Duration = Duration::from_secs(30);
/// Between two measurements of the repositories, as XenServer has it.
const MEASURE: Duration = Duration::from_secs(120);

/// What a reign works with.
#[derive(Clone)]
pub struct Realm {
    /// The group.
    pub pool: Pool,
    /// Operations.
    pub ops: Ops,
    /// The hosts.
    pub agents: Arc<Agents>,
    /// Their leases.
    pub leases: Arc<Leases>,
    /// The API, which notes the use of sessions.
    pub api: Arc<Api>,
    /// When sessions end.
    pub limits: watch::Receiver<SessionLimits>,
    /// Is told the term once all that earlier leaders had begun goes on here.
    pub reign: Arc<watch::Sender<Option<u64>>>,
}

/// Follows leadership until the node stops. A reign outlives a moment of doubt in its own term.
pub async fn follow(realm: Realm, stop: CancellationToken) {
    let mut leadership = realm.pool.leadership();
    let started = pool_ops::core::now();
    let mut reign: Option<(u64, CancellationToken)> = None;
    let mut doubt: Option<tokio::time::Instant> = None;
    loop {
        let now = leadership.borrow_and_update().clone();
        let leads = now.is_me && now.ready;
        let same_term = reign.as_ref().is_some_and(|(term, _)| *term == now.term);
        doubt = if same_term && !leads && now.leader.is_none() {
            doubt.or_else(|| Some(tokio::time::Instant::now() + DOUBT))
        } else {
            None
        };
        let patience = doubt.filter(|end| tokio::time::Instant::now() < *end);
        if let Some((_, token)) = &reign
            && (!same_term || !leads && patience.is_none())
        {
            token.cancel();
            reign = None;
        }
        if leads && reign.is_none() {
            let token = stop.child_token();
            // Before anything is decided: what earlier leaders granted is not known here.
            realm.leases.begin();
            tokio::spawn(lead(realm.clone(), now.term, started, token.clone()));
            reign = Some((now.term, token));
        }
        let out_of_patience = async {
            match patience {
                Some(end) => tokio::time::sleep_until(end).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = leadership.changed() => if changed.is_err() { break },
            () = out_of_patience => {}
            () = stop.cancelled() => break,
        }
    }
    if let Some((_, token)) = reign {
        token.cancel();
    }
}

async fn lead(realm: Realm, term: u64, started: DateTime, stop: CancellationToken) {
    let Realm {
        pool,
        ops,
        agents,
        leases,
        api,
        limits,
        reign,
    } = realm;
    let me = agents.own().host().to_string();
    let become_master = async || {
        ops.decide(&pool_ops::core::own("leadership"), |d| {
            if let Some(row) = d.db().by_uuid(host::CLASS, &me).map(|h| h.reference) {
                hosts::new_master(d, row);
                task::end_orphans(d, row, started);
            }
            Ok(())
        })
        .await
    };
    // In doubt for a moment it may fail, and the reign goes on.
    while let Err(error) = become_master().await {
        tracing::info!(%error, "leadership has not begun yet");
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
        }
    }
    let sagas = registry::recover(&ops);
    tracing::info!(sagas, "leads the pool");
    reign.send_replace(Some(term));
    let members = tokio::spawn(members::keep(pool.clone(), stop.clone()));
    tokio::spawn(keeper::keep(pool.clone(), ops.clone(), leases, stop.clone()));
    let mut followed: BTreeMap<Uuid, CancellationToken> = BTreeMap::new();
    let mut sweep = tokio::time::interval(SWEEP);
    let mut look = tokio::time::interval(Duration::from_secs(1));
    let mut measure = tokio::time::interval(MEASURE);
    let mut schedules = Schedules::default();
    let mut merging: Option<tokio::task::JoinHandle<()>> = None;
    let mut measuring: Option<tokio::task::JoinHandle<()>> = None;
    let is_idle = |task: &Option<tokio::task::JoinHandle<()>>| {
        task.as_ref().is_none_or(tokio::task::JoinHandle::is_finished)
    };
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = look.tick() => follow_hosts(&pool, &ops, &agents, &mut followed, &stop),
            _ = sweep.tick() => {
                let limits = *limits.borrow();
                clean(&ops, &api.take_activity(), limits).await;
                if let Err(error) = certificates::look_after(&ops).await {
                    tracing::debug!(%error, "the pool's authorities were not looked after");
                }
                tokio::spawn(tpm::fetch_all(ops.clone()));
                if let Some(me) = pool.snapshot().by_uuid(host::CLASS, &me).map(|h| h.reference) {
                    schedules.look(&ops, me).await;
                }
                if is_idle(&merging) {
                    merging = Some(tokio::spawn(merge::look(ops.clone())));
                }
            }
            _ = measure.tick() => if is_idle(&measuring) {
                measuring = Some(tokio::spawn(repositories::refresh_sizes(ops.clone())));
            },
        }
    }
    members.abort();
}

/// Begins to follow hosts that are new, and stops following those that have left.
fn follow_hosts(
    pool: &Pool,
    ops: &Ops,
    agents: &Arc<Agents>,
    followed: &mut BTreeMap<Uuid, CancellationToken>,
    stop: &CancellationToken,
) {
    let db = pool.snapshot();
    let present: BTreeMap<Uuid, Ref> = db
        .rows(host::CLASS)
        .filter_map(|h| Some((Uuid::try_parse(h.uuid()).ok()?, h.reference)))
        .collect();
    followed.retain(|uuid, token| {
        let stays = present.contains_key(uuid);
        if !stays {
            token.cancel();
        }
        stays
    });
    for (uuid, reference) in present {
        followed.entry(uuid).or_insert_with(|| {
            let token = stop.child_token();
            tokio::spawn(follow_host(
                ops.clone(),
                Arc::clone(agents),
                uuid,
                reference,
                token.clone(),
            ));
            token
        });
    }
}

async fn follow_host(ops: Ops, agents: Arc<Agents>, uuid: Uuid, reference: Ref, stop: CancellationToken) {
    let mut silent_since = tokio::time::Instant::now();
    while !stop.is_cancelled() {
        let ended = tokio::select! {
            ended = watch(&ops, &agents, uuid, reference, &mut silent_since) => ended,
            () = stop.cancelled() => return,
        };
        if let Err(reason) = ended {
            tracing::debug!(host = %uuid, reason, "the stream of a host ended");
        }
        // With high availability on, leases decide who is there.
        if silent_since.elapsed() > SILENCE
            && !ha::is_on(&ops.pool.snapshot())
            && let Err(error) = reconcile::set_live(&ops, reference, Liveness::Silent).await
        {
            tracing::debug!(%error, "liveness was not noted");
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn watch(
    ops: &Ops,
    agents: &Agents,
    uuid: Uuid,
    reference: Ref,
    silent_since: &mut tokio::time::Instant,
) -> Result<(), String> {
    let term = agents.term().ok_or("this node does not lead")?;
    if uuid == agents.own().host() {
        let mut events = agents.own().watch(term).await.map_err(|e| e.text)?;
        while let Some(event) = events.next().await {
            *silent_since = tokio::time::Instant::now();
            take(ops, agents, uuid, reference, event).await?;
        }
        return Ok(());
    }
    let client = agents.client(uuid).ok_or("no member")?;
    let stream = client
        .watch(term, Duration::from_secs(3))
        .await
        .map_err(|e| e.to_string())?;
    let mut stream = std::pin::pin!(stream);
    loop {
        match tokio::time::timeout(SILENCE, stream.next()).await {
            Err(_) => return Err("silence".to_owned()),
            Ok(None) => return Ok(()),
            Ok(Some(Err(error))) => return Err(error.to_string()),
            Ok(Some(Ok(event))) => {
                *silent_since = tokio::time::Instant::now();
                take(ops, agents, uuid, reference, event).await?;
            }
        }
    }
}

async fn take(
    ops: &Ops,
    agents: &Agents,
    uuid: Uuid,
    reference: Ref,
    event: HostEvent,
) -> Result<(), String> {
    if agents.is_given_up(uuid) {
        // What it says of its guests is no longer believed until it has a lease again.
        return Err("its lease is over".to_owned());
    }
    let since = if matches!(event, HostEvent::Snapshot { .. }) {
        describe(ops, agents, uuid, reference).await
    } else {
        Since::Nothing
    };
    reconcile::take(ops, reference, event)
        .await
        .map_err(|e| e.to_string())?;
    if since == Since::Booted {
        // What ran there before is known to be down by now, and its storage is plugged.
        let ops = ops.clone();
        tokio::spawn(async move { auto_start::start_all(&ops, reference).await });
    }
    Ok(())
}

/// Brings the record of a host up to date with what it is now, and says whether it has been started anew since.
async fn describe(ops: &Ops, agents: &Agents, uuid: Uuid, reference: Ref) -> Since {
    let answer = agents
        .call(uuid, Uuid::new_v4(), HostCommand::Facts, Duration::from_secs(10))
        .await;
    let Ok(HostReply::Facts(facts)) = answer else {
        return Since::Nothing;
    };
    let db = ops.pool.snapshot();
    let Some(row) = db.of_class(host::CLASS, reference) else {
        return Since::Nothing;
    };
    let address = db
        .rows(tarn_member::CLASS)
        .find(|m| m.get(tarn_member::HOST).as_ref() == reference)
        .map_or_else(
            || row.get(host::ADDRESS).as_str().to_owned(),
            |m| m.get(tarn_member::ADDRESS).as_str().to_owned(),
        );
    let described = host_facts(uuid, row.get(host::HOSTNAME).as_str(), &address, &facts);
    let noted = ops
        .decide(&pool_ops::core::own("host facts"), |d| {
            let since = hosts::refresh(d, reference, &described);
            hardware::refresh(d, reference, &described.nics);
            certificate::note(d, reference, &facts.certificates);
            Ok(since)
        })
        .await;
    match noted {
        Ok((since, _)) => since,
        Err(error) => {
            tracing::debug!(%error, "a host's facts were not noted");
            Since::Nothing
        }
    }
}

/// Notes which sessions were used, and removes sessions and tasks past their time.
async fn clean(ops: &Ops, used: &[(Ref, DateTime)], limits: SessionLimits) {
    let cleaned = ops
        .decide(&pool_ops::core::own("ageing"), |d| {
            session::note_activity(d, used);
            let now = d.facts().now;
            for old in session::expired(d.db(), now, limits) {
                d.delete(old);
            }
            task::collect_garbage(d);
            event::collect_garbage(d);
            Ok(())
        })
        .await;
    if let Err(error) = cleaned {
        tracing::debug!(%error, "nothing was aged out");
    }
}
