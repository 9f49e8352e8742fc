//! Puts the parts of a node together and runs them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
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
use crate::config::Config;
use crate::leader::Realm;
use crate::lease::Leases;
use crate::pool_service::PoolService;
use crate::{Ended, departure, identity, leader, lease, parts, survival, telemetry};

/// Encodes a result for `task.result`.
pub fn encode(value: &proto_types::Value) -> String {
    gateway_codec::xmlrpc::task_result(value)
}

/// Turns away those that are of a pool which this node has left behind, and everybody while it plays dead in a drill.
fn listened_to(pool: Pool) -> impl FnMut(Request<()>) -> Result<Request<()>, Status> + Clone {
    move |request| {
        if pool.cut().is_cut() {
            return Err(Status::unavailable("this node is cut off"));
        }
        if pool.listens_to(peer_host(&request)?) {
            Ok(request)
        } else {
            Err(Status::permission_denied(
                "this node has left the pool that the caller is of",
            ))
        }
    }
}

/// Runs the node until it is told to stop, or changes the pool it belongs to.
///
/// # Errors
/// When a part cannot start: an address is taken, the store is damaged, the host belongs to no pool.
pub async fn run(config: Config) -> Result<Ended> {
    let _telemetry = telemetry::start(&config.telemetry, &config.node.name)?;
    let dir = &config.node.state_dir;
    identity::take_next(dir)?;
    departure::begin_alone(&config).await?;
    identity::settle(dir, |who| Credentials::new(who).is_ok())?;
    survival::at_start(&config).await?;
    let who = identity::load(dir)?;
    let credentials = Credentials::new(&who).context("load certificates")?;
    let peers = Peers::new(credentials.clone());
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
        encode,
    };
    keeper.begin(ops.clone());
    let limits = SessionLimits {
        most: config.session.most,
        idle_seconds: config.session.idle_seconds,
    };
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
        cluster: Arc::new(cluster),
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
        sessions: limits,
        lanes: Lanes::default(),
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

    // Among what runs before others: a busy API must not cost the lease.
    pool.runtime().spawn(lease::renew(
        pool.clone(),
        peers.clone(),
        agents.own().clone(),
        Arc::clone(&leases),
        Duration::from_millis(config.ha.renew_ms.max(100)),
        stop.clone(),
    ));

    let gateway = GatewayConfig {
        https: config.listen.https,
        http: config.listen.http,
        unix: config.listen.socket.clone(),
        identity: keeper.api(),
        limits: TransportLimits::default(),
    };
    let handle = serve(gateway, Arc::new(Service(Arc::clone(&api))), stop.clone())
        .await
        .context("listen for clients")?;
    let departure = departure::watch(pool.clone(), peers, who.host, dir.clone(), restart.clone());
    let departure = tokio::spawn(departure);
    let keeping = tokio::spawn(keeper.keep(stop.clone()));
    let realm = Realm {
        pool: pool.clone(),
        ops,
        agents: Arc::clone(&agents),
        leases,
        api,
        limits,
    };
    let follower = tokio::spawn(leader::follow(realm, stop.clone()));
    tracing::info!(host = %who.host, https = %handle.https_addr, "node runs");

    let mut terminate = signal(SignalKind::terminate()).context("listen for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for signals")?;
    let failure = tokio::select! {
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
        () = restart.cancelled() => None,
        why = pool.failed() => Some(why),
    };
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
