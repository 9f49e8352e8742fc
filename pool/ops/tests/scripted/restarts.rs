//! Restarts of high availability: what was decided some time ago is decided anew before it is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pool_domain::decide::{ha, ha_switch};
use pool_ops::ha::restart::{self, Memory};
use pool_ops::vm::start::StartVm;
use pool_ops::{Call, run};
use proto_types::generated::vm;
use proto_types::{Bytes, Ref, Value};

use crate::bed::Pool;
use crate::stage::Stage;

/// Three hosts with high availability on, and two protected VMs that were lost with a host: the second is to be started a
/// minute after the first.
fn two_to_restart() -> (Pool, [Ref; 2]) {
    let mut pool = Pool::new();
    pool.join("three", 3, Bytes::gib(4));
    let task = pool.facts.reference();
    pool.decide(|d| {
        ha_switch::begin_enabling(d, task, &[], &Value::empty_map())?;
        ha_switch::commit_enabling(d, task);
        Ok(())
    })
    .unwrap();
    let (guests, two) = ([pool.vm(), pool.vm()], pool.host("two"));
    for guest in guests {
        pool.decide(|d| ha::set_restart_priority(d, guest, ha::RESTART))
            .unwrap();
        pool.start_on(guest, Some(two));
    }
    pool.set(guests[0], vm::START_DELAY, 60);
    pool.set(guests[1], vm::ORDER, 1);
    pool.decide(|d| {
        ha::host_lost(d, two);
        Ok(())
    })
    .unwrap();
    (pool, guests)
}

fn state(stage: &Stage, guest: Ref) -> String {
    let db = stage.db();
    db.get(guest).unwrap().get(vm::POWER_STATE).as_str().to_owned()
}

/// Begins a round, and waits until the first group runs.
async fn first_group(stage: &Stage, first: Ref) -> tokio::task::JoinHandle<Memory> {
    let ops = stage.ops.clone();
    let round = tokio::spawn(async move { restart::round(&ops, Memory::default()).await });
    stage
        .until("the first", |stage| state(stage, first) == "Running")
        .await;
    assert!(!round.is_finished());
    round
}

#[tokio::test(start_paused = true)]
async fn groups_are_started_in_their_order() {
    let (pool, [first, second]) = two_to_restart();
    let stage = Stage::of(&pool);
    let round = first_group(&stage, first).await;
    assert_eq!(state(&stage, second), "Halted");
    round.await.unwrap();
    assert_eq!(state(&stage, second), "Running");
}

#[tokio::test(start_paused = true)]
async fn a_vm_that_is_not_to_run_any_more_is_not_started_after_the_delay() {
    let (pool, [first, second]) = two_to_restart();
    let stage = Stage::of(&pool);
    let round = first_group(&stage, first).await;
    stage.decide(|d| ha::set_restart_priority(d, second, "")).await;
    round.await.unwrap();
    assert_eq!(state(&stage, second), "Halted");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_started_once_it_is_off_or_held_back() {
    for is_off in [true, false] {
        let (pool, [first, second]) = two_to_restart();
        let stage = Stage::of(&pool);
        let task = pool.facts.reference();
        let round = first_group(&stage, first).await;
        stage
            .decide(|d| {
                if is_off {
                    ha_switch::begin_disabling(d, task)?;
                } else {
                    ha::prevent_restarts(d, 3600);
                }
                Ok(())
            })
            .await;
        round.await.unwrap();
        assert_eq!(state(&stage, second), "Halted");
        // Nor is one that had been chosen before.
        let late = StartVm::new(second, "start", None, false).as_restart();
        let refused = run(&stage.ops, late, Call::default()).await.unwrap_err();
        let code = if is_off {
            "HA_NOT_ENABLED"
        } else {
            "OPERATION_NOT_ALLOWED"
        };
        assert_eq!(refused.code, code);
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_has_a_lease_again_is_not_given_up_by_a_decision_made_anew() {
    let (mut pool, _) = two_to_restart();
    let (guest, one) = (pool.vm(), pool.host("one"));
    pool.start_on(guest, Some(one));
    let stage = Stage::of(&pool);
    let is_over = Arc::new(AtomicBool::new(true));
    let renewed = Arc::clone(&is_over);
    // Another write is faster, and by then the host has been heard.
    stage.race(move |_| renewed.store(false, Ordering::SeqCst));
    pool_ops::ha::host_lost(&stage.ops, one, || is_over.load(Ordering::SeqCst))
        .await
        .unwrap();
    assert_eq!(state(&stage, guest), "Running");
    is_over.store(true, Ordering::SeqCst);
    pool_ops::ha::host_lost(&stage.ops, one, || is_over.load(Ordering::SeqCst))
        .await
        .unwrap();
    assert_eq!(state(&stage, guest), "Halted");
}
