//! A pool whose hosts answer by a script.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use node_commands::{HostCommand, HostEvent, HostReply};
use node_hypervisor::{Domain, DomainState};
use pool_domain::decide::vm_power::{self, VmOperation};
use pool_domain::{Database, Draft, Outcome, Transaction, apply};
use pool_ops::core::own;
use pool_ops::{AgentFailure, HostAgents, Ops, PoolError, PoolPort, reconcile};
use proto_types::{ApiError, Ref};
use uuid::Uuid;

use crate::bed::Pool;

/// Longest time, on the paused clock of a test, that something may take to come about.
const PATIENCE: Duration = Duration::from_secs(600);

/// What a host answers.
pub type Answer = Result<HostReply, AgentFailure>;
type Script = Box<dyn FnMut(Uuid, &HostCommand) -> Answer + Send>;
type Race = Box<dyn FnOnce(&mut Database) + Send>;

/// The database, behind the ports that operations know.
pub struct Group {
    db: Mutex<Database>,
    race: Mutex<Option<Race>>,
    leads: AtomicBool,
    commit: Mutex<Duration>,
}

fn write(db: &mut Database, transaction: &Transaction) -> Outcome {
    let index = db.applied() + 1;
    apply::apply(db, index, transaction).0
}

#[async_trait]
impl PoolPort for Group {
    fn snapshot(&self) -> Database {
        self.db.lock().unwrap().clone()
    }

    async fn propose(&self, transaction: Transaction) -> Result<(Outcome, Database), PoolError> {
        let commit = *self.commit.lock().unwrap();
        if !commit.is_zero() {
            tokio::time::sleep(commit).await;
        }
        let mut db = self.db.lock().unwrap();
        if let Some(race) = self.race.lock().unwrap().take() {
            race(&mut db);
            let lost = transaction.changes[0].reference();
            return Ok((Outcome::Conflict(lost), db.clone()));
        }
        let outcome = write(&mut db, &transaction);
        Ok((outcome, db.clone()))
    }

    fn is_leader(&self) -> bool {
        self.leads.load(Ordering::SeqCst)
    }
}

/// Hosts, and what they were asked.
pub struct Hosts {
    script: Mutex<Script>,
    asked: Mutex<Vec<(Uuid, &'static str)>>,
}

#[async_trait]
impl HostAgents for Hosts {
    async fn call(&self, host: Uuid, _: Uuid, command: HostCommand, _: Duration) -> Answer {
        self.asked.lock().unwrap().push((host, command.verb()));
        (self.script.lock().unwrap())(host, &command)
    }
}

/// No answer came.
pub fn silence(host: Uuid) -> Answer {
    Err(AgentFailure {
        host,
        text: "no answer".to_owned(),
        api: ApiError::new("HOST_OFFLINE", [host.to_string()]),
        is_unknown: true,
        is_fenced: false,
        kind: None,
    })
}

/// A pool and its script.
pub struct Stage {
    pub ops: Ops,
    group: Arc<Group>,
    hosts: Arc<Hosts>,
}

impl Stage {
    /// The pool as it is, with hosts that do whatever they are asked.
    pub fn of(pool: &Pool) -> Stage {
        let group = Arc::new(Group {
            db: Mutex::new(pool.db.clone()),
            race: Mutex::default(),
            leads: AtomicBool::new(true),
            commit: Mutex::default(),
        });
        let hosts = Arc::new(Hosts {
            script: Mutex::new(Box::new(|_, _| Ok(HostReply::Done))),
            asked: Mutex::default(),
        });
        Stage {
            ops: Ops {
                pool: Arc::<Group>::clone(&group),
                agents: Arc::<Hosts>::clone(&hosts),
                transfers: Arc::default(),
                turns: Arc::default(),
                encode: |_| String::new(),
            },
            group,
            hosts,
        }
    }

    /// From now on hosts answer so.
    pub fn script(&self, answers: impl FnMut(Uuid, &HostCommand) -> Answer + Send + 'static) {
        *self.hosts.script.lock().unwrap() = Box::new(answers);
    }

    /// The next proposal loses a race against this.
    pub fn race(&self, first: impl FnOnce(&mut Database) + Send + 'static) {
        *self.group.race.lock().unwrap() = Some(Box::new(first));
    }

    /// From now on a write takes so long to be agreed on.
    pub fn commits_in(&self, time: Duration) {
        *self.group.commit.lock().unwrap() = time;
    }

    /// The node leads, or believes for a moment that it might not.
    pub fn leads(&self, leads: bool) {
        self.group.leads.store(leads, Ordering::SeqCst);
    }

    pub fn db(&self) -> Database {
        self.group.snapshot()
    }

    pub fn uuid(&self, row: Ref) -> Uuid {
        Uuid::parse_str(self.db().get(row).unwrap().uuid()).unwrap()
    }

    /// How often a host was asked for something.
    pub fn asked(&self, host: Ref, verb: &str) -> usize {
        let host = self.uuid(host);
        let asked = self.hosts.asked.lock().unwrap();
        asked
            .iter()
            .filter(|(at, what)| *at == host && *what == verb)
            .count()
    }

    /// Decides and writes.
    pub async fn decide(&self, decision: impl FnMut(&mut Draft<'_>) -> Result<(), ApiError> + Send) {
        self.ops.decide(&own("test"), decision).await.unwrap();
    }

    /// Whoever was at work on a VM gives it up.
    pub async fn gives_up(&self, op: &VmOperation<'_>) {
        self.decide(|d| {
            vm_power::abort(d, op, None);
            Ok(())
        })
        .await;
    }

    /// A host tells something.
    pub async fn tells(&self, host: Ref, event: HostEvent) {
        reconcile::take(&self.ops, host, event).await.unwrap();
    }

    /// Waits until something is so.
    pub async fn until(&self, what: &str, mut look: impl FnMut(&Stage) -> bool) {
        let began = tokio::time::Instant::now();
        while !look(self) {
            assert!(began.elapsed() < PATIENCE, "{what} does not come about");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Somebody is at work on a VM from now on.
pub fn rebooting(pool: &mut Pool, vm: Ref) -> VmOperation<'static> {
    let op = VmOperation {
        vm,
        task: pool.facts.reference(),
        name: "hard_reboot",
    };
    pool.decide(|d| vm_power::begin(d, &op)).unwrap();
    op
}

/// A domain in a state.
pub fn domain(uuid: Uuid, state: DomainState) -> Domain {
    Domain {
        uuid,
        id: 1,
        state,
        operation: None,
    }
}

/// All that a host has.
pub fn report(domains: Vec<Domain>) -> HostEvent {
    HostEvent::Snapshot {
        domains,
        plugged: Vec::new(),
        node_start: Uuid::nil(),
    }
}

/// For as long as a loop might need to do what it must not.
pub async fn a_while() {
    tokio::time::sleep(Duration::from_secs(30)).await;
}
