//! Start, devices, suspend, end; what is held, and what a restart of the node remembers.

use node_commands::*;
use node_hypervisor::{Boot, ErrorKind, Hypervisor, StartMode};
use node_sim::{Fault, Operation};
use proto_types::Bytes;
use uuid::Uuid;

use super::world::*;

#[tokio::test]
async fn a_domain_starts_with_its_disk_and_bridge_and_holds_its_repository() {
    let world = World::new();
    let a = world.host("a").await;
    let request = world.vm(&a).await;
    let volume = request.disks[0].volume.clone().unwrap();
    let reply = a.start(&request).await.unwrap();
    assert!(matches!(reply, HostReply::Domain(Some(d)) if d.uuid == request.vm));
    let unplug = a
        .ask(HostCommand::SrUnplug { sr: world.sr.uuid })
        .await
        .unwrap_err();
    assert_eq!(unplug.kind, CommandErrorKind::Busy);
    let destroy = a
        .ask(HostCommand::VolumeDestroy {
            volume: volume.clone(),
        })
        .await
        .unwrap_err();
    assert_eq!(destroy.kind, CommandErrorKind::Busy);
    a.ask(HostCommand::DestroyDomain { vm: request.vm })
        .await
        .unwrap();
    a.ask(HostCommand::DestroyDomain { vm: request.vm })
        .await
        .unwrap();
    a.ask(HostCommand::VolumeDestroy { volume }).await.unwrap();
    a.ask(HostCommand::SrUnplug { sr: world.sr.uuid }).await.unwrap();
}

#[tokio::test]
async fn an_older_term_changes_nothing() {
    let world = World::new();
    let a = world.host("a").await;
    let request = world.vm(&a).await;
    a.agent
        .execute(5, Uuid::new_v4(), HostCommand::Facts)
        .await
        .unwrap();
    let late = a.start(&request).await.unwrap_err();
    assert_eq!(late.kind, CommandErrorKind::Fenced);
    assert!(a.domain(request.vm).await.is_none());
}

#[tokio::test]
async fn a_command_that_waits_for_its_turn_is_fenced_when_another_leader_comes() {
    let world = World::new();
    let a = world.host("a").await;
    let request = world.vm(&a).await;
    a.sim.faults().next(
        Operation::Start,
        Fault::Delay(std::time::Duration::from_millis(300)),
    );
    let first = tokio::spawn({
        let (agent, request) = (a.agent.clone(), request.clone());
        let command = HostCommand::StartDomain {
            request: Box::new(request),
            mode: StartMode::Running,
        };
        async move { agent.execute(1, Uuid::new_v4(), command).await }
    });
    wait_for("the start is under way", async || {
        a.agent.inner.operations.under_way() == 1
    })
    .await;
    let second = tokio::spawn({
        let agent = a.agent.clone();
        let command = HostCommand::DestroyDomain { vm: request.vm };
        async move { agent.execute(1, Uuid::new_v4(), command).await }
    });
    wait_for("the end waits", async || {
        a.agent.inner.operations.under_way() == 2
    })
    .await;
    a.agent
        .execute(2, Uuid::new_v4(), HostCommand::ListDomains)
        .await
        .unwrap();
    first.await.unwrap().unwrap();
    assert_eq!(second.await.unwrap().unwrap_err().kind, CommandErrorKind::Fenced);
    assert!(a.runs(request.vm).await);
}

#[tokio::test]
async fn one_operation_is_one_start_and_one_start_id_too() {
    let world = World::new();
    let a = world.host("a").await;
    let request = world.vm(&a).await;
    let operation = Uuid::new_v4();
    let command = HostCommand::StartDomain {
        request: Box::new(request.clone()),
        mode: StartMode::Running,
    };
    let first = a.agent.execute(1, operation, command.clone()).await.unwrap();
    assert_eq!(
        a.agent.execute(1, operation, command.clone()).await.unwrap(),
        first
    );
    assert_eq!(a.ask(command).await.unwrap(), first);
    let mut rival = request.clone();
    rival.start_id = Uuid::new_v4();
    assert!(a.start(&rival).await.unwrap_err().is(ErrorKind::AlreadyExists));
    assert!(a.runs(request.vm).await);
    assert!(
        a.ask(HostCommand::SrUnplug { sr: world.sr.uuid }).await.is_err(),
        "the rival must not have let go of the disk"
    );
}

#[tokio::test]
async fn a_lost_reply_of_the_hypervisor_is_unknown_and_the_repeat_finds_the_domain() {
    let world = World::new();
    let a = world.host("a").await;
    let request = world.vm(&a).await;
    a.sim.faults().next(Operation::Start, Fault::LoseReply);
    let operation = Uuid::new_v4();
    let command = HostCommand::StartDomain {
        request: Box::new(request.clone()),
        mode: StartMode::Running,
    };
    let error = a.agent.execute(1, operation, command.clone()).await.unwrap_err();
    assert!(error.is_unknown() && error.retryable);
    a.agent.execute(1, operation, command).await.unwrap();
    assert_eq!(a.sim.boots(request.vm), Some(1));
}

#[tokio::test]
async fn a_failed_start_holds_nothing() {
    let world = World::new();
    let a = world.host("a").await;
    let mut request = world.vm(&a).await;
    request.memory_static_max = Bytes::gib(1000);
    let error = a.start(&request).await.unwrap_err();
    assert!(error.is(ErrorKind::NoMemory));
    assert_eq!(error.to_api().code, "HOST_NOT_ENOUGH_FREE_MEMORY");
    a.ask(HostCommand::SrUnplug { sr: world.sr.uuid }).await.unwrap();
}

#[tokio::test]
async fn a_missing_volume_is_the_storages_own_error() {
    let world = World::new();
    let a = world.host("a").await;
    let mut request = world.vm(&a).await;
    request.disks[0].volume = Some(VolumeRef::new(world.sr.uuid, format!("{}.qcow2", Uuid::new_v4())));
    let error = a.start(&request).await.unwrap_err();
    assert!(error.to_api().code.starts_with("SR_BACKEND_FAILURE"), "{error:?}");
    let stranger = VolumeRef::new(Uuid::new_v4(), "x");
    let error = a
        .ask(HostCommand::VolumeStat { volume: stranger })
        .await
        .unwrap_err();
    assert_eq!(error.kind, CommandErrorKind::SrNotPlugged);
}

#[tokio::test]
async fn a_guest_that_ends_by_itself_lets_go_of_its_repository() {
    let world = World::new();
    let a = world.host("a").await;
    let request = world.vm(&a).await;
    a.start(&request).await.unwrap();
    a.sim.guest_powers_off(request.vm);
    wait_for("the repository is free", async || {
        a.ask(HostCommand::SrUnplug { sr: world.sr.uuid }).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn disks_come_and_go() {
    let world = World::new();
    let a = world.host("a").await;
    let request = world.vm(&a).await;
    let vm = request.vm;
    a.start(&request).await.unwrap();
    let (one, two) = (world.volume(&a, "user").await, world.volume(&a, "user").await);
    for _ in 0..2 {
        a.ask(HostCommand::AttachDisk {
            vm,
            disk: DiskRequest::disk(3, one.clone()),
        })
        .await
        .unwrap();
    }
    let other = a
        .ask(HostCommand::AttachDisk {
            vm,
            disk: DiskRequest::disk(3, two.clone()),
        })
        .await
        .unwrap_err();
    assert!(other.is(ErrorKind::DeviceExists));
    a.sim.faults().next(Operation::Detach, Fault::GuestRefuses);
    let refused = a
        .ask(HostCommand::DetachDisk { vm, userdevice: 3 })
        .await
        .unwrap_err();
    assert!(refused.is(ErrorKind::DetachRefused));
    assert_eq!(
        a.ask(HostCommand::VolumeDestroy { volume: one.clone() })
            .await
            .unwrap_err()
            .kind,
        CommandErrorKind::Busy
    );
    for _ in 0..2 {
        a.ask(HostCommand::DetachDisk { vm, userdevice: 3 })
            .await
            .unwrap();
    }
    a.ask(HostCommand::VolumeDestroy { volume: one }).await.unwrap();
    a.ask(HostCommand::VolumeDestroy { volume: two }).await.unwrap();
}

#[tokio::test]
async fn interfaces_come_and_go() {
    let world = World::new();
    let a = world.host("a").await;
    let request = world.vm(&a).await;
    let vm = request.vm;
    a.start(&request).await.unwrap();
    let nic = NicRequest {
        device: 1,
        mac: "02:00:00:00:00:08".into(),
        ..request.nics[0].clone()
    };
    a.ask(HostCommand::AttachNic { vm, nic }).await.unwrap();
    for _ in 0..2 {
        a.ask(HostCommand::DetachNic { vm, device: 1 }).await.unwrap();
    }
}

#[tokio::test]
async fn a_suspended_domain_goes_on_on_another_host() {
    for purpose in ["suspend", "user"] {
        let world = World::new();
        let (a, b) = (world.host("a").await, world.host("b").await);
        let mut request = world.vm(&a).await;
        let vm = request.vm;
        a.start(&request).await.unwrap();
        let image = world.volume(&a, purpose).await;
        let suspend = HostCommand::SuspendDomain {
            vm,
            image: image.clone(),
        };
        a.ask(suspend.clone()).await.unwrap();
        assert!(a.domain(vm).await.is_none());
        a.ask(suspend).await.unwrap();
        a.ask(HostCommand::SrUnplug { sr: world.sr.uuid }).await.unwrap();
        request.start_id = Uuid::new_v4();
        let resume = HostCommand::ResumeDomain {
            request: Box::new(request),
            image,
            mode: StartMode::Running,
        };
        b.ask(resume.clone()).await.unwrap();
        b.ask(resume).await.unwrap();
        assert!(b.runs(vm).await);
        assert_eq!(b.sim.boots(vm), Some(1), "it went on and did not boot again");
    }
}

#[tokio::test]
async fn an_image_that_cannot_be_stored_leaves_the_domain_running() {
    let world = World::new();
    let a = world.host("a").await;
    let request = world.vm(&a).await;
    let vm = request.vm;
    a.start(&request).await.unwrap();
    // Smaller than any image of the simulation with its last block.
    let volume = VolumeRequest {
        sr: world.sr.uuid,
        uuid: Uuid::new_v4(),
        virtual_size: Bytes(512),
        purpose: "user".into(),
    };
    let Ok(HostReply::Volume(made)) = a
        .ask(HostCommand::VolumeCreate {
            volume,
            fill: VolumeFill::Nothing,
        })
        .await
    else {
        panic!("no volume")
    };
    let image = VolumeRef::new(world.sr.uuid, made.location);
    a.ask(HostCommand::SuspendDomain { vm, image }).await.unwrap_err();
    assert!(a.runs(vm).await);
    assert!(
        a.ask(HostCommand::SrUnplug { sr: world.sr.uuid }).await.is_err(),
        "it still holds its disk"
    );
}

#[tokio::test]
async fn a_restarted_node_plugs_again_and_knows_what_is_held() {
    let world = World::new();
    let a = world.host("a").await;
    let request = world.vm(&a).await;
    a.start(&request).await.unwrap();
    a.agent
        .execute(7, Uuid::new_v4(), HostCommand::Facts)
        .await
        .unwrap();
    let again = world
        .agent(
            a.uuid,
            "a",
            a.sim.clone(),
            std::sync::Arc::new(world.dialer.clone()),
        )
        .await;
    wait_for("it is plugged again", async || {
        let scan = again
            .agent
            .execute(7, Uuid::new_v4(), HostCommand::SrScan { sr: world.sr.uuid })
            .await;
        scan.is_ok()
    })
    .await;
    assert_eq!(
        again.ask(HostCommand::Facts).await.unwrap_err().kind,
        CommandErrorKind::Fenced
    );
    let unplug = HostCommand::SrUnplug { sr: world.sr.uuid };
    assert_eq!(
        again
            .agent
            .execute(7, Uuid::new_v4(), unplug)
            .await
            .unwrap_err()
            .kind,
        CommandErrorKind::Busy
    );
}

#[tokio::test]
async fn a_kernel_outside_of_the_allowed_folders_is_refused() {
    let world = World::new();
    let a = world.host("a").await;
    let mut request = world.vm(&a).await;
    let guest = a.settings.boot_dirs[0].clone();
    std::fs::create_dir_all(&guest).unwrap();
    std::fs::write(guest.join("vmlinuz"), "").unwrap();
    let boot = |kernel| BootRequest::Kernel {
        kernel,
        ramdisk: None,
        args: "quiet".into(),
    };
    request.boot = boot("/etc/passwd".into());
    assert_eq!(
        a.start(&request).await.unwrap_err().kind,
        CommandErrorKind::Forbidden
    );
    request.boot = boot(guest.join("vmlinuz"));
    a.start(&request).await.unwrap();
    let spec = a.agent.inner.holdings.of(request.vm).await.unwrap().spec.unwrap();
    assert!(matches!(spec.boot, Boot::Kernel { args, .. } if args == "quiet"));
}

#[tokio::test]
async fn volumes_are_cloned_copied_filled_and_grown() {
    let world = World::new();
    let a = world.host("a").await;
    let source = world.volume(&a, "user").await;
    let made = |reply| match reply {
        Ok(HostReply::Volume(v)) => v,
        other => panic!("{other:?}"),
    };
    let (sr, uuid) = (world.sr.uuid, Uuid::new_v4());
    let clone = HostCommand::VolumeClone {
        source: source.clone(),
        uuid,
    };
    let first = made(a.ask(clone.clone()).await);
    assert_eq!(made(a.ask(clone).await).location, first.location);
    let copy = HostCommand::VolumeCopy {
        source: source.clone(),
        sr,
        uuid: Uuid::new_v4(),
    };
    assert_eq!(made(a.ask(copy).await).virtual_size, Bytes::mib(16));
    let grown = HostCommand::VolumeResize {
        volume: VolumeRef::new(sr, &first.location),
        virtual_size: Bytes::mib(32),
    };
    assert_eq!(made(a.ask(grown).await).virtual_size, Bytes::mib(32));
    std::fs::create_dir_all(&a.settings.image_dirs[0]).unwrap();
    let image = a.settings.image_dirs[0].join("disk.img");
    std::fs::write(&image, vec![5; 1024 * 1024]).unwrap();
    let volume = VolumeRequest {
        sr,
        uuid: Uuid::new_v4(),
        virtual_size: Bytes::mib(4),
        purpose: String::new(),
    };
    let fill = HostCommand::VolumeCreate {
        volume: volume.clone(),
        fill: VolumeFill::Image(image),
    };
    assert_eq!(made(a.ask(fill).await).virtual_size, Bytes::mib(4));
    let fill = HostCommand::VolumeCreate {
        volume,
        fill: VolumeFill::Image("/etc/passwd".into()),
    };
    assert_eq!(a.ask(fill).await.unwrap_err().kind, CommandErrorKind::Forbidden);
    let Ok(HostReply::Scan { volumes, .. }) = a.ask(HostCommand::SrScan { sr }).await else {
        panic!("no scan")
    };
    assert!(volumes.iter().filter(|v| !v.hidden).count() >= 4);
    let Ok(HostReply::Found(found)) = a
        .ask(HostCommand::SrProbe {
            probe: ProbeRequest {
                kind: "file".into(),
                device_config: world.sr.device_config.clone(),
                sm_config: Default::default(),
            },
        })
        .await
    else {
        panic!("no probe")
    };
    assert!(found.iter().any(|f| f.uuid == Some(sr)));
}

#[tokio::test]
async fn facts_name_cards_and_types_of_repository() {
    let world = World::new();
    let a = world.bare_host("a").await;
    let Ok(HostReply::Facts(facts)) = a.ask(HostCommand::Facts).await else {
        panic!("no facts")
    };
    assert!(facts.sr_types.contains("file"));
    let cards: Vec<&str> = facts.nics.iter().map(|nic| nic.device.as_str()).collect();
    assert_eq!(cards, ["eth0", "eth1"]);
    assert_eq!(facts.host.hostname, a.sim.host_facts().await.unwrap().hostname);
}

#[tokio::test]
async fn the_watchdog_knows_a_guest_from_before_its_start_until_its_end() {
    let world = World::new();
    let a = world.host("a").await;
    let mut request = world.vm(&a).await;
    // Without a disk nothing else is noted before it runs.
    request.disks.clear();
    let file = a.settings.guard.guests_file.clone();
    let known = || crate::KnownGuests::read(&file).unwrap();
    assert!(known().is_empty());
    a.start(&request).await.unwrap();
    assert!(known().contains(&request.vm));
    a.ask(HostCommand::DestroyDomain { vm: request.vm })
        .await
        .unwrap();
    assert!(known().is_empty());
    // Where it cannot be noted it is not started: nobody would end it.
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    request.start_id = Uuid::new_v4();
    let error = a.start(&request).await.unwrap_err();
    assert_eq!(error.kind, CommandErrorKind::Internal);
    assert!(!a.runs(request.vm).await);
}
