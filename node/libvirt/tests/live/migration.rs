//! Live migration between two real hosts, and save images that go from one to the other.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use node_hypervisor::{
    DomainEventKind, DomainState, ErrorKind, Hypervisor, MigrateOptions, MigrateProgress, MigrateTarget,
    ProgressSink, StartMode, StopReason,
};

use super::guest::{Live, counts_on, event};

/// Whether each number follows the one before.
fn without_gap(counts: &[u64]) -> bool {
    counts.windows(2).all(|pair| pair[1] == pair[0] + 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn live_a_guest_counts_on_over_a_migration() {
    let Some(live) = Live::new().await else { return };
    let Some((there, socket, data_uri)) = live.second().await else {
        return;
    };
    let spec = live.spec("traveller");
    let (vm, log) = (spec.uuid, spec.serial_log.clone().unwrap());
    live.hypervisor.start(&spec, StartMode::Running).await.unwrap();
    let before = counts_on(&log, 0, 2).await;
    let endpoint = there.migrate_prepare(&spec).await.unwrap();
    println!("the destination listens at {}", endpoint.socket.display());

    let target = MigrateTarget {
        control_socket: socket,
        data_uri: Some(data_uri),
        listen_address: None,
    };
    let options = MigrateOptions {
        operation: Some("move".into()),
        disks_are_shared: true,
        ..MigrateOptions::default()
    };
    let seen = Arc::new(Mutex::new(Vec::<MigrateProgress>::new()));
    let sink: ProgressSink = {
        let seen = seen.clone();
        Arc::new(move |p| seen.lock().unwrap().push(p))
    };
    let (mut left, mut came) = (live.hypervisor.events(), there.events());
    let began = Instant::now();
    live.hypervisor
        .migrate_to(vm, &target, &options, sink)
        .await
        .unwrap();
    let took = began.elapsed();

    event(&mut left, vm, &DomainEventKind::Stopped(StopReason::Migrated)).await;
    event(&mut came, vm, &DomainEventKind::Resumed).await;
    assert!(live.hypervisor.state(vm).await.unwrap().is_none());
    let domain = there.state(vm).await.unwrap().unwrap();
    assert_eq!(
        (domain.state, domain.operation.as_deref()),
        (DomainState::Running, Some("move"))
    );
    let after = counts_on(&log, before.len(), 4).await;
    assert!(without_gap(&after), "{after:?}");
    let seen = seen.lock().unwrap().clone();
    println!(
        "took {took:?}, paused for {:?}, told {} times",
        seen.last().unwrap().downtime,
        seen.len()
    );
    assert_eq!(seen.last().unwrap().percent(), 100);

    // A disk that was plugged in there goes with it on the way back, and so does an image.
    let disk = live.disk("late", node_hypervisor::DiskIndex(6));
    there.attach_disk(vm, &disk).await.unwrap();
    let image = live.folder.path().join("image");
    there.suspend_to(vm, &image).await.unwrap();
    let mut spec = spec;
    spec.operation = "resume".into();
    spec.disks.push(disk);
    let counted = counts_on(&log, 0, 1).await.len();
    live.hypervisor
        .resume_from(&spec, &image, StartMode::Running)
        .await
        .unwrap();
    let after = counts_on(&log, counted, 3).await;
    assert!(without_gap(&after), "{after:?}");
    live.hypervisor.destroy(vm).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn live_a_migration_called_off_leaves_the_guest_at_home() {
    let Some(live) = Live::new().await else { return };
    let Some((there, socket, data_uri)) = live.second().await else {
        return;
    };
    let spec = live.spec("stayer");
    let (vm, log) = (spec.uuid, spec.serial_log.clone().unwrap());
    live.hypervisor.start(&spec, StartMode::Running).await.unwrap();
    let before = counts_on(&log, 0, 1).await;
    let target = MigrateTarget {
        control_socket: socket,
        data_uri: Some(data_uri),
        listen_address: None,
    };
    // Slow enough to be caught on its way.
    let options = MigrateOptions {
        disks_are_shared: true,
        bandwidth: Some(node_hypervisor::Bytes::mib(1)),
        ..MigrateOptions::default()
    };
    let (first, progress) = tokio::sync::oneshot::channel();
    let first = Mutex::new(Some(first));
    let sink: ProgressSink = Arc::new(move |_| {
        if let Some(tell) = first.lock().unwrap().take() {
            let _ = tell.send(());
        }
    });
    let (here, aim, how) = (live.hypervisor.clone(), target.clone(), options.clone());
    let moving = tokio::spawn(async move { here.migrate_to(vm, &aim, &how, sink).await });
    tokio::time::timeout(Duration::from_secs(30), progress)
        .await
        .unwrap()
        .unwrap();
    live.hypervisor.migrate_abort(vm).await.unwrap();
    assert_eq!(moving.await.unwrap().unwrap_err().kind(), ErrorKind::Aborted);
    assert_eq!(
        live.hypervisor.state(vm).await.unwrap().unwrap().state,
        DomainState::Running
    );
    assert!(there.state(vm).await.unwrap().is_none());
    let deadline = MigrateOptions {
        deadline: Some(Duration::from_secs(2)),
        ..options
    };
    let answer = live
        .hypervisor
        .migrate_to(vm, &target, &deadline, Arc::new(|_| {}))
        .await;
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::TimedOut);
    let after = counts_on(&log, before.len(), 3).await;
    assert!(without_gap(&after), "{after:?}");
    // Nothing is left to call off.
    live.hypervisor.migrate_abort(vm).await.unwrap();
    live.hypervisor.destroy(vm).await.unwrap();
}
