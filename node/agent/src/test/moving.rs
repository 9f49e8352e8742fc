//! Live migration between agents.

use std::time::Duration;

use node_commands::*;
use node_hypervisor::{DomainState, ErrorKind, PauseReason};
use node_sim::{Fault, Operation};
use uuid::Uuid;

use super::world::*;

/// Prepares the destination, and says how to go there.
pub async fn prepare(
    b: &Host,
    request: &DomainRequest,
) -> Result<(MigrationDestination, MigrationOptions), CommandError> {
    let prepare = HostCommand::PrepareIncoming {
        request: Box::new(request.clone()),
    };
    match b.ask(prepare).await? {
        HostReply::Incoming {
            endpoint,
            memory,
            disks,
        } => Ok((
            MigrationDestination {
                host: b.uuid,
                address: "127.0.0.1".into(),
                grpc_port: 0,
                endpoint,
                memory,
            },
            MigrationOptions {
                disks,
                start_id: Some(Uuid::new_v4()),
                ..MigrationOptions::default()
            },
        )),
        other => panic!("{other:?}"),
    }
}

pub async fn status(a: &Host, vm: Uuid) -> MigrationStatus {
    match a.ask(HostCommand::MigrationProgress { vm }).await.unwrap() {
        HostReply::Migration(status) => status,
        other => panic!("{other:?}"),
    }
}

pub async fn until_over(a: &Host, vm: Uuid) -> MigrationPhase {
    wait_for("the migration is over", async || {
        status(a, vm).await.phase.is_over()
    })
    .await;
    status(a, vm).await.phase
}

#[tokio::test]
async fn a_domain_goes_over_and_goes_on() {
    let world = World::new();
    let (a, b) = (world.host("a").await, world.host("b").await);
    let request = world.vm(&a).await;
    let vm = request.vm;
    a.start(&request).await.unwrap();
    let (destination, options) = prepare(&b, &request).await.unwrap();
    let go = HostCommand::MigrateOut {
        vm,
        destination,
        options,
    };
    a.ask(go.clone()).await.unwrap();
    a.ask(go).await.unwrap();
    assert_eq!(until_over(&a, vm).await, MigrationPhase::Arrived);
    assert!(a.domain(vm).await.is_none());
    assert!(b.runs(vm).await);
    assert_eq!(b.sim.boots(vm), Some(1));
    assert!(status(&a, vm).await.progress.is_some());
    // The source has let go, the destination holds on, and nobody is expected any more.
    a.ask(HostCommand::DestroyDomain { vm }).await.unwrap();
    a.ask(HostCommand::SrUnplug { sr: world.sr.uuid }).await.unwrap();
    assert_eq!(
        b.ask(HostCommand::SrUnplug { sr: world.sr.uuid })
            .await
            .unwrap_err()
            .kind,
        CommandErrorKind::Busy
    );
    wait_for("the place is free", async || {
        !b.agent.inner.migrations.expects(vm)
    })
    .await;
    let late = b.ask(HostCommand::CancelIncoming { vm }).await.unwrap_err();
    assert!(late.is(ErrorKind::WrongState));
    assert!(b.runs(vm).await, "an arrived guest is not thrown away");
    // Once it has come to its end there, whoever asks is told that it had run.
    b.ask(HostCommand::DestroyDomain { vm }).await.unwrap();
    let gone = b.ask(HostCommand::CancelIncoming { vm }).await.unwrap();
    assert_eq!(gone, HostReply::ThrownAway { had_run: true });
    assert_eq!(
        std::fs::read_dir(world.path().join("mig")).unwrap().count(),
        0,
        "sockets were left behind"
    );
}

#[tokio::test]
async fn a_cut_in_the_middle_leaves_it_at_home_and_the_copy_is_thrown_away() {
    let world = World::new();
    let (a, b) = (world.host("a").await, world.host("b").await);
    let request = world.vm(&a).await;
    let vm = request.vm;
    a.start(&request).await.unwrap();
    a.sim.faults().next(Operation::MigrateTo, Fault::CutHalfway);
    let (destination, options) = prepare(&b, &request).await.unwrap();
    a.ask(HostCommand::MigrateOut {
        vm,
        destination,
        options,
    })
    .await
    .unwrap();
    assert!(matches!(until_over(&a, vm).await, MigrationPhase::Failed(_)));
    for _ in 0..2 {
        let gone = b.ask(HostCommand::CancelIncoming { vm }).await.unwrap();
        assert_eq!(gone, HostReply::Done);
    }
    assert!(a.runs(vm).await);
    assert!(b.domain(vm).await.is_none());
    b.ask(HostCommand::SrUnplug { sr: world.sr.uuid }).await.unwrap();
}

#[tokio::test]
async fn a_migration_that_is_called_off_ends_at_home() {
    let world = World::new();
    let (a, b) = (world.host("a").await, world.host("b").await);
    let request = world.vm(&a).await;
    let vm = request.vm;
    a.start(&request).await.unwrap();
    let (destination, options) = prepare(&b, &request).await.unwrap();
    a.ask(HostCommand::MigrateOut {
        vm,
        destination,
        options,
    })
    .await
    .unwrap();
    let Ok(HostReply::Migration(status)) = a.ask(HostCommand::MigrateAbort { vm }).await else {
        panic!("no status")
    };
    assert!(
        matches!(status.phase, MigrationPhase::Failed(ref e) if e.is(ErrorKind::Aborted)),
        "{status:?}"
    );
    b.ask(HostCommand::CancelIncoming { vm }).await.unwrap();
    assert!(a.runs(vm).await && b.domain(vm).await.is_none());
}

#[tokio::test]
async fn an_unprepared_host_takes_nothing() {
    let world = World::new();
    let (a, b) = (world.host("a").await, world.host("b").await);
    let request = world.vm(&a).await;
    let vm = request.vm;
    a.start(&request).await.unwrap();
    let (destination, options) = prepare(&b, &request).await.unwrap();
    b.ask(HostCommand::CancelIncoming { vm }).await.unwrap();
    a.ask(HostCommand::MigrateOut {
        vm,
        destination,
        options,
    })
    .await
    .unwrap();
    assert!(matches!(until_over(&a, vm).await, MigrationPhase::Failed(_)));
    assert!(a.runs(vm).await && b.domain(vm).await.is_none());
}

#[tokio::test]
async fn a_host_that_has_the_domain_refuses_it() {
    let world = World::new();
    let (a, b) = (world.host("a").await, world.host("b").await);
    let request = world.vm(&a).await;
    b.start(&request).await.unwrap();
    assert!(
        prepare(&b, &request)
            .await
            .unwrap_err()
            .is(ErrorKind::AlreadyExists)
    );
    assert!(b.runs(request.vm).await);
    let error = a
        .ask(HostCommand::MigrationProgress { vm: request.vm })
        .await
        .unwrap_err();
    assert_eq!(error.kind, CommandErrorKind::NoSuchMigration);
}

#[tokio::test]
async fn a_destination_cancelled_while_memory_travels_holds_nothing() {
    let world = World::new();
    let (a, b) = (world.host("a").await, world.host("b").await);
    let request = world.vm(&a).await;
    let vm = request.vm;
    a.start(&request).await.unwrap();
    let (destination, options) = prepare(&b, &request).await.unwrap();
    a.ask(HostCommand::MigrateOut {
        vm,
        destination,
        options,
    })
    .await
    .unwrap();
    wait_for("the copy comes in", async || {
        b.domain(vm)
            .await
            .is_some_and(|d| d.state == DomainState::Paused(PauseReason::Migrating))
            || a.domain(vm).await.is_none()
    })
    .await;
    match b.ask(HostCommand::CancelIncoming { vm }).await {
        Ok(_) => {
            until_over(&a, vm).await;
            wait_for("it runs at home, or waits there to be let go on", async || {
                a.domain(vm).await.is_some()
            })
            .await;
            // As the leader does: only once the destination holds nothing.
            assert!(b.domain(vm).await.is_none());
            a.ask(HostCommand::UnpauseDomain { vm }).await.unwrap();
            assert!(a.runs(vm).await);
        }
        // It was quicker.
        Err(error) => assert!(error.is(ErrorKind::WrongState) && b.runs(vm).await),
    }
    tokio::time::sleep(Duration::ZERO).await;
}

#[tokio::test]
async fn a_contract_that_cannot_be_kept_is_refused_before_memory_travels() {
    let world = World::new();
    let (a, b) = (world.host("a").await, world.host("b").await);
    let request = world.vm(&a).await;
    let vm = request.vm;
    a.start(&request).await.unwrap();
    let (destination, options) = prepare(&b, &request).await.unwrap();
    // 128 MiB cannot pass in a second where one passes.
    let options = MigrationOptions {
        bandwidth: Some(proto_types::Bytes::mib(1)),
        deadline: Some(Duration::from_secs(1)),
        ..options
    };
    a.ask(HostCommand::MigrateOut {
        vm,
        destination,
        options,
    })
    .await
    .unwrap();
    let MigrationPhase::Failed(error) = until_over(&a, vm).await else {
        panic!("it went")
    };
    assert!(error.text.contains("1 s are agreed to"), "{error}");
    assert!(b.domain(vm).await.is_none() && a.runs(vm).await);
}

#[tokio::test]
async fn a_guest_left_paused_by_an_attempt_goes_on_and_one_that_runs_is_left_alone() {
    let world = World::new();
    let a = world.host("a").await;
    let request = world.vm(&a).await;
    let vm = request.vm;
    let revive = HostCommand::ReviveDomain { vm };
    assert_eq!(a.ask(revive.clone()).await.unwrap(), HostReply::Domain(None));
    a.start(&request).await.unwrap();
    a.ask(revive.clone()).await.unwrap();
    assert!(a.runs(vm).await);
    // Paused by its owner is not paused by a migration.
    a.ask(HostCommand::PauseDomain { vm }).await.unwrap();
    a.ask(revive).await.unwrap();
    assert!(!a.runs(vm).await);
}

#[tokio::test]
async fn what_is_settled_is_the_domain_that_was_seen_and_no_later_one_of_its_guest() {
    let world = World::new();
    let (a, b) = (world.host("a").await, world.host("b").await);
    let request = world.vm(&a).await;
    let vm = request.vm;
    a.start(&request).await.unwrap();
    let ends = |seen: &node_hypervisor::Domain| HostCommand::SettleLeftover {
        vm,
        id: seen.id,
        operation: seen.operation.clone(),
        fate: Fate::End,
    };
    let seen = a.domain(vm).await.unwrap();
    let go = async |from: &Host, to: &Host, meanwhile: Option<HostCommand>| {
        let (destination, options) = prepare(to, &request).await.unwrap();
        if let Some(command) = meanwhile {
            assert_eq!(to.ask(command).await.unwrap(), HostReply::Domain(None));
        }
        let out = HostCommand::MigrateOut {
            vm,
            destination,
            options,
        };
        from.ask(out).await.unwrap();
        assert_eq!(until_over(from, vm).await, MigrationPhase::Arrived);
    };
    go(&a, &b, None).await;
    // Late word of what ran here before does not touch the place that is kept for its return, nor what has returned.
    go(&b, &a, Some(ends(&seen))).await;
    // Nor is its earlier departure taken for a later one.
    for ask in [
        HostCommand::MigrationProgress { vm },
        HostCommand::MigrateAbort { vm },
    ] {
        assert_eq!(
            a.ask(ask).await.unwrap_err().kind,
            CommandErrorKind::NoSuchMigration
        );
    }
    assert_eq!(a.ask(ends(&seen)).await.unwrap(), HostReply::Domain(None));
    assert!(a.runs(vm).await);
    let again = a.domain(vm).await.unwrap();
    assert_eq!(
        a.ask(ends(&again)).await.unwrap(),
        HostReply::Domain(Some(again.clone()))
    );
    assert!(a.domain(vm).await.is_none());
    assert_eq!(a.ask(ends(&again)).await.unwrap(), HostReply::Domain(None));
}
