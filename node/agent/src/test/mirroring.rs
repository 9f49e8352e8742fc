//! Disks that go to another volume under their guest.

use node_commands::*;
use proto_types::Bytes;
use uuid::Uuid;

use super::world::*;

/// A second repository, and a blank volume in it.
async fn elsewhere(world: &World, host: &Host) -> (SrSpec, VolumeRef) {
    let place = world.path().join("sr2");
    std::fs::create_dir(&place).unwrap();
    let sr = SrSpec {
        uuid: Uuid::new_v4(),
        device_config: [("location".to_owned(), place.display().to_string())].into(),
        ..world.sr.clone()
    };
    host.ask(HostCommand::SrCreate { sr: sr.clone() }).await.unwrap();
    host.ask(HostCommand::SrPlug { sr: sr.clone() }).await.unwrap();
    let volume = VolumeRequest {
        sr: sr.uuid,
        uuid: Uuid::new_v4(),
        virtual_size: Bytes::mib(16),
        purpose: "user".into(),
    };
    let fill = VolumeFill::Nothing;
    let made = host
        .ask(HostCommand::VolumeCreate { volume, fill })
        .await
        .unwrap();
    let HostReply::Volume(made) = made else {
        panic!("{made:?}")
    };
    let volume = VolumeRef::new(sr.uuid, made.location);
    (sr, volume)
}

async fn checksum(host: &Host, volume: &VolumeRef) -> String {
    let volume = volume.clone();
    match host.ask(HostCommand::VolumeChecksum { volume }).await.unwrap() {
        HostReply::Checksum(sum) => sum,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_disk_goes_over_and_the_old_volume_is_free() {
    let world = World::new();
    let host = world.host("a").await;
    let request = world.vm(&host).await;
    let from = request.disks[0].volume.clone().unwrap();
    let (sr, to) = elsewhere(&world, &host).await;
    let sum = checksum(&host, &from).await;
    host.start(&request).await.unwrap();
    let mirror = MirrorRequest {
        vm: request.vm,
        userdevice: 0,
        from: from.clone(),
        to: to.clone(),
    };
    let destroy = |volume: &VolumeRef| HostCommand::VolumeDestroy {
        volume: volume.clone(),
    };
    for _ in 0..2 {
        let job = Uuid::new_v4();
        host.ask(HostCommand::MirrorDisk {
            mirror: mirror.clone(),
            job,
        })
        .await
        .unwrap();
    }
    for held in [&from, &to] {
        let error = host.ask(destroy(held)).await.unwrap_err();
        assert_eq!(error.kind, CommandErrorKind::Busy);
    }
    for _ in 0..2 {
        host.ask(HostCommand::PivotDisk {
            mirror: mirror.clone(),
        })
        .await
        .unwrap();
    }
    host.ask(destroy(&from)).await.unwrap();
    // Too late to take it back: nothing changes.
    host.ask(HostCommand::EndMirror { mirror }).await.unwrap();
    let error = host.ask(HostCommand::SrUnplug { sr: sr.uuid }).await.unwrap_err();
    assert_eq!(error.kind, CommandErrorKind::Busy);
    host.ask(HostCommand::DestroyDomain { vm: request.vm })
        .await
        .unwrap();
    assert_eq!(checksum(&host, &to).await, sum);
    host.ask(HostCommand::SrUnplug { sr: sr.uuid }).await.unwrap();
}

#[tokio::test]
async fn a_mirror_that_is_ended_leaves_the_guest_with_its_disk() {
    let world = World::new();
    let host = world.host("a").await;
    let request = world.vm(&host).await;
    let from = request.disks[0].volume.clone().unwrap();
    let (_, to) = elsewhere(&world, &host).await;
    host.start(&request).await.unwrap();
    let mirror = MirrorRequest {
        vm: request.vm,
        userdevice: 0,
        from: from.clone(),
        to: to.clone(),
    };
    let job = Uuid::new_v4();
    host.ask(HostCommand::MirrorDisk {
        mirror: mirror.clone(),
        job,
    })
    .await
    .unwrap();
    for _ in 0..2 {
        host.ask(HostCommand::EndMirror {
            mirror: mirror.clone(),
        })
        .await
        .unwrap();
    }
    host.ask(HostCommand::VolumeDestroy { volume: to }).await.unwrap();
    let error = host
        .ask(HostCommand::VolumeDestroy { volume: from })
        .await
        .unwrap_err();
    assert_eq!(error.kind, CommandErrorKind::Busy);
    assert!(host.runs(request.vm).await);
}
