//! Domains that others started, taken over and given back.

use node_commands::{CommandErrorKind, DiskRequest, HostCommand, HostReply, VolumeRef};
use node_hypervisor::{Bytes, DiskKind, DiskSource, ErrorKind, ForeignDisk, ForeignDomain, ForeignNic};
use uuid::Uuid;

use super::world::*;

/// A domain on an image that a repository of the host has, and the disk as the pool knows it.
async fn foreign(world: &World, host: &Host) -> (ForeignDomain, DiskRequest) {
    let volume = world.volume(host, "user").await;
    let request = DiskRequest::disk(0, volume.clone());
    let mut domain = ForeignDomain::new(Uuid::new_v4(), "web", Bytes::mib(64));
    domain.disks = vec![
        ForeignDisk {
            target: "vda".into(),
            kind: DiskKind::Disk,
            source: source(host, &volume).await,
            read_only: false,
            shareable: false,
        },
        ForeignDisk {
            target: "sda".into(),
            kind: DiskKind::Cdrom,
            source: DiskSource::Empty,
            read_only: true,
            shareable: false,
        },
    ];
    domain.nics = vec![ForeignNic {
        mac: "52:54:00:00:00:01".into(),
        bridge: "br0".into(),
    }];
    host.sim.bring_foreign(domain.clone());
    (domain, request)
}

/// Where a volume really is: what a domain is started with that has it.
async fn source(host: &Host, volume: &VolumeRef) -> DiskSource {
    let sr = host.agent.inner.storage.get(volume.sr).unwrap();
    let opened = sr
        .resolve(&volume.location, node_storage::Access::Write)
        .await
        .unwrap();
    sr.release(&volume.location).await.unwrap();
    opened
}

fn take(domain: &ForeignDomain, start_id: Uuid, disks: Vec<DiskRequest>) -> HostCommand {
    HostCommand::AdoptDomain {
        vm: domain.uuid,
        start_id,
        disks,
    }
}

#[tokio::test]
async fn a_domain_is_taken_over_once_and_ended_like_any_other() {
    let world = World::new();
    let a = world.host("a").await;
    let (domain, disk) = foreign(&world, &a).await;
    let vm = domain.uuid;
    assert!(a.domain(vm).await.is_none(), "it is not the pool's yet");
    let Ok(HostReply::Foreign(listed)) = a.ask(HostCommand::ListForeign).await else {
        panic!("no list")
    };
    assert_eq!(listed, [domain.clone()]);
    let command = take(&domain, Uuid::new_v4(), vec![disk.clone()]);
    for _ in 0..2 {
        a.ask(command.clone()).await.unwrap();
    }
    assert!(a.runs(vm).await);
    let held = a.agent.inner.holdings.of(vm).await.unwrap();
    assert_eq!(held.disks.get(&0), disk.volume.as_ref());
    assert_eq!(held.spec.unwrap().disks.len(), 2);
    let rival = a
        .ask(take(&domain, Uuid::new_v4(), vec![disk]))
        .await
        .unwrap_err();
    assert!(
        rival.is(ErrorKind::NoSuchDomain),
        "it is nobody else's any more: {rival:?}"
    );
    a.ask(HostCommand::DestroyDomain { vm }).await.unwrap();
    assert!(a.agent.inner.holdings.of(vm).await.is_none());
}

#[tokio::test]
async fn a_domain_on_another_image_than_said_is_not_taken_and_one_is_given_back() {
    let world = World::new();
    let a = world.host("a").await;
    let (domain, disk) = foreign(&world, &a).await;
    let vm = domain.uuid;
    let other = DiskRequest::disk(0, world.volume(&a, "user").await);
    let refused = a
        .ask(take(&domain, Uuid::new_v4(), vec![other]))
        .await
        .unwrap_err();
    assert!(refused.is(ErrorKind::BadSpec), "{refused:?}");
    assert!(a.domain(vm).await.is_none() && a.agent.inner.holdings.of(vm).await.is_none());
    a.ask(take(&domain, Uuid::new_v4(), vec![disk])).await.unwrap();
    let kept = a.settings.adopted_dir.join(format!("{vm}.xml"));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&kept).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600, "it may hold a password");
    for _ in 0..2 {
        a.ask(HostCommand::DisownDomain { vm }).await.unwrap();
        assert!(!kept.exists(), "it is in use again");
    }
    assert!(a.domain(vm).await.is_none() && a.agent.inner.holdings.of(vm).await.is_none());
    let listed = a.ask(HostCommand::ListForeign).await.unwrap();
    assert_eq!(listed, HostReply::Foreign(vec![domain.clone()]), "it runs on");
    let mut stuck = domain;
    stuck.obstacles = vec!["it has a folder of the host".into()];
    a.sim.bring_foreign(stuck.clone());
    let refused = a.ask(take(&stuck, Uuid::new_v4(), Vec::new())).await.unwrap_err();
    assert_eq!(refused.kind, CommandErrorKind::Unsupported);
}
