//! Guests that are where they should not be, and halves that a migration has left.

use std::time::Duration;

use node_commands::{HostCommand, HostReply};
use node_hypervisor::{DomainState, PauseReason};
use pool_domain::decide::vm_power::{self, VmOperation};

use crate::bed::Pool;
use crate::stage::{Stage, a_while, domain, rebooting, report, silence};

#[tokio::test(start_paused = true)]
async fn a_stray_is_ended_as_soon_as_nobody_is_at_work_on_it_and_its_host_answers() {
    let mut pool = Pool::new();
    let (guest, one, two) = (pool.vm(), pool.host("one"), pool.host("two"));
    pool.start_on(guest, Some(one));
    let op = rebooting(&mut pool, guest);
    let stage = Stage::of(&pool);
    let mut unheard = 2;
    stage.script(move |host, command| {
        if matches!(command, HostCommand::SettleLeftover { .. }) && unheard > 0 {
            unheard -= 1;
            return silence(host);
        }
        Ok(HostReply::Done)
    });
    let uuid = stage.uuid(guest);
    stage
        .tells(two, report(vec![domain(uuid, DomainState::Running)]))
        .await;
    a_while().await;
    assert_eq!(
        stage.asked(two, "settle_leftover"),
        0,
        "somebody is at work on it"
    );
    stage.gives_up(&op).await;
    stage
        .until("its end", |s| s.asked(two, "settle_leftover") == 3)
        .await;
    a_while().await;
    assert_eq!(stage.asked(two, "settle_leftover"), 3, "it was answered");
    assert_eq!(stage.asked(one, "settle_leftover"), 0);
}

#[tokio::test(start_paused = true)]
async fn what_has_become_the_hosts_own_meanwhile_is_left_alone() {
    let mut pool = Pool::new();
    let (guest, one, two) = (pool.vm(), pool.host("one"), pool.host("two"));
    pool.start_on(guest, Some(one));
    let op = VmOperation {
        vm: guest,
        task: pool.facts.reference(),
        name: "pool_migrate",
    };
    pool.decide(|d| vm_power::begin_migration(d, &op, two)).unwrap();
    let stage = Stage::of(&pool);
    let uuid = stage.uuid(guest);
    stage
        .tells(two, report(vec![domain(uuid, DomainState::Running)]))
        .await;
    let way = vm_power::Way {
        source: one,
        target: two,
    };
    stage.decide(|d| vm_power::commit_migration(d, &op, way)).await;
    a_while().await;
    assert_eq!(stage.asked(two, "settle_leftover"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_half_that_a_migration_has_left_is_settled_once_its_host_answers() {
    let mut pool = Pool::new();
    let (guest, one) = (pool.vm(), pool.host("one"));
    pool.start_on(guest, Some(one));
    let op = rebooting(&mut pool, guest);
    let stage = Stage::of(&pool);
    let mut unheard = 1;
    stage.script(move |host, command| {
        if matches!(command, HostCommand::SettleLeftover { .. }) && unheard > 0 {
            unheard -= 1;
            return silence(host);
        }
        Ok(HostReply::Done)
    });
    let half = domain(stage.uuid(guest), DomainState::Paused(PauseReason::Migrating));
    stage.tells(one, report(vec![half])).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(
        stage.asked(one, "settle_leftover"),
        0,
        "somebody is at work on it"
    );
    stage.gives_up(&op).await;
    stage
        .until("its revival", |s| s.asked(one, "settle_leftover") == 2)
        .await;
    a_while().await;
    assert_eq!(stage.asked(one, "settle_leftover"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stray_is_not_forgotten_over_a_moment_of_doubt_and_is_left_to_a_successor() {
    for (doubt, asked) in [(5, 1), (60, 0)] {
        let mut pool = Pool::new();
        let (guest, one, two) = (pool.vm(), pool.host("one"), pool.host("two"));
        pool.start_on(guest, Some(one));
        let op = rebooting(&mut pool, guest);
        let stage = Stage::of(&pool);
        let uuid = stage.uuid(guest);
        stage
            .tells(two, report(vec![domain(uuid, DomainState::Running)]))
            .await;
        stage.gives_up(&op).await;
        stage.leads(false);
        tokio::time::sleep(Duration::from_secs(doubt)).await;
        assert_eq!(stage.asked(two, "settle_leftover"), 0, "it does not lead");
        stage.leads(true);
        a_while().await;
        assert_eq!(stage.asked(two, "settle_leftover"), asked);
    }
}
