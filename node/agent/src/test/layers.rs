//! Disks of live domains: frozen together, grown, and merged when a frozen one has gone.

use node_commands::*;
use node_hypervisor::ErrorKind;
use node_sim::{Fault, Operation};
use proto_types::Bytes;
use uuid::Uuid;

use super::world::*;

/// A VM with two disks that runs.
async fn running(world: &World, host: &Host) -> DomainRequest {
    let mut request = world.vm(host).await;
    let second = world.volume(host, "user").await;
    request.disks.push(DiskRequest::disk(1, second));
    host.start(&request).await.unwrap();
    request
}

fn freezing(request: &DomainRequest, uuids: [Uuid; 2]) -> HostCommand {
    let disks = request.disks.iter().zip(uuids).map(|(disk, uuid)| FreezeRequest {
        userdevice: disk.userdevice,
        volume: disk.volume.clone().unwrap(),
        uuid,
    });
    HostCommand::FreezeDisks {
        vm: request.vm,
        disks: disks.collect(),
    }
}

async fn freeze(host: &Host, request: &DomainRequest, uuids: [Uuid; 2]) -> Vec<VolumeFacts> {
    match host.ask(freezing(request, uuids)).await {
        Ok(HostReply::Volumes(volumes)) => volumes,
        other => panic!("{other:?}"),
    }
}

async fn merges(world: &World, host: &Host) -> Vec<MergeFacts> {
    match host.ask(HostCommand::SrMerges { sr: world.sr.uuid }).await {
        Ok(HostReply::Merges(found)) => found,
        other => panic!("{other:?}"),
    }
}

async fn shown(world: &World, host: &Host) -> usize {
    match host.ask(HostCommand::SrScan { sr: world.sr.uuid }).await {
        Ok(HostReply::Scan { volumes, .. }) => volumes.iter().filter(|v| !v.hidden).count(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn disks_are_frozen_together_once_however_often_it_is_asked() {
    let world = World::new();
    let a = world.host("a").await;
    let request = running(&world, &a).await;
    let uuids = [Uuid::from_u128(1), Uuid::from_u128(2)];
    let first = freeze(&a, &request, uuids).await;
    assert_eq!(first.iter().map(|v| v.uuid).collect::<Vec<_>>(), uuids.map(Some));
    assert_eq!(freeze(&a, &request, uuids).await, first);
    assert_eq!(shown(&world, &a).await, 4);
    assert!(a.runs(request.vm).await);
}

#[tokio::test]
async fn a_hypervisor_that_does_not_freeze_leaves_no_volume_behind() {
    let world = World::new();
    let a = world.host("a").await;
    let request = running(&world, &a).await;
    a.sim
        .faults()
        .next(Operation::Freeze, Fault::Fail("no".to_owned()));
    let uuids = [Uuid::from_u128(1), Uuid::from_u128(2)];
    a.ask(freezing(&request, uuids)).await.unwrap_err();
    assert_eq!(shown(&world, &a).await, 2);
    // Nothing was in its way but that.
    assert_eq!(freeze(&a, &request, uuids).await.len(), 2);
}

#[tokio::test]
async fn parents_of_a_live_disk_are_merged_when_what_kept_them_apart_has_gone() {
    let world = World::new();
    let a = world.host("a").await;
    let request = running(&world, &a).await;
    let old = [Uuid::from_u128(1), Uuid::from_u128(2)];
    let frozen = freeze(&a, &request, old).await;
    freeze(&a, &request, [Uuid::from_u128(3), Uuid::from_u128(4)]).await;
    assert_eq!(merges(&world, &a).await, []);
    for volume in frozen {
        let volume = VolumeRef::new(world.sr.uuid, volume.location);
        a.ask(HostCommand::VolumeDestroy { volume }).await.unwrap();
    }
    let found = merges(&world, &a).await;
    assert_eq!(found.len(), 2);
    for merge in found {
        let number = request
            .disks
            .iter()
            .find(|d| merge.users.contains(&d.volume.as_ref().unwrap().location))
            .map(|d| d.userdevice);
        let command = HostCommand::MergeVolumes {
            sr: world.sr.uuid,
            merge,
            domain: Some((request.vm, number.unwrap())),
            job: Uuid::new_v4(),
        };
        a.ask(command.clone()).await.unwrap();
        // Asked again it is done already.
        a.ask(command).await.unwrap();
    }
    assert_eq!(merges(&world, &a).await, []);
    assert_eq!(shown(&world, &a).await, 4);
}

#[tokio::test]
async fn a_disk_in_use_grows_and_never_shrinks() {
    let world = World::new();
    let a = world.host("a").await;
    let request = running(&world, &a).await;
    let volume = request.disks[1].volume.clone().unwrap();
    let resize = |userdevice, virtual_size| HostCommand::ResizeDisk {
        vm: request.vm,
        userdevice,
        volume: volume.clone(),
        virtual_size,
    };
    let error = a.ask(resize(1, Bytes::mib(1))).await.unwrap_err();
    assert_eq!(error.api.unwrap().code, "SR_BACKEND_FAILURE_79");
    assert!(
        a.ask(resize(7, Bytes::mib(32)))
            .await
            .unwrap_err()
            .is(ErrorKind::NoSuchDevice)
    );
    for _ in 0..2 {
        let Ok(HostReply::Volume(now)) = a.ask(resize(1, Bytes::mib(32))).await else {
            panic!("not grown")
        };
        assert_eq!(now.virtual_size, Bytes::mib(32));
    }
}
