//! What befalls a migration at each of its steps: source, destination and master are killed, cut off and paused, the node of a
//! host is restarted, the task is cancelled. Whatever happens, the guest ends on one host that the records name, and
//! nothing is left on the other.
//!
//! `cargo test -p pool-ops --test migration_matrix -- --nocapture` prints the table.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test")]

mod bed;
mod late;
mod leader;
mod world;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use migration::MigrationPlan;
use node_hypervisor::{DomainEventKind, Hypervisor};
use pool_domain::decide::task as tasks;
use pool_ops::vm::migrate::Migrate;
use pool_ops::{Call, run_async};
use proto_types::Ref;
use proto_types::generated::task as rows;
use tokio::sync::{mpsc, oneshot};

use bed::{Bed, Loss};
use leader::{Broken, Leader, Step, Trap};
use world::Machine;

/// Moments of a migration, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    At(Step),
    /// Some of the memory is over.
    Copying,
    /// The source has stopped its guest for the last step.
    Stopped,
    /// The destination has the guest; nobody knows yet.
    Arrived,
}

const MOMENTS: &[(&str, Moment)] = &[
    (
        "before it is prepared",
        Moment::At(Step::Before("prepare_incoming")),
    ),
    ("prepared, unheard", Moment::At(Step::After("prepare_incoming"))),
    ("before it begins", Moment::At(Step::Before("migrate_out"))),
    ("begun, unheard", Moment::At(Step::After("migrate_out"))),
    ("memory travels", Moment::Copying),
    ("guest stopped", Moment::Stopped),
    ("guest arrived", Moment::Arrived),
    ("arrival unheard", Moment::At(Step::After("migration_progress"))),
    ("before the switch-over", Moment::At(Step::BeforeCommit)),
    ("switched over, unheard", Moment::At(Step::AfterCommit)),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Source,
    Destination,
    Master,
    Task,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// With all that runs on it.
    Kill,
    /// The node's process only.
    Restart,
    Cut,
    /// Stopped for a while, and going on with what it was at. A master has a successor by then.
    Pause,
    /// Stopped for a while, and leading anew in a later term, with what it was at in the one before still going on.
    Again,
    Cancel,
}

const CHANCES: &[(Victim, Fault)] = &[
    (Victim::Source, Fault::Kill),
    (Victim::Source, Fault::Restart),
    (Victim::Source, Fault::Cut),
    (Victim::Source, Fault::Pause),
    (Victim::Destination, Fault::Kill),
    (Victim::Destination, Fault::Restart),
    (Victim::Destination, Fault::Cut),
    (Victim::Destination, Fault::Pause),
    (Victim::Master, Fault::Kill),
    (Victim::Master, Fault::Cut),
    (Victim::Master, Fault::Pause),
    (Victim::Master, Fault::Again),
    (Victim::Task, Fault::Cancel),
];

/// How long what was cut or stopped stays so.
const WHILE: Duration = Duration::from_millis(500);
/// How long a step may take to be reached on a busy machine.
const REACHED: Duration = Duration::from_secs(30);
/// A host may be silent for so long before the other settles the matter.
const PATIENCE: Duration = Duration::from_millis(1500);

type Cell = (usize, usize);

fn run_cell((moment, chance): Cell, broken: Broken) -> Result<&'static str, String> {
    let (_, moment) = MOMENTS[moment];
    let (victim, fault) = CHANCES[chance];
    let (bed, mut leader) = Bed::new(broken);
    let (fired, mut firing) = mpsc::unbounded_channel();
    let mut events = match moment {
        Moment::Stopped => bed.shared.world.a.sim().map(|sim| sim.events()),
        Moment::Arrived => bed.shared.world.b.sim().map(|sim| sim.events()),
        Moment::At(_) | Moment::Copying => None,
    };
    let step = match moment {
        Moment::At(step) => Some(step),
        Moment::Copying => Some(Step::After("migrate_out")),
        Moment::Stopped | Moment::Arrived => None,
    };
    *bed.shared.trap.lock().unwrap() = step.map(|step| Trap { step, fired });
    let plan = MigrationPlan::from_options(&BTreeMap::new(), Default::default()).unwrap();
    let operation = Migrate::new(bed.vm, bed.b, plan).patient_for(PATIENCE);
    // A task that is on no host is the client's own, and ends where it is cancelled.
    let call = Call {
        host: bed.a,
        ..Call::default()
    };
    let (task, _) = leader
        .handle()
        .block_on(run_async(&leader.ops, operation, call, async {}))
        .unwrap();
    // On a runtime of its own: the leader's may be about to die.
    let clock = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut go_on: Option<oneshot::Sender<()>> = None;
    let reaching = async {
        match &mut events {
            Some(events) => {
                let wanted = match moment {
                    Moment::Stopped => DomainEventKind::Paused,
                    _ => DomainEventKind::Resumed,
                };
                while events.recv().await.is_ok_and(|event| event.kind != wanted) {}
            }
            None => go_on = firing.recv().await,
        }
    };
    let reached = clock.block_on(async { tokio::time::timeout(REACHED, reaching).await });
    if reached.is_err() {
        let db = bed.shared.log.db();
        let error = db.get(task).map(|t| t.get(rows::ERROR_INFO).clone());
        return Err(format!("was never reached; the task says {error:?}"));
    }
    if moment == Moment::Copying {
        go_on.take().map(|go_on| go_on.send(()));
        std::thread::sleep(Duration::from_millis(60));
    }
    let loss = strike(&bed, &mut leader, victim, fault, task, go_on);
    bed.verdict(&leader, task, loss)
}

/// Brings it about, and mends it after a while.
fn strike(
    bed: &Bed,
    leader: &mut Leader,
    victim: Victim,
    fault: Fault,
    task: Ref,
    go_on: Option<oneshot::Sender<()>>,
) -> Loss {
    let world = &bed.shared.world;
    let mut loss = Loss::Never;
    let release = |go_on: Option<oneshot::Sender<()>>| {
        if let Some(go_on) = go_on {
            let _ = go_on.send(());
        }
    };
    let mut on_host = |machine: &Machine, go_on| match fault {
        Fault::Kill => {
            bed.notice_arrival();
            machine.kill();
            loss = match victim {
                Victim::Source if bed.is_at_destination() => Loss::Never,
                Victim::Source => Loss::Possible,
                _ => Loss::IfStopped,
            };
            release(go_on);
            std::thread::sleep(WHILE);
            machine.boot_again();
        }
        Fault::Restart => {
            machine.kill_node();
            release(go_on);
            std::thread::sleep(WHILE / 4);
            machine.start_node();
        }
        Fault::Cut => {
            machine.cut();
            release(go_on);
            std::thread::sleep(WHILE);
            machine.heal();
        }
        Fault::Pause => {
            machine.pause();
            release(go_on);
            std::thread::sleep(WHILE);
            machine.resume();
        }
        Fault::Cancel | Fault::Again => unreachable!("nothing of a host"),
    };
    match (victim, fault) {
        (Victim::Source, _) => on_host(&world.a, go_on),
        (Victim::Destination, _) => on_host(&world.b, go_on),
        (Victim::Master, Fault::Kill) => {
            leader.kill();
            drop(go_on);
            let next = Leader::start(&bed.shared);
            next.lead();
            *leader = next;
        }
        (Victim::Master, Fault::Cut) => {
            // It still believes that it leads, and reaches hosts.
            let next = Leader::start(&bed.shared);
            next.lead();
            let old = std::mem::replace(leader, next);
            release(go_on);
            std::thread::sleep(WHILE);
            old.step_down();
            std::thread::sleep(WHILE);
        }
        (Victim::Master, Fault::Pause) => {
            // All that it had under way comes late, beside what its successor does, and it does not know of that.
            leader.stand_still();
            let next = Leader::start(&bed.shared);
            next.lead();
            let old = std::mem::replace(leader, next);
            std::thread::sleep(WHILE / 2);
            old.go_on();
            release(go_on);
            std::thread::sleep(WHILE);
            old.step_down();
        }
        (Victim::Master, _) => {
            // It was elected again: what it was at goes on in a later term, beside what that term begins.
            leader.stand_still();
            leader.lead();
            std::thread::sleep(WHILE / 2);
            leader.go_on();
            release(go_on);
        }
        (Victim::Task, _) => {
            leader::decide(leader, |d| {
                // It may have ended by now.
                let _ = tasks::cancel(d, task, Ref::NULL);
                Ok(())
            });
            release(go_on);
        }
    }
    loss
}

type End = Result<&'static str, String>;

/// Runs cells, some at a time.
fn run_cells(cells: &[Cell], broken: Broken) -> BTreeMap<Cell, End> {
    let next = AtomicUsize::new(0);
    let ends = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some(cell) = cells.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let end = std::panic::catch_unwind(|| run_cell(*cell, broken))
                        .unwrap_or_else(|_| Err("the test itself broke".into()));
                    ends.lock().unwrap().insert(*cell, end);
                }
            });
        }
    });
    ends.into_inner().unwrap()
}

/// The cells of these chances at every moment.
fn cells(chances: impl Fn((Victim, Fault)) -> bool) -> Vec<Cell> {
    let chances = (0..CHANCES.len()).filter(|chance| chances(CHANCES[*chance]));
    chances
        .flat_map(|chance| (0..MOMENTS.len()).map(move |moment| (moment, chance)))
        .collect()
}

#[test]
fn each_fault_of_each_victim_at_each_step() {
    let ends = run_cells(&cells(|_| true), Broken::Nothing);
    let mut wrong = 0;
    for ((moment, chance), end) in &ends {
        let (name, _) = MOMENTS[*moment];
        let (victim, fault) = CHANCES[*chance];
        let end = match end {
            Ok(place) => (*place).to_owned(),
            Err(what) => {
                wrong += 1;
                format!("WRONG: {what}")
            }
        };
        let (victim, fault) = (format!("{victim:?}"), format!("{fault:?}"));
        println!("{name:24} {victim:12} {fault:8} {end}");
    }
    assert_eq!(wrong, 0, "of {} cells", ends.len());
}

/// The table would notice if a host's silence were taken for consent.
#[test]
fn silence_taken_for_consent_would_be_noticed() {
    let cut_off = cells(|(victim, fault)| fault == Fault::Cut && victim != Victim::Master);
    let ends = run_cells(&cut_off, Broken::Silence);
    let noticed = ends.values().filter_map(|end| end.as_ref().err());
    let noticed: Vec<&String> = noticed.collect();
    println!(
        "noticed in {} of {} cells: {noticed:#?}",
        noticed.len(),
        ends.len()
    );
    assert!(!noticed.is_empty());
}
