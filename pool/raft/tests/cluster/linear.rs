//! Clients on all nodes read and write while leaders are killed, cut off and changed: one order explains all that they were
//! told. The same with a part broken on purpose: the check notices.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pool_domain::{Change, Database, Outcome, Transaction};
use pool_raft::{Pool, ProposeError};
use proto_types::Value as Stored;
use tokio::time::Instant;
use uuid::Uuid;

use crate::history::{Deed, Event, Value, is_explained};
use crate::trio::{Trio, make, name_label, rename, transaction, vm, write};

const CLIENTS: u64 = 6;
const REGISTERS: u64 = 5;
/// How long clients are at work.
const LOAD: Duration = Duration::from_secs(15);
/// One that is broken on purpose shows at once.
const SHORT: Duration = Duration::from_secs(4);
/// A client gives an operation up after this time, and it counts as perhaps done.
const GIVES_UP: Duration = Duration::from_secs(8);
/// The number of a register's VM.
const FIRST: u128 = 50_000;

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    Nothing,
    /// A write is acknowledged before it is committed.
    EarlyWord,
    /// The versions that a decision rests on are forgotten.
    Versions,
    /// A node answers reads from what it has, without asking whether it leads.
    Barrier,
}

/// A small generator of numbers that follow from a seed.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        // SplitMix64, by Sebastiano Vigna, in the public domain.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// What all clients share.
struct Scene {
    broken: Broken,
    nodes: Mutex<Vec<Option<Pool>>>,
    /// Orders beginnings and ends.
    clock: AtomicU64,
    values: AtomicU64,
    over: AtomicBool,
    seen: Mutex<BTreeMap<u64, Vec<Event>>>,
}

impl Scene {
    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    fn node(&self, number: u64) -> Option<Pool> {
        self.nodes.lock().unwrap()[usize::try_from(number % 3).unwrap()].clone()
    }

    fn note(&self, register: u64, began: u64, ended: Option<u64>, deed: Deed) {
        let event = Event { began, ended, deed };
        self.seen.lock().unwrap().entry(register).or_default().push(event);
    }
}

fn number(register: u64) -> u128 {
    FIRST + u128::from(register)
}

fn value_in(db: &Database, register: u64) -> (Value, u64) {
    let row = db.get(vm(number(register))).unwrap();
    (row.get(name_label()).as_str().parse().unwrap(), row.version)
}

/// A client, and the node it last had an answer from.
struct Client {
    scene: Arc<Scene>,
    chance: Chance,
    node: u64,
}

impl Client {
    /// A state as the leader has it; `None` if none was found in time.
    async fn state(&mut self) -> Option<Database> {
        let until = Instant::now() + GIVES_UP;
        while Instant::now() < until {
            if self.scene.broken == Broken::Barrier {
                let any = self.chance.next();
                if let Some(pool) = self.scene.node(any) {
                    return Some(pool.snapshot());
                }
            } else if let Some(pool) = self.scene.node(self.node) {
                let asked = tokio::time::timeout(Duration::from_secs(1), pool.read_barrier()).await;
                if let Ok(Ok(db)) = asked {
                    return Some(db);
                }
            }
            self.elsewhere().await;
        }
        None
    }

    async fn elsewhere(&mut self) {
        self.node = self.node.wrapping_add(1);
        tokio::time::sleep(Duration::from_millis(5 + self.chance.below(20))).await;
    }

    /// What became of a transaction, wherever the leader is; `None` if that was not found out in time.
    async fn written(&mut self, transaction: Transaction) -> Option<Outcome> {
        let until = Instant::now() + GIVES_UP;
        while Instant::now() < until {
            if let Some(pool) = self.scene.node(self.node) {
                // The same request again is the same write, wherever it is asked for.
                match pool
                    .propose_within(transaction.clone(), Duration::from_secs(1))
                    .await
                {
                    Ok((outcome, _)) => return Some(outcome),
                    Err(ProposeError::TooLarge { .. }) => panic!("a name is too large"),
                    Err(
                        ProposeError::NotLeader { .. }
                        | ProposeError::TimedOut { .. }
                        | ProposeError::Stopped,
                    ) => {}
                }
            }
            self.elsewhere().await;
        }
        None
    }

    /// Writes, with a broken part where one is.
    async fn write(&mut self, mut transaction: Transaction) -> Option<Outcome> {
        match self.scene.broken {
            Broken::EarlyWord => {
                let mut other = Client {
                    scene: Arc::clone(&self.scene),
                    chance: Chance(self.chance.next()),
                    node: self.node,
                };
                tokio::spawn(async move { other.written(transaction).await });
                return Some(Outcome::Applied(0));
            }
            Broken::Versions => transaction.reads.clear(),
            Broken::Nothing | Broken::Barrier => {}
        }
        self.written(transaction).await
    }

    async fn one(&mut self) {
        let scene = Arc::clone(&self.scene);
        let register = self.chance.below(REGISTERS);
        let began = scene.tick();
        match self.chance.below(3) {
            0 => {
                if let Some(db) = self.state().await {
                    let (value, _) = value_in(&db, register);
                    scene.note(register, began, Some(scene.tick()), Deed::Read(value));
                }
            }
            1 => {
                let value = scene.values.fetch_add(1, Ordering::SeqCst);
                let change = Change::Update {
                    reference: vm(number(register)),
                    fields: vec![(name_label(), Stored::str(value.to_string()))],
                };
                let blind = transaction(Uuid::new_v4(), Vec::new(), vec![change]);
                let end = self.write(blind).await.map(|_| scene.tick());
                scene.note(register, began, end, Deed::Write(value));
            }
            _ => {
                let Some(db) = self.state().await else { return };
                let (old, version) = value_in(&db, register);
                // The read is one of its own; the swap begins after it.
                scene.note(register, began, Some(scene.tick()), Deed::Read(old));
                let began = scene.tick();
                let value = scene.values.fetch_add(1, Ordering::SeqCst);
                let swap = rename(number(register), version, &value.to_string());
                let outcome = self.write(swap).await;
                let end = outcome.as_ref().map(|_| scene.tick());
                let deed = match outcome {
                    Some(Outcome::Conflict(_)) => Deed::NotSwapped(old),
                    Some(Outcome::Applied(_)) | None => Deed::Swapped(old, value),
                };
                scene.note(register, began, end, deed);
            }
        }
    }
}

/// Something happens to the group, and is over when this returns.
async fn trouble(trio: &mut Trio, scene: &Scene, chance: &mut Chance) -> &'static str {
    let leader = (0..3).find(|number| trio.pool(*number).leadership().borrow().is_me);
    let any = usize::try_from(chance.below(3)).unwrap();
    let victim = leader.filter(|_| chance.below(3) > 0).unwrap_or(any);
    let while_it_lasts = Duration::from_millis(300 + chance.below(1500));
    match chance.below(4) {
        0 => {
            scene.nodes.lock().unwrap()[victim] = None;
            trio.kill(victim).await;
            tokio::time::sleep(while_it_lasts).await;
            trio.restart(victim).await;
            scene.nodes.lock().unwrap()[victim] = Some(trio.pool(victim));
            "killed"
        }
        1 => {
            let to = (victim + 1) % 3;
            let _ = trio
                .pool(victim)
                .transfer_leader(trio.members[to].node_id, Duration::from_secs(2))
                .await;
            "handed over"
        }
        _ => {
            trio.pool(victim).cut().cut();
            tokio::time::sleep(while_it_lasts).await;
            trio.pool(victim).cut().heal();
            "cut off"
        }
    }
}

/// The histories of all registers.
async fn play(seed: u64, broken: Broken, load: Duration) -> BTreeMap<u64, Vec<Event>> {
    let mut trio = Trio::start().await;
    let mut chance = Chance(seed);
    let leader = trio.pool(trio.leader(None).await);
    for register in 0..REGISTERS {
        let db = write(&leader, make(number(register))).await;
        let version = db.get(vm(number(register))).unwrap().version;
        write(&leader, rename(number(register), version, "0")).await;
    }
    trio.agree().await;
    let scene = Arc::new(Scene {
        broken,
        nodes: Mutex::new((0..3).map(|number| Some(trio.pool(number))).collect()),
        clock: AtomicU64::new(0),
        values: AtomicU64::new(1),
        over: AtomicBool::new(false),
        seen: Mutex::default(),
    });
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let mut client = Client {
                scene: Arc::clone(&scene),
                chance: Chance(chance.next()),
                node: chance.below(3),
            };
            tokio::spawn(async move {
                while !client.scene.over.load(Ordering::SeqCst) {
                    client.one().await;
                    // Rests keep the histories short enough to be searched.
                    tokio::time::sleep(Duration::from_millis(client.chance.below(20))).await;
                }
            })
        })
        .collect();
    let until = Instant::now() + load;
    let mut troubles: BTreeMap<&str, u32> = BTreeMap::new();
    while Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(200 + chance.below(800))).await;
        if broken == Broken::Nothing {
            let what = trouble(&mut trio, &scene, &mut chance).await;
            *troubles.entry(what).or_default() += 1;
        }
    }
    scene.over.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    if broken == Broken::Nothing {
        trio.agree().await;
    }
    trio.stop().await;
    let seen = std::mem::take(&mut *scene.seen.lock().unwrap());
    let all: usize = seen.values().map(Vec::len).sum();
    let open = seen.values().flatten().filter(|e| e.ended.is_none()).count();
    println!("{broken:?}: {all} operations, {open} of them without an answer; trouble: {troubles:?}");
    seen
}

/// The registers whose histories nothing explains.
fn unexplained(histories: &BTreeMap<u64, Vec<Event>>) -> Vec<u64> {
    histories
        .iter()
        .filter(|(_, events)| !is_explained(0, events.to_vec()))
        .map(|(register, _)| *register)
        .collect()
}

/// The seed: a fresh one, unless `TARN_SEED` gives that of an earlier run.
fn seed() -> u64 {
    let given = std::env::var("TARN_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| Uuid::new_v4().as_u64_pair().0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_order_explains_all_that_clients_were_told() {
    let seed = seed();
    println!("TARN_SEED={seed}");
    let histories = play(seed, Broken::Nothing, LOAD).await;
    for (register, events) in &histories {
        assert!(
            is_explained(0, events.clone()),
            "TARN_SEED={seed}: nothing explains register {register}: {events:#?}"
        );
    }
    let all: usize = histories.values().map(Vec::len).sum();
    assert!(all > 200, "only {all} operations");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_that_are_broken_on_purpose_are_noticed() {
    for broken in [Broken::EarlyWord, Broken::Versions, Broken::Barrier] {
        let seed = seed();
        let histories = play(seed, broken, SHORT).await;
        let found = unexplained(&histories);
        assert!(!found.is_empty(), "TARN_SEED={seed}: {broken:?} was not noticed");
    }
}
