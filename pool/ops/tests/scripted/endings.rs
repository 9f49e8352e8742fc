//! A guest that ended while an operation was at work on it: how it ended decides whether it is to run again.

use node_commands::{HostEvent, HostReply};
use node_hypervisor::{DomainEventKind, StopReason};
use pool_domain::decide::vm_power::{self, VmOperation};
use pool_domain::decide::{ha, ha_switch};
use proto_types::Value;
use proto_types::generated::vm;

use crate::bed::Pool;
use crate::stage::Stage;

/// Whether a protected guest that ended so, while somebody was at work on it, is to run again.
async fn is_to_run_again(reason: StopReason) -> bool {
    let mut pool = Pool::new();
    let (guest, one, task) = (pool.vm(), pool.host("one"), pool.facts.reference());
    pool.decide(|d| {
        ha_switch::begin_enabling(d, task, &[], &Value::empty_map())?;
        ha_switch::commit_enabling(d, task);
        ha::set_restart_priority(d, guest, ha::RESTART)
    })
    .unwrap();
    pool.start_on(guest, Some(one));
    let op = VmOperation {
        vm: guest,
        task: pool.facts.reference(),
        name: "hard_reboot",
    };
    pool.decide(|d| vm_power::begin(d, &op)).unwrap();
    let stage = Stage::of(&pool);
    stage.script(|_, _| Ok(HostReply::Domain(None)));
    let event = HostEvent::Domain {
        vm: stage.uuid(guest),
        kind: DomainEventKind::Stopped(reason),
        now: None,
    };
    stage.tells(one, event).await;
    stage
        .decide(|d| {
            vm_power::abort(d, &op, None);
            Ok(())
        })
        .await;
    let is_halted = |stage: &Stage| {
        let db = stage.db();
        db.get(guest).unwrap().get(vm::POWER_STATE).as_str() == "Halted"
    };
    stage.until("its end in the records", is_halted).await;
    let row = stage.db().get(guest).unwrap().clone();
    ha::is_protected(&row)
}

#[tokio::test(start_paused = true)]
async fn one_that_was_ended_from_outside_is_to_run_again() {
    assert!(is_to_run_again(StopReason::Destroyed).await);
    assert!(is_to_run_again(StopReason::Failed).await);
}

#[tokio::test(start_paused = true)]
async fn one_that_went_down_by_itself_is_not() {
    assert!(!is_to_run_again(StopReason::Shutdown).await);
}

/// A host that does not list a guest any more says not how it ended: nobody has meant it to.
#[tokio::test(start_paused = true)]
async fn one_that_its_host_no_longer_lists_is_to_run_again() {
    let mut pool = Pool::new();
    let (guest, one, task) = (pool.vm(), pool.host("one"), pool.facts.reference());
    pool.decide(|d| {
        ha_switch::begin_enabling(d, task, &[], &Value::empty_map())?;
        ha_switch::commit_enabling(d, task);
        ha::set_restart_priority(d, guest, ha::RESTART)
    })
    .unwrap();
    pool.start_on(guest, Some(one));
    let op = VmOperation {
        vm: guest,
        task: pool.facts.reference(),
        name: "hard_reboot",
    };
    pool.decide(|d| vm_power::begin(d, &op)).unwrap();
    let stage = Stage::of(&pool);
    stage.script(|_, _| Ok(HostReply::Domain(None)));
    stage.tells(one, crate::stage::report(Vec::new())).await;
    stage
        .decide(|d| {
            vm_power::abort(d, &op, None);
            Ok(())
        })
        .await;
    stage
        .until("its end in the records", |stage| {
            let db = stage.db();
            db.get(guest).unwrap().get(vm::POWER_STATE).as_str() == "Halted"
        })
        .await;
    assert!(ha::is_protected(stage.db().get(guest).unwrap()));
}
