//! What listeners hear.

use node_commands::{BridgeRequest, DiskRequest, HostCommand, HostEvent};
use node_hypervisor::{Bytes, DomainEventKind, DomainState, Hypervisor, StopReason};
use uuid::Uuid;

use super::world::*;
use crate::HostEvents;

async fn next(events: &mut HostEvents) -> Option<HostEvent> {
    tokio::time::timeout(LIMIT, events.next())
        .await
        .expect("nothing was told")
}

/// The next event that is not a heartbeat.
async fn news(events: &mut HostEvents) -> HostEvent {
    loop {
        match next(events).await.expect("the stream ended") {
            HostEvent::Heartbeat { .. } | HostEvent::Figures { .. } | HostEvent::Drift { .. } => {}
            event => return event,
        }
    }
}

#[tokio::test]
async fn a_listener_gets_the_present_state_first_and_then_what_happens() {
    let world = World::new();
    let a = world.host("a").await;
    let request = world.vm(&a).await;
    let vm = request.vm;
    a.start(&request).await.unwrap();
    let mut events = a.agent.watch(1).await.unwrap();
    let HostEvent::Snapshot { domains, plugged, .. } = news(&mut events).await else {
        panic!("no snapshot")
    };
    assert_eq!(
        domains.iter().map(|d| (d.uuid, d.state)).collect::<Vec<_>>(),
        [(vm, DomainState::Running)]
    );
    assert_eq!(plugged, [world.sr.uuid]);
    a.sim.guest_powers_off(vm);
    let expected = HostEvent::Domain {
        vm,
        kind: DomainEventKind::Stopped(StopReason::Shutdown),
        now: None,
    };
    assert_eq!(news(&mut events).await, expected);
}

#[tokio::test]
async fn heartbeats_count_and_bring_figures() {
    let world = World::new();
    let a = world.bare_host("a").await;
    let mut events = a.agent.watch(1).await.unwrap();
    let mut last = None;
    for _ in 0..4 {
        if let Some(HostEvent::Heartbeat {
            number,
            memory_total,
            memory_free,
            ..
        }) = next(&mut events).await
        {
            assert!(memory_free.get() > 0 && memory_free <= memory_total);
            assert!(last.is_none_or(|last| number == last + 1));
            last = Some(number);
        }
    }
    assert!(last.is_some());
}

#[tokio::test]
async fn a_stream_ends_when_a_newer_term_is_seen() {
    let world = World::new();
    let a = world.bare_host("a").await;
    let mut old = a.agent.watch(1).await.unwrap();
    next(&mut old).await.unwrap();
    let mut new = a.agent.watch(2).await.unwrap();
    wait_for("the old stream ends", async || old.next().await.is_none()).await;
    assert!(matches!(news(&mut new).await, HostEvent::Snapshot { .. }));
    assert!(a.agent.watch(1).await.is_err());
}

#[tokio::test]
async fn a_listener_that_sleeps_gets_everything_again() {
    let world = World::new();
    let a = world.host("a").await;
    let request = world.vm(&a).await;
    let vm = request.vm;
    a.start(&request).await.unwrap();
    let mut events = a.agent.watch(1).await.unwrap();
    assert!(matches!(news(&mut events).await, HostEvent::Snapshot { .. }));
    for _ in 0..1500 {
        a.agent
            .execute(1, Uuid::new_v4(), HostCommand::PauseDomain { vm })
            .await
            .unwrap();
        a.agent
            .execute(1, Uuid::new_v4(), HostCommand::UnpauseDomain { vm })
            .await
            .unwrap();
    }
    wait_for("everything is told again", async || {
        matches!(news(&mut events).await, HostEvent::Snapshot { .. })
    })
    .await;
}

/// The next word on what others have changed.
async fn drift(events: &mut HostEvents) -> std::collections::BTreeMap<Uuid, Vec<String>> {
    loop {
        if let HostEvent::Drift { domains } = next(events).await.expect("the stream ended") {
            return domains;
        }
    }
}

#[tokio::test]
async fn what_others_change_is_told_and_what_the_pool_changes_is_not() {
    let world = World::new();
    let a = world.host("a").await;
    let request = world.vm(&a).await;
    let vm = request.vm;
    a.start(&request).await.unwrap();
    let mut events = a.agent.watch(1).await.unwrap();
    assert!(drift(&mut events).await.is_empty());
    let second = DiskRequest::disk(1, world.volume(&a, "user").await);
    let mut moved = request.nics[0].clone();
    moved.bridge = BridgeRequest::internal("xapi1");
    for command in [
        HostCommand::AttachDisk { vm, disk: second },
        HostCommand::SetMemoryTarget {
            vm,
            target: Bytes::mib(100),
        },
        HostCommand::MoveNic { vm, nic: moved },
    ] {
        a.ask(command).await.unwrap();
    }
    a.sim
        .change_behind(vm, |spec| spec.disks.retain(|disk| disk.index.0 != 0))
        .unwrap();
    let found = drift(&mut events).await;
    assert_eq!(found.len(), 1);
    let [said] = found[&vm].as_slice() else {
        panic!("{found:?}")
    };
    assert!(
        said.starts_with("disk 0 (") && said.ends_with("was taken away"),
        "{said}"
    );
    let mut late = a.agent.watch(1).await.unwrap();
    assert_eq!(drift(&mut late).await, found, "whoever comes later hears it too");
    a.ask(HostCommand::DetachDisk { vm, userdevice: 0 })
        .await
        .unwrap();
    assert!(drift(&mut events).await.is_empty(), "the pool has it so now");
}

#[tokio::test]
async fn what_a_domain_held_that_others_saved_is_given_back() {
    let world = World::new();
    let a = world.host("a").await;
    let request = world.vm(&a).await;
    let vm = request.vm;
    a.start(&request).await.unwrap();
    assert!(a.agent.inner.holdings.of(vm).await.is_some());
    a.sim
        .suspend_to(vm, &world.path().join("elsewhere"))
        .await
        .unwrap();
    wait_for("its disks are free", async || {
        a.agent.inner.holdings.of(vm).await.is_none()
    })
    .await;
    assert!(a.agent.inner.holdings.user_of_sr(world.sr.uuid).await.is_none());
}
