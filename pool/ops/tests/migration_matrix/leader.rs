//! The pool: a database that all leaders share, and leaders that can be killed, cut off, and come back in a later term.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use node_commands::{CommandErrorKind, HostCommand, HostReply};
use pool_domain::{Database, Outcome, Transaction, apply};
use pool_ops::core::own;
use pool_ops::{AgentFailure, HostAgents, Ops, PoolError, PoolPort, reconcile, registry};
use proto_types::generated::host;
use proto_types::{ApiError, Ref};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use crate::world::{Heard, World};

/// The log that a majority holds. Only the leader of the newest term may write.
#[derive(Default)]
pub struct Log {
    db: Mutex<Database>,
    term: AtomicU64,
}

impl Log {
    pub fn db(&self) -> Database {
        self.db.lock().unwrap().clone()
    }
}

/// A place in a migration where something can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Before(&'static str),
    After(&'static str),
    /// Before, and after, the entry that says where the VM is.
    BeforeCommit,
    AfterCommit,
}

/// What waits at a step, once.
pub struct Trap {
    pub step: Step,
    pub fired: mpsc::UnboundedSender<oneshot::Sender<()>>,
}

/// A part that is broken on purpose, to see that these tests would notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    Nothing,
    /// Hosts take commands of any leader, however old its term.
    Fence,
    /// What a host did not answer is taken as done.
    Silence,
}

/// What all nodes that may lead have in common.
pub struct Shared {
    pub broken: Broken,
    pub world: World,
    pub log: Log,
    pub trap: Mutex<Option<Trap>>,
    pub vm: Mutex<Option<(Ref, Ref)>>,
}

impl Shared {
    /// Lets the trap strike, and waits until whoever set it says go on; a dead caller never goes on.
    async fn at(&self, step: Step) {
        let trap = {
            let mut trap = self.trap.lock().unwrap();
            if trap.as_ref().is_some_and(|t| t.step == step) {
                trap.take()
            } else {
                None
            }
        };
        if let Some(trap) = trap {
            let (go_on, wait) = oneshot::channel();
            trap.fired.send(go_on).unwrap();
            if wait.await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Whether an entry moves the VM to its new host.
    fn moves(&self, transaction: &Transaction) -> bool {
        use pool_domain::transaction::Change;
        let Some((vm, target)) = *self.vm.lock().unwrap() else {
            return false;
        };
        transaction.changes.iter().any(|change| match change {
            Change::Update { reference, fields } => {
                *reference == vm
                    && fields
                        .iter()
                        .any(|(f, v)| *f == proto_types::generated::vm::RESIDENT_ON && v.as_ref() == target)
            }
            _ => false,
        })
    }
}

/// What one node believes: the term in which it leads; zero if it does not.
pub struct Node {
    shared: Arc<Shared>,
    term: AtomicU64,
    /// The term in which it stands still, whatever it was at; zero if in none.
    still: watch::Sender<u64>,
}

impl Node {
    /// Waits while what is done in a term stands still.
    async fn moves_in(&self, term: u64) {
        let _ = self.still.subscribe().wait_for(|still| *still != term).await;
    }
}

#[async_trait]
impl PoolPort for Node {
    fn snapshot(&self) -> Database {
        self.shared.log.db()
    }

    async fn propose(&self, transaction: Transaction) -> Result<(Outcome, Database), PoolError> {
        self.moves_in(self.term.load(Ordering::SeqCst)).await;
        let moves = self.shared.moves(&transaction);
        if moves {
            self.shared.at(Step::BeforeCommit).await;
        }
        let answer = {
            let mut db = self.shared.log.db.lock().unwrap();
            let term = self.term.load(Ordering::SeqCst);
            if term == 0 || term != self.shared.log.term.load(Ordering::SeqCst) {
                return Err(PoolError::NotLeader { leader: None });
            }
            let index = db.applied() + 1;
            let (outcome, _) = apply::apply(&mut db, index, &transaction);
            (outcome, db.clone())
        };
        if moves {
            self.shared.at(Step::AfterCommit).await;
        }
        Ok(answer)
    }

    fn is_leader(&self) -> bool {
        self.term.load(Ordering::SeqCst) != 0
    }
}

/// The way from one node to the hosts.
struct Net(Arc<Node>);

fn failure(host: Uuid, text: &str) -> AgentFailure {
    AgentFailure {
        host,
        text: text.to_owned(),
        api: ApiError::new("HOST_OFFLINE", [text]),
        is_unknown: true,
        is_fenced: false,
        kind: None,
    }
}

#[async_trait]
impl HostAgents for Net {
    async fn call(
        &self,
        host: Uuid,
        operation: Uuid,
        command: HostCommand,
        wait: Duration,
    ) -> Result<HostReply, AgentFailure> {
        let term = self.0.term.load(Ordering::SeqCst);
        self.call_in(term, host, operation, command, wait).await
    }

    fn term(&self) -> Option<u64> {
        Some(self.0.term.load(Ordering::SeqCst)).filter(|term| *term != 0)
    }

    async fn call_in(
        &self,
        term: u64,
        host: Uuid,
        operation: Uuid,
        command: HostCommand,
        wait: Duration,
    ) -> Result<HostReply, AgentFailure> {
        let verb = command.verb();
        self.0.shared.at(Step::Before(verb)).await;
        self.0.moves_in(term).await;
        if HostAgents::term(self) != Some(term) {
            return Err(AgentFailure {
                is_unknown: false,
                is_fenced: true,
                ..failure(host, "does not lead in that term")
            });
        }
        let Some(machine) = self.0.shared.world.machine(host) else {
            return Err(failure(host, "is not part of this"));
        };
        let wait = wait.min(Duration::from_millis(700));
        let said_term = match self.0.shared.broken {
            Broken::Fence => self.0.shared.log.term.load(Ordering::SeqCst),
            Broken::Nothing | Broken::Silence => term,
        };
        let taken_for_done = match command {
            _ if self.0.shared.broken != Broken::Silence => None,
            HostCommand::DomainState { .. } => Some(HostReply::Domain(None)),
            _ => Some(HostReply::Done),
        };
        let heard = machine.ask(said_term, operation, command, wait).await;
        self.0.shared.at(Step::After(verb)).await;
        self.0.moves_in(term).await;
        match heard {
            Heard::Outcome(Ok(_)) if machine.is_cut() => Err(failure(host, "the answer was lost")),
            Heard::Outcome(Ok(HostReply::Facts(mut facts))) => {
                // All of this runs on one machine, which does not boot.
                facts.booted = machine.booted();
                Ok(HostReply::Facts(facts))
            }
            Heard::Outcome(Ok(reply)) => Ok(reply),
            Heard::Outcome(Err(error)) => Err(AgentFailure {
                api: error.to_api(),
                is_unknown: error.is_unknown(),
                is_fenced: error.kind == CommandErrorKind::Fenced,
                kind: Some(error.kind),
                ..failure(host, &error.text)
            }),
            Heard::Nothing => taken_for_done.ok_or_else(|| failure(host, "no answer")),
        }
    }
}

/// A node's process, that leads.
pub struct Leader {
    runtime: Option<Runtime>,
    node: Arc<Node>,
    pub ops: Ops,
}

impl Leader {
    /// A process that does not lead yet.
    pub fn start(shared: &Arc<Shared>) -> Leader {
        let node = Arc::new(Node {
            shared: Arc::clone(shared),
            term: AtomicU64::new(0),
            still: watch::Sender::new(0),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("leader")
            .enable_all()
            .build()
            .unwrap();
        let ops = Ops {
            pool: Arc::<Node>::clone(&node),
            agents: Arc::new(Net(Arc::clone(&node))),
            transfers: Arc::default(),
            turns: Arc::default(),
            encode: |_| String::new(),
        };
        Leader {
            runtime: Some(runtime),
            node,
            ops,
        }
    }

    /// It leads from now on, in a new term: follows the hosts and goes on with what earlier leaders began.
    pub fn lead(&self) {
        let term = {
            let _db = self.node.shared.log.db.lock().unwrap();
            self.node.shared.log.term.fetch_add(1, Ordering::SeqCst) + 1
        };
        self.node.term.store(term, Ordering::SeqCst);
        let ops = self.ops.clone();
        let node = Arc::clone(&self.node);
        self.handle().spawn(async move {
            registry::recover(&ops);
            for host in [node.shared.world.a.uuid, node.shared.world.b.uuid] {
                tokio::spawn(follow(ops.clone(), Arc::clone(&node), term, host));
            }
        });
    }

    /// It stops in the middle of all that it does in its present term.
    pub fn stand_still(&self) {
        self.node
            .still
            .send_replace(self.node.term.load(Ordering::SeqCst));
    }

    /// It goes on as if nothing had been.
    pub fn go_on(&self) {
        self.node.still.send_replace(0);
    }

    /// It learns that it does not lead.
    pub fn step_down(&self) {
        self.node.term.store(0, Ordering::SeqCst);
    }

    pub fn kill(&mut self) {
        self.step_down();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    pub fn handle(&self) -> tokio::runtime::Handle {
        self.runtime.as_ref().unwrap().handle().clone()
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Listens to a host while the term lasts.
async fn follow(ops: Ops, node: Arc<Node>, term: u64, uuid: Uuid) {
    while node.term.load(Ordering::SeqCst) == term {
        tokio::time::sleep(Duration::from_millis(30)).await;
        let Some(machine) = node.shared.world.machine(uuid) else {
            return;
        };
        let Some((there, agent)) = machine.node() else {
            continue;
        };
        let watching = there.spawn(async move { agent.watch(term).await });
        let Ok(Ok(mut events)) = watching.await else {
            continue;
        };
        while let Ok(Some(event)) = tokio::time::timeout(Duration::from_millis(500), events.next()).await {
            if machine.is_cut() || node.term.load(Ordering::SeqCst) != term {
                break;
            }
            let Some(on) = ops
                .pool
                .snapshot()
                .by_uuid(host::CLASS, &uuid.to_string())
                .map(|h| h.reference)
            else {
                break;
            };
            if reconcile::take(&ops, on, event).await.is_err() {
                break;
            }
        }
    }
}

/// Decides on a leader.
pub fn decide<T: Send>(
    leader: &Leader,
    decision: impl FnMut(&mut pool_domain::Draft<'_>) -> Result<T, ApiError> + Send,
) -> T {
    leader
        .handle()
        .block_on(leader.ops.decide(&own("test"), decision))
        .unwrap()
        .0
}
