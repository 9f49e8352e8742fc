//! A guest that ended while an operation was at work on it: how it ended decides whether it is to run again.

use node_commands::{HostCommand, HostEvent, HostReply};
use node_hypervisor::{DomainEventKind, StopReason};
use pool_domain::decide::{ha, ha_switch};
use proto_types::Value;
use proto_types::generated::vm;
use uuid::Uuid;

use crate::bed::Pool;
use crate::stage::{Stage, rebooting, report};

/// Whether a protected guest that ended while somebody was at work on it is to run again, after what its host told.
async fn is_to_run_again(told: impl FnOnce(Uuid) -> HostEvent) -> bool {
    let mut pool = Pool::new();
    let (guest, one, task) = (pool.vm(), pool.host("one"), pool.facts.reference());
    pool.decide(|d| {
        ha_switch::begin_enabling(d, task, &[], &Value::empty_map())?;
        ha_switch::commit_enabling(d, task);
        ha::set_restart_priority(d, guest, ha::RESTART)
    })
    .unwrap();
    pool.start_on(guest, Some(one));
    let op = rebooting(&mut pool, guest);
    let stage = Stage::of(&pool);
    stage.script(|_, _| Ok(HostReply::Domain(None)));
    stage.tells(one, told(stage.uuid(guest))).await;
    stage.gives_up(&op).await;
    let is_halted = |stage: &Stage| {
        let db = stage.db();
        db.get(guest).unwrap().get(vm::POWER_STATE).as_str() == "Halted"
    };
    stage.until("its end in the records", is_halted).await;
    let row = stage.db().get(guest).unwrap().clone();
    ha::is_protected(&row)
}

fn stopped(reason: StopReason) -> impl FnOnce(Uuid) -> HostEvent {
    move |vm| HostEvent::Domain {
        vm,
        kind: DomainEventKind::Stopped(reason),
        now: None,
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_was_ended_from_outside_is_to_run_again() {
    assert!(is_to_run_again(stopped(StopReason::Destroyed)).await);
    assert!(is_to_run_again(stopped(StopReason::Failed)).await);
}

#[tokio::test(start_paused = true)]
async fn one_that_went_down_by_itself_is_not() {
    assert!(!is_to_run_again(stopped(StopReason::Shutdown)).await);
}

/// A host that does not list a guest any more says not how it ended: nobody has meant it to.
#[tokio::test(start_paused = true)]
async fn one_that_its_host_no_longer_lists_is_to_run_again() {
    assert!(is_to_run_again(|_| report(Vec::new())).await);
}

/// Somebody has saved a guest with the hypervisor's own tools: for the pool it has ended.
#[tokio::test(start_paused = true)]
async fn one_that_was_saved_behind_the_pools_back_is_halted() {
    let mut pool = Pool::new();
    let (guest, one) = (pool.vm(), pool.host("one"));
    pool.start_on(guest, Some(one));
    let stage = Stage::of(&pool);
    stage.script(|_, command| match command {
        HostCommand::DomainState { .. } => Ok(HostReply::Domain(None)),
        _ => Ok(HostReply::Done),
    });
    let vm = stage.uuid(guest);
    stage.tells(one, stopped(StopReason::Saved)(vm)).await;
    let db = stage.db();
    let row = db.get(guest).unwrap();
    assert_eq!(row.get(vm::POWER_STATE).as_str(), "Halted");
    assert_eq!(
        stage.asked(one, "destroy_domain"),
        0,
        "it may have been started again by then"
    );
}
