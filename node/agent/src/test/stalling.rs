//! Domains that wait for a disk.

use std::time::Duration;

use node_commands::{DomainRequest, HostCommand};
use node_hypervisor::{DiskErrorPolicy, DomainEventKind, DomainState, Hypervisor, PauseReason};

use super::world::*;

/// A host with a domain that is to wait for its disk.
async fn waiting(world: &World) -> (Host, DomainRequest) {
    let a = world.host("a").await;
    let mut request = world.vm(&a).await;
    request.disks[0].on_error = DiskErrorPolicy::Pause;
    a.start(&request).await.unwrap();
    (a, request)
}

#[tokio::test]
async fn a_domain_that_waits_for_its_disk_goes_on_by_itself() {
    let world = World::new();
    let (a, request) = waiting(&world).await;
    let vm = request.vm;
    let state = async || a.sim.state(vm).await.unwrap().unwrap().state;
    a.sim.disks_fail(vm, true);
    assert_eq!(state().await, DomainState::Paused(PauseReason::DiskError));
    // It is tried, and stands still as long as the disk does not work.
    let mut events = a.sim.events();
    let tried = async || {
        events
            .try_recv()
            .is_ok_and(|event| event.kind == DomainEventKind::Resumed)
    };
    wait_for("a try", tried).await;
    assert_eq!(state().await, DomainState::Paused(PauseReason::DiskError));
    a.sim.disks_fail(vm, false);
    wait_for("it goes on", async || state().await == DomainState::Running).await;

    // One that was paused on purpose stays so.
    a.ask(HostCommand::PauseDomain { vm }).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(state().await, DomainState::Paused(PauseReason::Requested));
}

#[tokio::test]
async fn a_domain_waits_as_long_as_its_repository_is_not_there() {
    let world = World::new();
    let (a, request) = waiting(&world).await;
    let vm = request.vm;
    let volume = request.disks[0].volume.clone().unwrap();
    let file = world.path().join("sr").join(format!("{}.qcow2", volume.location));
    let aside = world.path().join("aside");
    std::fs::rename(&file, &aside).unwrap();
    a.sim.disks_fail(vm, true);
    a.sim.disks_fail(vm, false);
    let mut events = a.sim.events();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(events.try_recv().is_err(), "nothing was tried");
    std::fs::rename(&aside, &file).unwrap();
    wait_for("it goes on", async || {
        a.sim.state(vm).await.unwrap().unwrap().state == DomainState::Running
    })
    .await;
}
