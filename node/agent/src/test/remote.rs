//! The same over the nodes' channel: certificates, deadlines, repeats, tunnels.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use node_commands::*;
use node_sim::{Fault, Operation, SimHypervisor, SimSettings};
use proto_wire::ca::{Authority, make_key};
use proto_wire::channel::{Credentials, Identity, Peers, accept};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::moving::{prepare, until_over};
use super::world::*;
use crate::{AgentClient, AgentError, AgentService, GrpcDialer, TraceHooks};

struct Node {
    host: Host,
    peers: Peers,
    port: u16,
    stop: CancellationToken,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn credentials(ca: &Authority, host: Uuid) -> Credentials {
    let key_pem = make_key().unwrap();
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let certificate_pem = ca.issue_for_key(&key_pem, host, &[loopback]).unwrap();
    let trust_pem = ca.certificate_pem().to_owned();
    Credentials::new(&Identity {
        host,
        certificate_pem,
        key_pem,
        trust_pem,
    })
    .unwrap()
}

async fn node(world: &World, ca: &Authority, name: &str) -> Node {
    let uuid = Uuid::new_v4();
    let credentials = credentials(ca, uuid);
    let peers = Peers::new(credentials.clone());
    let sim = SimHypervisor::new(SimSettings::named(name, world.path().join(format!("{name}.s")))).unwrap();
    let host = world
        .agent(uuid, name, sim, Arc::new(GrpcDialer::new(peers.clone())))
        .await;
    host.ask(HostCommand::SrCreate { sr: world.sr.clone() })
        .await
        .unwrap();
    host.ask(HostCommand::SrPlug { sr: world.sr.clone() })
        .await
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let stop = CancellationToken::new();
    let service = AgentService::server(host.agent.clone(), TraceHooks::default());
    let incoming = accept(listener, credentials);
    let serve = tonic::transport::Server::builder()
        .add_service(service)
        .serve_with_incoming(incoming);
    tokio::spawn(stop.clone().run_until_cancelled_owned(serve));
    Node {
        host,
        peers,
        port,
        stop,
    }
}

fn client(from: &Node, to: &Node) -> AgentClient {
    AgentClient::new(
        &from.peers,
        to.host.uuid,
        "127.0.0.1",
        to.port,
        TraceHooks::default(),
    )
}

#[tokio::test]
async fn a_peer_may_call_and_watch() {
    let (world, ca) = (World::new(), Authority::create(Uuid::new_v4()).unwrap());
    let (a, b) = (node(&world, &ca, "a").await, node(&world, &ca, "b").await);
    let client = client(&a, &b);
    let reply = client
        .call(1, Uuid::new_v4(), &HostCommand::ListDomains, LIMIT)
        .await
        .unwrap();
    assert_eq!(reply, HostReply::Domains(Vec::new()));
    let mut events = Box::pin(client.watch(1, LIMIT).await.unwrap());
    let first = tokio::time::timeout(LIMIT, events.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert!(matches!(first, HostEvent::Snapshot { .. }));
    client
        .call(2, Uuid::new_v4(), &HostCommand::ListDomains, LIMIT)
        .await
        .unwrap();
    let error = client
        .call(1, Uuid::new_v4(), &HostCommand::ListDomains, LIMIT)
        .await
        .unwrap_err();
    assert!(matches!(error, AgentError::Fenced { .. }), "{error:?}");
    assert!(matches!(
        client.watch(1, LIMIT).await.map(drop),
        Err(AgentError::Fenced { .. })
    ));
}

#[tokio::test]
async fn a_stranger_is_not_answered() {
    let (world, ca) = (World::new(), Authority::create(Uuid::new_v4()).unwrap());
    let b = node(&world, &ca, "b").await;
    let other = Authority::create(Uuid::new_v4()).unwrap();
    let strange = Peers::new(credentials(&other, Uuid::new_v4()));
    let client = AgentClient::new(&strange, b.host.uuid, "127.0.0.1", b.port, TraceHooks::default());
    let wait = Duration::from_millis(300);
    assert!(
        client
            .call(9, Uuid::new_v4(), &HostCommand::Facts, wait)
            .await
            .is_err()
    );
    // Known to the pool's CA but without a certificate of its own: as a host that wants to join.
    let fingerprint = proto_wire::ca::fingerprint(ca.certificate_pem()).unwrap();
    let channel = proto_wire::channel::Pinned::channel("127.0.0.1", b.port, &fingerprint).unwrap();
    let mut rpc = proto_wire::agent::agent_client::AgentClient::new(channel);
    let refused = rpc
        .watch(proto_wire::agent::WatchRequest { term: 9 })
        .await
        .unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unauthenticated);
    assert_eq!(b.host.agent.term(), 1, "a stranger raised the term");
}

#[tokio::test]
async fn a_deadline_leaves_the_work_going_and_the_repeat_gets_its_answer() {
    let (world, ca) = (World::new(), Authority::create(Uuid::new_v4()).unwrap());
    let (a, b) = (node(&world, &ca, "a").await, node(&world, &ca, "b").await);
    let client = client(&a, &b);
    let request = world.vm(&b.host).await;
    b.host
        .sim
        .faults()
        .next(Operation::Start, Fault::Delay(Duration::from_millis(400)));
    let command = HostCommand::StartDomain {
        request: Box::new(request.clone()),
        mode: node_hypervisor::StartMode::Running,
    };
    let operation = Uuid::new_v4();
    let early = client
        .call(1, operation, &command, Duration::from_millis(100))
        .await
        .unwrap_err();
    assert!(early.is_unknown(), "{early:?}");
    client.call(1, operation, &command, LIMIT).await.unwrap();
    assert_eq!(b.host.sim.boots(request.vm), Some(1));
}

#[tokio::test]
async fn a_host_that_is_away_is_asked_until_it_is_back_or_the_deadline_ends() {
    let (world, ca) = (World::new(), Authority::create(Uuid::new_v4()).unwrap());
    let (a, b) = (node(&world, &ca, "a").await, node(&world, &ca, "b").await);
    let nobody = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let gone = AgentClient::new(&a.peers, b.host.uuid, "127.0.0.1", nobody, TraceHooks::default());
    let error = gone
        .call(1, Uuid::new_v4(), &HostCommand::Facts, Duration::from_millis(200))
        .await
        .unwrap_err();
    assert!(error.is_unknown() && error.is_retryable(), "{error:?}");
    let waiting = tokio::spawn(async move {
        gone.call(1, Uuid::new_v4(), &HostCommand::ListDomains, LIMIT)
            .await
    });
    tokio::task::yield_now().await;
    let listener = TcpListener::bind(("127.0.0.1", nobody)).await.unwrap();
    let service = AgentService::server(b.host.agent.clone(), TraceHooks::default());
    let incoming = accept(listener, b.peers.credentials().clone());
    let serve = tonic::transport::Server::builder()
        .add_service(service)
        .serve_with_incoming(incoming);
    tokio::spawn(b.stop.clone().run_until_cancelled_owned(serve));
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_command_of_a_later_release_is_unreadable_and_not_a_broken_call() {
    let (world, ca) = (World::new(), Authority::create(Uuid::new_v4()).unwrap());
    let (a, b) = (node(&world, &ca, "a").await, node(&world, &ca, "b").await);
    let channel = a
        .peers
        .channel(b.host.uuid, "127.0.0.1", b.port, proto_wire::channel::Lane::Agent);
    let mut rpc = proto_wire::agent::agent_client::AgentClient::new(channel);
    let request = proto_wire::agent::CallRequest {
        term: 1,
        operation_id: Uuid::new_v4().as_bytes().to_vec().into(),
        deadline_ms: 5000,
        traceparent: String::new(),
        command: br#"{"Teleport":{"vm":"x"}}"#.to_vec().into(),
    };
    let reply = rpc.call(request).await.unwrap().into_inner().result;
    let Some(proto_wire::agent::call_reply::Result::Error(error)) = reply else {
        panic!("{reply:?}")
    };
    let error: CommandError = serde_json::from_slice(&error).unwrap();
    assert_eq!(error.kind, CommandErrorKind::Unreadable);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_moves_through_the_channel_round_and_round() {
    let (world, ca) = (World::new(), Authority::create(Uuid::new_v4()).unwrap());
    let nodes = [
        node(&world, &ca, "a").await,
        node(&world, &ca, "b").await,
        node(&world, &ca, "c").await,
    ];
    let request = world.vm(&nodes[0].host).await;
    let vm = request.vm;
    nodes[0].host.start(&request).await.unwrap();
    for (from, to) in [(0, 1), (1, 2), (2, 0), (0, 1)] {
        let (from, to): (&Node, &Node) = (&nodes[from], &nodes[to]);
        let (destination, options) = prepare(&to.host, &request).await.unwrap();
        let destination = MigrationDestination {
            grpc_port: to.port,
            ..destination
        };
        from.host
            .ask(HostCommand::MigrateOut {
                vm,
                destination,
                options,
            })
            .await
            .unwrap();
        assert_eq!(until_over(&from.host, vm).await, MigrationPhase::Arrived);
        from.host.ask(HostCommand::DestroyDomain { vm }).await.unwrap();
        assert!(to.host.runs(vm).await);
        assert_eq!(to.host.sim.boots(vm), Some(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_carries_many_bytes_both_ways_and_closes_each_way_by_itself() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (world, ca) = (World::new(), Authority::create(Uuid::new_v4()).unwrap());
    let (a, b) = (node(&world, &ca, "a").await, node(&world, &ca, "b").await);
    let request = world.vm(&b.host).await;
    let (destination, _) = prepare(&b.host, &request).await.unwrap();
    let MemoryPath::Tunnelled(path) = destination.memory.clone() else {
        panic!("not tunnelled")
    };
    let destination = MigrationDestination {
        grpc_port: b.port,
        ..destination
    };
    // Stands for the destination's QEMU: reads everything, then answers how much it was.
    let qemu = tokio::net::UnixListener::bind(&path).unwrap();
    let far = tokio::spawn(async move {
        let (mut stream, _) = qemu.accept().await.unwrap();
        let mut count = 0_u64;
        let mut buffer = vec![0; 1 << 20];
        loop {
            match stream.read(&mut buffer).await.unwrap() {
                0 => break,
                n => count += n as u64,
            }
        }
        stream.write_all(count.to_string().as_bytes()).await.unwrap();
    });
    let dialer = GrpcDialer::new(a.peers.clone());
    let mut stream =
        crate::TunnelDialer::dial(&dialer, &destination, request.vm, crate::TunnelTarget::Memory)
            .await
            .unwrap();
    let total = 64 << 20;
    let began = std::time::Instant::now();
    let chunk = vec![7; 1 << 20];
    for _ in 0..total / chunk.len() {
        stream.write_all(&chunk).await.unwrap();
    }
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(Duration::from_secs(60), stream.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    far.await.unwrap();
    assert_eq!(answer, total.to_string());
    println!("64 MiB in {:?}", began.elapsed());
}

#[tokio::test]
async fn a_tunnel_to_a_host_that_expects_nobody_is_refused() {
    let (world, ca) = (World::new(), Authority::create(Uuid::new_v4()).unwrap());
    let (a, b) = (node(&world, &ca, "a").await, node(&world, &ca, "b").await);
    let destination = MigrationDestination {
        host: b.host.uuid,
        address: "127.0.0.1".into(),
        grpc_port: b.port,
        endpoint: "/nowhere".into(),
        memory: MemoryPath::Direct,
    };
    let dialer = GrpcDialer::new(a.peers.clone());
    let vm = Uuid::new_v4();
    assert!(
        crate::TunnelDialer::dial(&dialer, &destination, vm, crate::TunnelTarget::Control)
            .await
            .is_err()
    );
}
