//! One node that leads a pool in memory. Its hosts carry out what they are asked at once, unless they are told not to.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use gateway_codec::{Limits, Outcome as Reply, WireValue, xmlrpc};
use gateway_server::api::ApiParts;
use gateway_server::api::fair::Lanes;
use gateway_server::api::ports::{
    AuditTrail, Cluster, ConsoleKind, FiguresForm, FiguresQuery, Forwarder, HostFigures, HostStream,
    HostStreams, Leader as Known, Membership, OtherPool, Role, Survival, VolumeAccess,
};
use gateway_server::{Api, ApiService, Format};
use node_commands::{
    CommandErrorKind, HostCommand, HostReply, MachineReply, MachineVerb, SecretText, Timing, UsbDevice,
};
use node_hypervisor::{Domain, DomainState, ErrorKind};
use pool_domain::decide::host::{HostFacts, MemberFacts, NicFacts};
use pool_domain::decide::pool::NewPool;
use pool_domain::decide::session::SessionLimits;
use pool_domain::transaction::Origin;
use pool_domain::{Database, Draft, Facts, Outcome, Transaction, apply, decide, query};
use pool_ops::transfer::Placed;
use pool_ops::{AgentFailure, HostAgents, Ops, PoolError, PoolPort};
use proto_types::generated::{host, vm};
use proto_types::{ApiError, DateTime, Field, Ref, Value};
use tokio::sync::Semaphore;
use uuid::Uuid;

/// The pool: one database, one writer.
#[derive(Default)]
struct Memory {
    db: Mutex<Database>,
    index: AtomicU64,
}

#[async_trait]
impl PoolPort for Memory {
    fn snapshot(&self) -> Database {
        self.db.lock().unwrap().clone()
    }

    async fn propose(&self, transaction: Transaction) -> Result<(Outcome, Database), PoolError> {
        let mut db = self.db.lock().unwrap();
        let index = self.index.fetch_add(1, Ordering::SeqCst) + 1;
        let (outcome, _) = apply::apply(&mut db, index, &transaction);
        Ok((outcome, db.clone()))
    }

    fn is_leader(&self) -> bool {
        true
    }
}

struct Leads(Arc<Memory>);

#[async_trait]
impl Cluster for Leads {
    fn role(&self) -> Role {
        Role::Leader
    }
    async fn read(&self) -> Result<Database, Role> {
        Ok(self.0.snapshot())
    }
    async fn changed(&self, seen: u64) {
        while self.0.snapshot().applied() <= seen {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    fn snapshot(&self) -> Database {
        self.0.snapshot()
    }
}

struct Nowhere;

#[async_trait]
impl Forwarder for Nowhere {
    async fn forward(&self, _: Known, _: Format, _: Bytes) -> Result<Bytes, ApiError> {
        Err(ApiError::bare("HOST_STILL_BOOTING"))
    }
}

/// Whoever is told to go has gone.
struct Group;

#[async_trait]
impl Membership for Group {
    async fn join(&self, _: OtherPool) -> Result<(), ApiError> {
        Err(ApiError::bare("JOINING_HOST_CONNECTION_FAILED"))
    }
    async fn wait_removed(&self, _: Uuid) -> Result<(), ApiError> {
        Ok(())
    }
    async fn join_token(&self) -> Result<String, ApiError> {
        Ok("a token".to_owned())
    }
    async fn drop_certificate(&self) -> Result<(), ApiError> {
        Ok(())
    }
    async fn rotate_authority(&self, _: Origin) -> Result<(), ApiError> {
        Ok(())
    }
    async fn hand_over(&self, _: Uuid) -> Result<(), ApiError> {
        Ok(())
    }
}

#[async_trait]
impl Survival for Group {
    fn is_armed(&self) -> bool {
        false
    }
    fn disarm(&self) -> Result<(), ApiError> {
        Ok(())
    }
    async fn stand_alone(&self) -> Result<(), ApiError> {
        Ok(())
    }
    async fn follow(&self, _: &str) -> Result<(), ApiError> {
        Ok(())
    }
    async fn recall(&self) -> Vec<Uuid> {
        Vec::new()
    }
}

/// Nothing is counted and nothing can be reached.
struct Nothing;

#[async_trait]
impl HostStreams for Nothing {
    async fn console(&self, _: Uuid, _: Uuid, _: ConsoleKind) -> std::io::Result<HostStream> {
        Err(std::io::ErrorKind::NotFound.into())
    }
    async fn volume(&self, _: &Placed, _: VolumeAccess) -> std::io::Result<HostStream> {
        Err(std::io::ErrorKind::NotFound.into())
    }
    fn spool(&self) -> PathBuf {
        std::env::temp_dir()
    }
    async fn image(&self, _: &Path) -> std::io::Result<HostStream> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

#[async_trait]
impl HostFigures for Nothing {
    async fn updates(&self, _: FiguresQuery, _: FiguresForm) -> String {
        String::new()
    }
    async fn host_archives(&self, _: FiguresForm) -> Option<String> {
        None
    }
    fn has_vm(&self, _: Uuid) -> bool {
        false
    }
    async fn vm_archives(&self, _: Uuid, _: FiguresForm) -> Option<String> {
        None
    }
    fn exposition(&self) -> (&'static str, String) {
        ("text/plain", String::new())
    }
    fn health(&self) -> gateway_server::Health {
        gateway_server::Health {
            is_healthy: true,
            words: "well".to_owned(),
        }
    }
}

/// The audit trail, in memory.
#[derive(Default)]
pub struct Trail(pub Mutex<Vec<String>>);

#[async_trait]
impl AuditTrail for Trail {
    async fn append(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }
    async fn read(&self, _: DateTime) -> BoxStream<'static, std::io::Result<Bytes>> {
        let lines = self.0.lock().unwrap().clone();
        futures::stream::iter(lines)
            .map(|line| Ok(Bytes::from(line)))
            .boxed()
    }
}

/// What held starts wait for.
pub struct HeldBack(pub Semaphore);

impl Default for HeldBack {
    fn default() -> HeldBack {
        HeldBack(Semaphore::new(0))
    }
}

/// All hosts at once. Remembers what was asked.
#[derive(Default)]
pub struct Hosts {
    pub asked: Mutex<Vec<(Uuid, HostCommand)>>,
    /// Verbs that are refused.
    pub refuses: Mutex<Vec<&'static str>>,
    /// What plug-ins print.
    pub prints: Mutex<String>,
    /// Domains that are there.
    pub domains: Mutex<Vec<Uuid>>,
    /// VMs whose start takes one permit of these.
    pub held: Mutex<Vec<Uuid>>,
    pub permits: HeldBack,
}

#[async_trait]
impl HostAgents for Hosts {
    async fn call(
        &self,
        host: Uuid,
        _: Uuid,
        command: HostCommand,
        _: Duration,
    ) -> Result<HostReply, AgentFailure> {
        let verb = command.verb();
        self.asked.lock().unwrap().push((host, command.clone()));
        if self.refuses.lock().unwrap().contains(&verb) {
            return Err(AgentFailure {
                host,
                text: format!("no {verb} today"),
                api: ApiError::internal("refused"),
                is_unknown: false,
                is_fenced: false,
                kind: Some(CommandErrorKind::Hypervisor(ErrorKind::Failed)),
            });
        }
        let is_held = verb == "start_domain"
            && command
                .vm()
                .is_some_and(|vm| self.held.lock().unwrap().contains(&vm));
        if is_held {
            self.permits.0.acquire().await.unwrap().forget();
        }
        let mut domains = self.domains.lock().unwrap();
        Ok(match command {
            HostCommand::StartDomain { request, .. } => {
                domains.push(request.vm);
                HostReply::Domain(Some(domain(request.vm)))
            }
            HostCommand::DestroyDomain { vm } | HostCommand::ShutdownDomain { vm } => {
                domains.retain(|d| *d != vm);
                HostReply::Done
            }
            HostCommand::DomainState { vm } => HostReply::Domain(domains.contains(&vm).then(|| domain(vm))),
            HostCommand::TpmState { .. } => HostReply::Tpm(Some(SecretText("bGFzdA==".to_owned()))),
            HostCommand::Machine { verb } => HostReply::Machine(match verb {
                MachineVerb::Clock => MachineReply::Clock {
                    utc: 1_000,
                    ahead: 3_600,
                },
                MachineVerb::KernelLog => MachineReply::Text("a kernel speaks".to_owned()),
                MachineVerb::Certificate => MachineReply::Text("-----BEGIN CERTIFICATE-----".to_owned()),
                MachineVerb::Timings => MachineReply::Timings(vec![Timing {
                    name: "facts".to_owned(),
                    count: 3,
                    mean: 0.5,
                    deviation: 0.1,
                }]),
                MachineVerb::UsbDevices => MachineReply::UsbDevices(vec![UsbDevice {
                    path: "1-1".to_owned(),
                    vendor_id: "0781".to_owned(),
                    vendor: "Maker".to_owned(),
                    product_id: "5567".to_owned(),
                    product: "Stick".to_owned(),
                    serial: "1".to_owned(),
                    ..UsbDevice::default()
                }]),
                MachineVerb::HasExtension { name } => MachineReply::Truth(name == "there"),
                MachineVerb::RunPlugin { .. } | MachineVerb::RunExtension { .. } => MachineReply::Output {
                    status: 0,
                    stdout: self.prints.lock().unwrap().clone(),
                    stderr: "hm".to_owned(),
                },
                _ => MachineReply::Done,
            }),
            _ => HostReply::Done,
        })
    }
}

fn domain(vm: Uuid) -> Domain {
    Domain {
        uuid: vm,
        id: 7,
        state: DomainState::Running,
        operation: None,
    }
}

/// The node, with a session.
pub struct Leader {
    api: Arc<Api>,
    memory: Arc<Memory>,
    pub hosts: Arc<Hosts>,
    pub trail: Arc<Trail>,
    pub session: String,
}

fn facts(name: &str, number: u128) -> HostFacts {
    HostFacts {
        uuid: Uuid::from_u128(number << 64).to_string(),
        hostname: name.to_owned(),
        address: format!("192.0.2.{number}"),
        cpus: 4,
        memory_total: proto_types::Bytes::gib(4),
        memory_free: proto_types::Bytes::gib(4),
        nics: vec![NicFacts {
            device: "eth0".to_owned(),
            mac: "02:00:00:00:00:01".to_owned(),
            ip: format!("192.0.2.{number}"),
            ..NicFacts::default()
        }],
        ..HostFacts::default()
    }
}

impl Leader {
    /// A pool of two hosts, `one` (the master) and `two`.
    pub async fn new() -> Leader {
        Leader::with_lanes(Lanes::default()).await
    }

    /// The same with other bounds for clients.
    pub async fn with_lanes(lanes: Lanes) -> Leader {
        Leader::patient(lanes, Duration::ZERO).await
    }

    /// The same, where a wrong password takes its time.
    pub async fn patient(lanes: Lanes, wrong_password: Duration) -> Leader {
        let memory = Arc::new(Memory::default());
        let hosts = Arc::new(Hosts::default());
        let ops = Ops {
            pool: memory.clone(),
            agents: hosts.clone(),
            encode: xmlrpc::task_result,
            transfers: Arc::default(),
            turns: Arc::default(),
        };
        let own = memory.clone();
        let trail = Arc::new(Trail::default());
        let api = Api::new(ApiParts {
            ops,
            cluster: Arc::new(Leads(memory.clone())),
            forwarder: Arc::new(Nowhere),
            membership: Arc::new(Group),
            survival: Arc::new(Group),
            streams: Arc::new(Nothing),
            figures: Arc::new(Nothing),
            trail: trail.clone(),
            host: Arc::new(move || {
                let db = own.snapshot();
                query::by_name_label(&db, host::CLASS, "one")
                    .first()
                    .copied()
                    .unwrap_or_default()
            }),
            sessions: tokio::sync::watch::channel(SessionLimits::default()).1,
            lanes,
            wrong_password,
        });
        let mut leader = Leader {
            api,
            memory,
            hosts,
            trail,
            session: String::new(),
        };
        let new = NewPool {
            name: "test".to_owned(),
            host: facts("one", 1),
            member: MemberFacts::default(),
            user: "root".to_owned(),
            password_hash: String::new(),
            authority: (String::new(), String::new()),
            authority_ends: DateTime::EPOCH,
            drivers: Vec::new(),
        };
        leader.decide(|d| decide::pool::create(d, &new).map(|_| ()));
        leader.decide(|d| decide::host::join(d, &facts("two", 2), &MemberFacts::default()).map(|_| ()));
        let login = xmlrpc::call("session.login_with_password", &["root".into(), "".into()]);
        leader.session = match leader.send(login).await {
            Reply::Success(WireValue::String(session)) => session,
            other => panic!("no session: {other:?}"),
        };
        leader
    }

    /// Writes past the API.
    pub fn decide(&self, f: impl FnOnce(&mut Draft<'_>) -> Result<(), ApiError>) {
        let facts = Facts::new(pool_ops::core::now(), Uuid::new_v4);
        let mut db = self.memory.db.lock().unwrap();
        let mut draft = Draft::new(&db, &facts);
        f(&mut draft).unwrap();
        let index = self.memory.index.fetch_add(1, Ordering::SeqCst) + 1;
        let transaction = draft.finish(Uuid::new_v4(), Origin::default());
        let (outcome, _) = apply::apply(&mut db, index, &transaction);
        assert!(matches!(outcome, Outcome::Applied(_)));
    }

    pub fn set(&self, row: Ref, field: Field, value: impl Into<Value>) {
        self.decide(|d| {
            d.set(row, field, value);
            Ok(())
        });
    }

    pub fn db(&self) -> Database {
        self.memory.snapshot()
    }

    async fn send(&self, body: Vec<u8>) -> Reply {
        let reply = self.api.forwarded(Format::XmlRpc, Bytes::from(body)).await;
        xmlrpc::decode_response(&reply.body.into_bytes(), &Limits::CALL).unwrap()
    }

    /// Calls a message with this node's session.
    pub async fn call(&self, method: &str, params: &[Value]) -> Reply {
        self.call_in(&self.session, method, params).await
    }

    /// Calls a message in a session.
    pub async fn call_in(&self, session: &str, method: &str, params: &[Value]) -> Reply {
        let all: Vec<Value> = std::iter::once(Value::str(session))
            .chain(params.iter().cloned())
            .collect();
        self.send(xmlrpc::call(method, &all)).await
    }

    /// Sends exactly these parameters.
    pub async fn bare(&self, method: &str, params: &[Value]) -> Reply {
        self.send(xmlrpc::call(method, params)).await
    }

    /// Calls over the network, where a password is asked for.
    pub async fn from_afar(
        &self,
        method: &str,
        params: &[Value],
        headers: &[(&'static str, String)],
    ) -> Reply {
        let mut map = hyper::HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let origin = gateway_server::Origin::Tcp(([192, 0, 2, 99], 4711).into());
        let body = Bytes::from(xmlrpc::call(method, params));
        let service = self.service();
        let headers = gateway_server::CallHeaders::new(map);
        let reply = service.call(origin, headers, Format::XmlRpc, body).await;
        xmlrpc::decode_response(&reply.body.into_bytes(), &Limits::CALL).unwrap()
    }

    /// The API as the transport gets it.
    pub fn service(&self) -> gateway_server::api::Service {
        gateway_server::api::Service(self.api.clone())
    }

    /// Makes a user with a role and the password `secret`.
    pub fn user(&self, name: &str, role: &str) {
        let hash = gateway_server::api::login::hash("secret").unwrap();
        self.decide(|d| decide::user::add(d, name, &hash, role).map(|_| ()));
    }

    /// A session of a new user with a role.
    pub async fn session_of(&self, role: &str) -> String {
        let name = format!("a-{role}");
        self.user(&name, role);
        self.log_in(&name).await
    }

    /// A session of a user.
    pub async fn log_in(&self, name: &str) -> String {
        let params = [name.into(), "secret".into(), "1.0".into(), "test".into()];
        match self.from_afar("session.login_with_password", &params, &[]).await {
            Reply::Success(WireValue::String(session)) => session,
            other => panic!("no session: {other:?}"),
        }
    }

    /// The result of a call that must succeed.
    pub async fn ok(&self, method: &str, params: &[Value]) -> WireValue {
        match self.call(method, params).await {
            Reply::Success(value) => value,
            Reply::Failure(error) => panic!("{method}: {:?}", error.description()),
        }
    }

    /// The error of a call that must fail.
    pub async fn refused(&self, method: &str, params: &[Value]) -> Vec<String> {
        match self.call(method, params).await {
            Reply::Success(value) => panic!("{method} succeeded: {value:?}"),
            Reply::Failure(error) => error.description(),
        }
    }

    pub fn host(&self, name: &str) -> Ref {
        query::by_name_label(&self.db(), host::CLASS, name)[0]
    }

    /// A halted VM without disks.
    pub async fn vm(&self) -> Ref {
        let template = query::by_name_label(&self.db(), vm::CLASS, "Other install media")[0];
        let made = self.ok("VM.clone", &[template.into(), "guest".into()]).await;
        let made: Ref = made.as_str().unwrap().parse().unwrap();
        self.ok("VM.provision", &[made.into()]).await;
        made
    }

    /// A running VM.
    pub async fn running(&self) -> Ref {
        let made = self.vm().await;
        self.ok("VM.start", &[made.into(), false.into(), true.into()])
            .await;
        made
    }

    /// Forgets what was deleted until now, as a pool does in which very much is deleted.
    pub fn forget_history(&self) {
        let mut db = self.memory.db.lock().unwrap();
        let rows: Vec<_> = db.all().map(|row| row.forget_encoded()).collect();
        *db = Database::restore(db.applied(), db.applied(), rows, [], []);
    }

    /// What the leader works with.
    pub fn ops(&self) -> Ops {
        Ops {
            pool: self.memory.clone(),
            agents: self.hosts.clone(),
            encode: xmlrpc::task_result,
            transfers: Arc::default(),
            turns: Arc::default(),
        }
    }

    /// A host's silence.
    pub fn silence(&self, host: Ref) {
        self.decide(|d| {
            decide::host::set_live(d, host, false);
            Ok(())
        });
    }
}
