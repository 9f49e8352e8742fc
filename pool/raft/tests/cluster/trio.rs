//! Three nodes in one process, with real TLS between them.

use std::time::Duration;

use pool_domain::transaction::Origin;
use pool_domain::{Change, Database, Outcome, Transaction};
use pool_raft::{Member, Pool, ProposeError, RaftConfig, Survived, start, survive_alone};
use proto_types::{ClassId, DateTime, Field, Ref, Value};
use proto_wire::ca::{Authority, make_key};
use proto_wire::channel::{Credentials, Identity, Peers, accept};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;
use uuid::Uuid;

/// How long a test waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Running {
    pub pool: Pool,
    server: Server,
}

/// What answers the others, on threads of its own: when it goes, so do all connections, as those of a process do that is
/// killed. Left on the pool's threads they would live for as long as a test has a handle of the pool.
struct Server(Option<Runtime>);

impl Server {
    fn start() -> Server {
        let threads = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        Server(Some(threads.unwrap()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(threads) = self.0.take() {
            threads.shutdown_background();
        }
    }
}

pub struct Trio {
    dir: tempfile::TempDir,
    pub ca: Authority,
    pub identities: Vec<Identity>,
    pub members: Vec<Member>,
    pub nodes: Vec<Option<Running>>,
    snapshot_every: u64,
}

impl Trio {
    /// Three nodes of one pool.
    pub async fn start() -> Trio {
        Trio::start_with(10_000).await
    }

    /// Three nodes that take a snapshot every so many entries and keep none behind it.
    pub async fn start_with(snapshot_every: u64) -> Trio {
        let ca = Authority::create(Uuid::new_v4()).unwrap();
        let mut trio = Trio {
            dir: tempfile::tempdir().unwrap(),
            ca,
            identities: Vec::new(),
            members: Vec::new(),
            nodes: Vec::new(),
            snapshot_every,
        };
        for number in 0..3 {
            let host = Uuid::new_v4();
            let key_pem = make_key().unwrap();
            let certificate_pem = trio.ca.issue_for_key(&key_pem, host, &[]).unwrap();
            let trust_pem = trio.ca.certificate_pem().to_owned();
            trio.identities.push(Identity {
                host,
                certificate_pem,
                key_pem,
                trust_pem,
            });
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            trio.members.push(Member::new(
                host,
                "127.0.0.1",
                listener.local_addr().unwrap().port(),
            ));
            trio.nodes.push(None);
            trio.serve(number, listener).await;
        }
        let first = trio.pool(0);
        first
            .initialise(trio.members[0].clone(), vec![make(0)])
            .await
            .unwrap();
        for number in 1..3 {
            first
                .add_member(trio.members[number].clone(), PATIENCE)
                .await
                .unwrap();
        }
        trio
    }

    async fn serve(&mut self, number: usize, listener: TcpListener) {
        let credentials = Credentials::new(&self.identities[number]).unwrap();
        let mut config = RaftConfig::new(
            self.members[number].node_id,
            self.dir.path().join(format!("node{number}")),
        );
        config.snapshot_every = self.snapshot_every;
        config.keep_log = self.snapshot_every / 10;
        let pool = start(config, Peers::new(credentials.clone())).await.unwrap();
        let service = pool.service();
        let server = Server::start();
        let listener = listener.into_std().unwrap();
        server.0.as_ref().unwrap().spawn(async move {
            let incoming = accept(TcpListener::from_std(listener).unwrap(), credentials);
            let served = tonic::transport::Server::builder()
                .add_service(service)
                .serve_with_incoming(incoming);
            served.await.unwrap();
        });
        self.nodes[number] = Some(Running { pool, server });
    }

    pub fn pool(&self, number: usize) -> Pool {
        self.nodes[number].as_ref().unwrap().pool.clone()
    }

    /// Takes a node away without a word, as a power cut does.
    pub async fn kill(&mut self, number: usize) {
        let running = self.nodes[number].take().unwrap();
        running.pool.cut().cut();
        drop(running.server);
        running.pool.shutdown().await;
    }

    /// Starts a node again on what it had on disk.
    pub async fn restart(&mut self, number: usize) {
        let began = Instant::now();
        let listener = loop {
            match TcpListener::bind(("127.0.0.1", self.members[number].port)).await {
                Ok(listener) => break listener,
                Err(error) => assert!(began.elapsed() < PATIENCE, "{error}"),
            }
            tokio::task::yield_now().await;
        };
        self.serve(number, listener).await;
    }

    /// Makes a node that does not run the only one that votes.
    pub async fn survive(&self, number: usize) -> Survived {
        let member = self.members[number].clone();
        let dir = self.dir.path().join(format!("node{number}"));
        survive_alone(&RaftConfig::new(member.node_id, dir), member)
            .await
            .unwrap()
    }

    /// Stops all that run.
    pub async fn stop(mut self) {
        for number in 0..3 {
            if self.nodes[number].is_some() {
                self.kill(number).await;
            }
        }
    }

    /// The node that leads and is ready, among those that run, other than `not`.
    pub async fn leader(&self, not: Option<usize>) -> usize {
        wait_for("a leader", || {
            (0..3).find(|number| {
                Some(*number) != not
                    && self.nodes[*number]
                        .as_ref()
                        .is_some_and(|node| node.pool.leadership().borrow().ready)
            })
        })
        .await
    }

    /// Waits until all running nodes have applied as much, and checks that they agree.
    pub async fn agree(&self) {
        let leader = self.leader(None).await;
        let target = self.pool(leader).read_barrier().await.unwrap().applied();
        let mut digests = Vec::new();
        for node in self.nodes.iter().flatten() {
            let applied = node.pool.wait_applied(target, Instant::now() + PATIENCE).await;
            let statuses = || self.nodes.iter().flatten().map(|node| node.pool.status());
            assert!(
                applied,
                "{} is not at {target}: {:#?}",
                node.pool.node_id(),
                statuses().collect::<Vec<_>>()
            );
            digests.push(node.pool.digest().await.unwrap());
        }
        for digest in &digests {
            assert_eq!(digest.sha256, digests[0].sha256);
            assert_eq!(digest.rows, digests[0].rows);
        }
    }
}

/// Polls until there is something, within [`PATIENCE`].
pub async fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub fn name_label() -> Field {
    let class = ClassId::by_name("VM").unwrap();
    Field {
        class,
        index: class.def().field("name_label").unwrap(),
    }
}

pub fn vm(number: u128) -> Ref {
    Ref::from_uuid(Uuid::from_u128(number + 1))
}

/// Makes a VM.
pub fn make(number: u128) -> Transaction {
    let field = name_label();
    let change = Change::Insert {
        class: field.class,
        reference: vm(number),
        fields: vec![(field, Value::str("new"))],
    };
    transaction(Uuid::new_v4(), vec![(vm(number), 0)], vec![change])
}

/// Names a VM that was last changed at `version`.
pub fn rename(number: u128, version: u64, name: &str) -> Transaction {
    let change = Change::Update {
        reference: vm(number),
        fields: vec![(name_label(), Value::str(name))],
    };
    transaction(Uuid::new_v4(), vec![(vm(number), version)], vec![change])
}

pub fn transaction(request: Uuid, reads: Vec<(Ref, u64)>, changes: Vec<Change>) -> Transaction {
    Transaction {
        request,
        reads,
        changes,
        decided_at: DateTime(0),
        origin: Origin::default(),
    }
}

/// Writes through a node, and says that it must have been written.
pub async fn write(pool: &Pool, transaction: Transaction) -> Database {
    match pool.propose(transaction).await {
        Ok((Outcome::Applied(_), db)) => db,
        other => panic!("not written: {:?}", other.map(|(outcome, _)| outcome)),
    }
}

/// Says whether an error means that nothing was written.
pub fn surely_not_written(error: &ProposeError) -> bool {
    matches!(error, ProposeError::NotLeader { .. })
}
