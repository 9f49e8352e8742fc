//! Puts the parts of a node together and runs them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use gateway_server::api::fair::Lanes;
use gateway_server::api::{ApiParts, Service};
use gateway_server::{Api, GatewayConfig, TransportLimits, serve};
use node_agent::{AgentService, GrpcDialer};
use pool_domain::decide::session::SessionLimits;
use pool_ops::Ops;
use pool_raft::{Pool, RaftConfig, start};
use proto_types::generated::host;
use proto_wire::channel::{Credentials, Peers, accept, peer_host};
use proto_wire::pool::pool_server::PoolServer;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Status};

use crate::adapters::agents::Agents;
use crate::adapters::archives::PoolArchives;
use crate::adapters::audit::AuditAdapter;
use crate::adapters::cluster::ClusterAdapter;
use crate::adapters::drill::DrillAdapter;
use crate::adapters::figures::FiguresAdapter;
use crate::adapters::forward::ForwardAdapter;
use crate::adapters::membership::MembershipAdapter;
use crate::adapters::streams::StreamAdapter;
use crate::adapters::survival::SurvivalAdapter;
use crate::audit::{Kept, Trail};
use crate::certificates::Keeper;
use crate::config::{self, Config};
use crate::leader::Realm;
use crate::lease::Leases;
use crate::pool_service::{PoolService, sent_away};
use crate::supervisor::{Supervisor, monotonic};
use crate::{Ended, departure, identity, leader, lease, parts, past, report, survival, telemetry};

/// With less room the database would soon stop again in the middle of its work.
const LEAST_ROOM: u64 = 16 * 1024 * 1024;
/// The wait after a wrong password over the network.
///
/// Source: XenServer's log-in takes about so long when it fails.
const WRONG_PASSWORD: Duration = Duration::from_secs(5);

/// Encodes a result for `task.result`.
pub fn encode(value: &proto_types::Value) -> String {
    gateway_codec::xmlrpc::task_result(value)
}

fn sessions(config: &Config) -> SessionLimits {
    SessionLimits {
        most: config.session.most,
        idle_seconds: config.session.idle_seconds,
    }
}

/// Takes on what can change while the node runs, and says what waits for its next start. Settings that are not right
/// change nothing.
fn reload(
    file: &Path,
    current: &mut Config,
    telemetry: &telemetry::Guard,
    limits: &watch::Sender<SessionLimits>,
) {
    let new = match config::load(file) {
        Ok(new) => new,
        Err(error) => {
            tracing::error!("the settings stay as they were: {error:#}");
            return;
        }
    };
    telemetry.set_log(&new.telemetry);
    tracing::debug!(log = new.telemetry.log, "the log tells so much from now on");
    limits.send_replace(sessions(&new));
    let waiting = config::needs_restart(current, &new);
    if waiting.is_empty() {
        tracing::info!("settings read anew");
    } else {
        tracing::warn!(
            "settings read anew; what waits for the node's next start: {}",
            waiting.join(", ")
        );
    }
    current.telemetry.log = new.telemetry.log;
    current.session = new.session;
}

/// Turns away those that are of a pool which this node has left behind, and everybody while it plays dead in a drill.
fn listened_to(pool: Pool) -> impl FnMut(Request<()>) -> Result<Request<()>, Status> + Clone {
    move |request| {
        if pool.cut().is_cut() {
            return Err(Status::unavailable("this node is cut off"));
        }
        let host = peer_host(&request)?;
        if !pool.listens_to(host) {
            return Err(Status::permission_denied(
                "this node has left the pool that the caller is of",
            ));
        }
        if !pool.counts(host) {
            return Err(sent_away());
        }
        Ok(request)
    }
}

/// Runs the node until it is told to stop, or changes the pool it belongs to.
///
/// # Errors
/// When a part cannot start: an address is taken, the store is damaged, the host belongs to no pool.
pub async fn run(file: &Path) -> Result<Ended> {
    let mut config = config::load(file)?;
    let learns = identity::is_learner(&config.node.state_dir);
    if learns {
        // It runs no guests: nothing of a hypervisor need be there.
        config.node.hypervisor = config::Hypervisor::Sim;
    }
    let telemetry = telemetry::start(&config.telemetry, &config.node.name)?;
    let supervisor = Supervisor::from_environment();
    let dir = &config.node.state_dir;
    identity::take_next(dir)?;
    departure::begin_alone(&config).await?;
    identity::settle(dir, |who| Credentials::new(who).is_ok())?;
    survival::at_start(&config).await?;
    let who = identity::load(dir)?;
    let credentials = Credentials::new(&who).context("load certificates")?;
    let peers = Peers::new(credentials.clone());
    let room = report::room(dir);
    ensure!(
        room.total == 0 || room.free >= LEAST_ROOM,
        "only {} left where this node keeps its state, {}: too little for the pool database; this node stays out",
        report::size(room.free),
        dir.display()
    );
    let raft = RaftConfig::new(pool_raft::Member::new(who.host, "", 0).node_id, dir.join("raft"));
    let pool = start(raft, peers.clone())
        .await
        .context("open the pool database; this node stays out")?;
    let keeper = Keeper::load(dir, who.clone(), credentials.clone(), peers.clone(), pool.clone())?;
    let agent = parts::agent(
        &config,
        who.host,
        Some(Arc::new(keeper.clone())),
        parts::dialer(&peers),
    )
    .await?;
    let stop = CancellationToken::new();
    let restart = CancellationToken::new();

    let cluster = ClusterAdapter::new(pool.clone());
    agent.practise_with(Arc::new(DrillAdapter::new(pool.clone())));
    let leases = Arc::new(Leases::new(pool.clone()));
    let agents = Arc::new(Agents::new(
        agent.clone(),
        peers.clone(),
        pool.clone(),
        Arc::clone(&leases),
    ));
    agent.metrics().ask_elsewhere(Arc::new(PoolArchives {
        pool: pool.clone(),
        agents: Arc::downgrade(&agents),
    }));
    let ops = Ops {
        pool: Arc::new(cluster.clone()),
        agents: agents.clone(),
        transfers: Arc::default(),
        turns: Arc::default(),
        encode,
    };
    keeper.begin(ops.clone());
    let (set_sessions, limits) = watch::channel(sessions(&config));
    let kept = Kept {
        file_bytes: config.audit.file_bytes,
        files: config.audit.files,
    };
    let trail = Trail::start(&dir.join("audit"), kept).context("open the audit trail")?;
    let survival = SurvivalAdapter {
        pool: pool.clone(),
        agent: agent.clone(),
        peers: peers.clone(),
        config: config.clone(),
        restart: restart.clone(),
    };
    let (own, state) = (who.host.to_string(), pool.clone());
    let api = Api::new(ApiParts {
        ops: ops.clone(),
        cluster: Arc::new(cluster.clone()),
        forwarder: Arc::new(ForwardAdapter {
            peers: peers.clone(),
            pool: pool.clone(),
        }),
        membership: Arc::new(MembershipAdapter {
            pool: pool.clone(),
            agent: agent.clone(),
            config: config.clone(),
            restart: restart.clone(),
            ops: ops.clone(),
            keeper: keeper.clone(),
        }),
        survival: Arc::new(survival.clone()),
        streams: Arc::new(StreamAdapter {
            own: agent.clone(),
            dialer: GrpcDialer::new(peers.clone()),
            pool: pool.clone(),
        }),
        figures: Arc::new(FiguresAdapter {
            agent: agent.clone(),
            pool: pool.clone(),
            commits: cluster.commits(),
            state_dir: dir.clone(),
        }),
        trail: Arc::new(AuditAdapter {
            own: trail.clone(),
            host: who.host,
            pool: pool.clone(),
            peers: peers.clone(),
        }),
        host: Arc::new(move || {
            state
                .snapshot()
                .by_uuid(host::CLASS, &own)
                .map(|h| h.reference)
                .unwrap_or_default()
        }),
        sessions: limits.clone(),
        lanes: Lanes::default(),
        wrong_password: WRONG_PASSWORD,
    });

    let listener = TcpListener::bind(config.listen.grpc)
        .await
        .context("listen for other nodes")?;
    let services = tonic::transport::Server::builder()
        // The memory of guests comes in large pieces; at the default of 16 KiB each would be cut into many.
        .max_frame_size(Some(1024 * 1024))
        .initial_stream_window_size(4 * 1024 * 1024)
        .initial_connection_window_size(8 * 1024 * 1024)
        .add_service(pool.service())
        .add_service(InterceptedService::new(
            AgentService::server(agent, telemetry::hooks()),
            listened_to(pool.clone()),
        ))
        .add_service(
            PoolServer::new(PoolService {
                ops: ops.clone(),
                pool: pool.clone(),
                api: Arc::clone(&api),
                state_dir: dir.clone(),
                trail: trail.clone(),
                leases: Arc::clone(&leases),
                survival: survival.clone(),
            })
            .max_decoding_message_size(proto_wire::LARGEST_MESSAGE),
        );
    let ended = stop.clone();
    let nodes = pool.runtime().spawn(async move {
        let incoming = accept(listener, credentials);
        services
            .serve_with_incoming_shutdown(incoming, ended.cancelled_owned())
            .await
    });

    if !learns {
        // Among what runs before others: a busy API must not cost the lease.
        pool.runtime().spawn(lease::renew(
            pool.clone(),
            peers.clone(),
            agents.own().clone(),
            Arc::clone(&leases),
            Duration::from_millis(config.ha.renew_ms.max(100)),
            stop.clone(),
        ));
    }

    let gateway = GatewayConfig {
        https: config.listen.https,
        http: config.listen.http,
        unix: config.listen.socket.clone(),
        identity: keeper.api(),
        limits: TransportLimits {
            connections: config.limits.connections,
            connections_per_peer: config.limits.connections_per_address,
            ..TransportLimits::default()
        },
    };
    let handle = serve(gateway, Arc::new(Service(Arc::clone(&api))), stop.clone())
        .await
        .context("listen for clients")?;
    let departure = departure::watch(pool.clone(), peers, who.host, dir.clone(), restart.clone());
    let departure = tokio::spawn(async move {
        // It is no host that could go on alone.
        if !learns {
            departure.await;
        }
    });
    let keeping = tokio::spawn(keeper.keep(stop.clone()));
    tokio::spawn(past::keep(pool.clone(), config.history, stop.clone()));
    let realm = Realm {
        pool: pool.clone(),
        ops,
        agents: Arc::clone(&agents),
        leases,
        api,
        limits,
        reign: cluster.reign(),
    };
    let follower = tokio::spawn(leader::follow(realm, stop.clone()));
    tracing::info!(host = %who.host, https = %handle.https_addr, "node runs");
    supervisor.say("READY=1");

    let mut hang_up = signal(SignalKind::hangup()).context("listen for signals")?;
    let mut terminate = signal(SignalKind::terminate()).context("listen for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for signals")?;
    let reloads = async {
        let mut current = config.clone();
        while hang_up.recv().await.is_some() {
            supervisor.say(&format!("RELOADING=1\nMONOTONIC_USEC={}", monotonic()));
            reload(file, &mut current, &telemetry, &set_sessions);
            supervisor.say("READY=1");
        }
    };
    let failure = tokio::select! {
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
        () = restart.cancelled() => None,
        why = pool.failed() => Some(why),
        () = reloads => None,
        () = supervisor.watch(&pool, &stop) => None,
    };
    if !restart.is_cancelled() {
        supervisor.say("STOPPING=1");
    }
    stop.cancel();
    departure.abort();
    keeping.abort();
    handle.finished().await;
    let _ = follower.await;
    agents.own().metrics().save().await;
    trail.written().await;
    nodes.abort();
    pool.shutdown().await;
    match failure {
        Some(why) => bail!("the pool database failed, this node stops: {why}"),
        None if restart.is_cancelled() => Ok(Ended::StartsAnew),
        None => Ok(Ended::Stopped),
    }
}
