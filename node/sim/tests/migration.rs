//! Simulated domains move between hosts, and never run on two.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use node_hypervisor::{
    Bytes, DomainEventKind, DomainSpec, DomainState, ErrorKind, Hypervisor, MigrateOptions, MigrateProgress,
    PauseReason, ProgressSink, StartMode, StopReason,
};
use node_sim::{Fault, Operation, SimHypervisor, SimWorld};
use uuid::Uuid;

struct Pair {
    _folder: tempfile::TempDir,
    world: SimWorld,
    here: SimHypervisor,
    there: SimHypervisor,
    spec: DomainSpec,
}

async fn pair() -> Pair {
    let folder = tempfile::tempdir().unwrap();
    let world = SimWorld::new(folder.path());
    let (here, there) = (world.host("here").unwrap(), world.host("there").unwrap());
    let spec = DomainSpec::new("start", Uuid::new_v4(), "traveller", Bytes::mib(128));
    here.start(&spec, StartMode::Running).await.unwrap();
    Pair {
        _folder: folder,
        world,
        here,
        there,
        spec,
    }
}

fn silent() -> ProgressSink {
    Arc::new(|_| {})
}

async fn running(host: &SimHypervisor, vm: Uuid) -> bool {
    host.state(vm)
        .await
        .unwrap()
        .is_some_and(|d| d.state == DomainState::Running)
}

#[tokio::test]
async fn a_domain_moves_and_goes_on_counting() {
    let p = pair().await;
    let vm = p.spec.uuid;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let before = p.here.count(vm).unwrap();
    let (mut left, mut came) = (p.here.events(), p.there.events());
    let seen = Arc::new(Mutex::new(Vec::<MigrateProgress>::new()));
    let sink: ProgressSink = {
        let seen = seen.clone();
        Arc::new(move |p| seen.lock().unwrap().push(p))
    };
    p.there.migrate_prepare(&p.spec).await.unwrap();
    let options = MigrateOptions {
        operation: Some("move".into()),
        ..Default::default()
    };
    p.here
        .migrate_to(vm, &p.world.target("there"), &options, sink)
        .await
        .unwrap();

    assert!(p.here.state(vm).await.unwrap().is_none());
    let domain = p.there.state(vm).await.unwrap().unwrap();
    assert_eq!(
        (domain.state, domain.operation.as_deref()),
        (DomainState::Running, Some("move"))
    );
    assert!(p.there.count(vm).unwrap() > before);
    assert_eq!(p.there.boots(vm), Some(1));
    assert_eq!(left.recv().await.unwrap().kind, DomainEventKind::Paused);
    assert_eq!(
        left.recv().await.unwrap().kind,
        DomainEventKind::Stopped(StopReason::Migrated)
    );
    assert_eq!(came.recv().await.unwrap().kind, DomainEventKind::Started);
    assert_eq!(came.recv().await.unwrap().kind, DomainEventKind::Resumed);
    let percents: Vec<u8> = seen
        .lock()
        .unwrap()
        .iter()
        .map(MigrateProgress::percent)
        .collect();
    assert!(
        percents.is_sorted() && percents.last() == Some(&100),
        "{percents:?}"
    );
}

#[tokio::test]
async fn a_cut_halfway_leaves_the_domain_at_home() {
    let p = pair().await;
    p.here.faults().next(Operation::MigrateTo, Fault::CutHalfway);
    let answer = p
        .here
        .migrate_to(
            p.spec.uuid,
            &p.world.target("there"),
            &Default::default(),
            silent(),
        )
        .await;
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::Disconnected);
    assert!(running(&p.here, p.spec.uuid).await);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    while p.there.state(p.spec.uuid).await.unwrap().is_some() {
        assert!(tokio::time::Instant::now() < deadline, "the copy stays");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // And it can go later.
    p.here
        .migrate_to(
            p.spec.uuid,
            &p.world.target("there"),
            &Default::default(),
            silent(),
        )
        .await
        .unwrap();
    assert!(running(&p.there, p.spec.uuid).await);
}

#[tokio::test]
async fn a_migration_can_be_called_off() {
    let p = pair().await;
    let vm = p.spec.uuid;
    let (first, progress) = tokio::sync::oneshot::channel();
    let first = Mutex::new(Some(first));
    let sink: ProgressSink = Arc::new(move |_| {
        if let Some(tell) = first.lock().unwrap().take() {
            let _ = tell.send(());
        }
    });
    let (here, target) = (p.here.clone(), p.world.target("there"));
    let moving = tokio::spawn(async move { here.migrate_to(vm, &target, &Default::default(), sink).await });
    progress.await.unwrap();
    p.here.migrate_abort(vm).await.unwrap();
    assert_eq!(moving.await.unwrap().unwrap_err().kind(), ErrorKind::Aborted);
    assert!(running(&p.here, vm).await);
}

#[tokio::test]
async fn a_destination_without_memory_refuses() {
    let p = pair().await;
    let big = DomainSpec::new("start", Uuid::new_v4(), "big", Bytes::gib(16));
    p.there.start(&big, StartMode::Running).await.unwrap();
    let refused = p.there.migrate_prepare(&p.spec).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NoMemory);
    let answer = p
        .here
        .migrate_to(
            p.spec.uuid,
            &p.world.target("there"),
            &Default::default(),
            silent(),
        )
        .await;
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::NoMemory);
    assert!(running(&p.here, p.spec.uuid).await);
}

#[tokio::test]
async fn a_paused_domain_arrives_paused() {
    let p = pair().await;
    let vm = p.spec.uuid;
    p.here.pause(vm).await.unwrap();
    let count = p.here.count(vm).unwrap();
    p.here
        .migrate_to(vm, &p.world.target("there"), &Default::default(), silent())
        .await
        .unwrap();
    let state = p.there.state(vm).await.unwrap().unwrap().state;
    assert_eq!(state, DomainState::Paused(PauseReason::Requested));
    assert_eq!(p.there.count(vm), Some(count));
}

#[tokio::test]
async fn what_a_guest_does_by_itself_follows_its_spec() {
    let p = pair().await;
    let vm = p.spec.uuid;
    let mut events = p.here.events();
    p.here.guest_reboots(vm);
    assert_eq!(events.recv().await.unwrap().kind, DomainEventKind::Rebooted);
    assert_eq!(p.here.boots(vm), Some(2));
    p.here.guest_crashes(vm);
    assert_eq!(events.recv().await.unwrap().kind, DomainEventKind::Crashed);
    assert_eq!(
        events.recv().await.unwrap().kind,
        DomainEventKind::Stopped(StopReason::Crashed)
    );
    assert!(p.here.state(vm).await.unwrap().is_none());
}

#[tokio::test]
async fn a_lost_reply_is_found_out_by_asking_again() {
    let p = pair().await;
    let spec = DomainSpec::new("start-2", Uuid::new_v4(), "second", Bytes::mib(64));
    p.here.faults().next(Operation::Start, Fault::LoseReply);
    let answer = p.here.start(&spec, StartMode::Running).await;
    assert!(answer.unwrap_err().is_retryable());
    p.here.start(&spec, StartMode::Running).await.unwrap();
    assert_eq!(p.here.boots(spec.uuid), Some(1));
}
