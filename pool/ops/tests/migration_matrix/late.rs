//! A leader stood still with a command under way, has a successor, and goes on: the command comes late, to a host that has
//! forgotten by a restart that it carried it out before. The fence keeps it from being done again.

use std::time::{Duration, Instant};

use pool_ops::vm::migrate::Migrate;
use pool_ops::vm::start::StartVm;
use pool_ops::vm::stop::HardShutdown;
use pool_ops::{Call, run, run_async};
use proto_types::generated::vm;
use tokio::sync::mpsc;

use crate::bed::Bed;
use crate::leader::{Broken, Leader, Step, Trap};

/// How long something may take to come about on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn wait_for(what: &str, mut look: impl FnMut() -> bool) {
    let began = Instant::now();
    while !look() {
        assert!(began.elapsed() < PATIENCE, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A start comes late, after the guest has been started and has moved on. Says whether it runs on both hosts then.
fn late_start(broken: Broken) -> bool {
    let (bed, leader) = Bed::new(broken);
    let world = &bed.shared.world;
    let down = run(&leader.ops, HardShutdown::new(bed.vm), Call::default());
    leader.handle().block_on(down).unwrap();
    let (fired, mut firing) = mpsc::unbounded_channel();
    *bed.shared.trap.lock().unwrap() = Some(Trap {
        step: Step::Before("start_domain"),
        fired,
    });
    let start = StartVm::new(bed.vm, "start", Some(bed.a), false);
    let begun = run_async(&leader.ops, start, Call::default(), async {});
    leader.handle().block_on(begun).unwrap();
    let held = firing.blocking_recv().unwrap();
    let next = Leader::start(&bed.shared);
    next.lead();
    wait_for("the start by its successor", || {
        let db = bed.db();
        db.get(bed.vm).unwrap().get(vm::POWER_STATE).as_str() == "Running"
    });
    let away = Migrate::by_default(&bed.db(), bed.vm, bed.b);
    next.handle()
        .block_on(run(&next.ops, away, Call::default()))
        .unwrap();
    assert!(world.b.runs(bed.uuid) && !world.a.runs(bed.uuid));
    world.a.kill_node();
    world.a.start_node();
    // It has its storage again by then, and could start the guest.
    wait_for("the repository of the first host", || {
        world.a.has_plugged(world.sr.uuid)
    });
    held.send(()).unwrap();
    let began = Instant::now();
    let mut twice = false;
    while !twice && began.elapsed() < Duration::from_secs(1) {
        twice = world.a.runs(bed.uuid) && world.b.runs(bed.uuid);
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(leader);
    twice
}

#[test]
fn a_start_that_comes_late_is_not_carried_out() {
    assert!(!late_start(Broken::Nothing));
}

#[test]
fn a_missing_fence_would_be_noticed() {
    assert!(late_start(Broken::Fence));
}
