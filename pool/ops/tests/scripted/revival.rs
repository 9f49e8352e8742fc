//! A migration whose destination went down with a guest that may have run there: its source's copy must not go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use migration::MigrationPlan;
use node_commands::{HostCommand, HostReply, MemoryPath, MigrationPhase, MigrationStatus};
use node_hypervisor::{DomainState, PauseReason};
use pool_domain::decide::{host as hosts, host_life};
use pool_ops::vm::migrate::Migrate;
use pool_ops::{Call, run};
use proto_types::generated::vm;
use proto_types::{ApiError, Ref, Value};

use crate::bed::Pool;
use crate::stage::{Answer, Stage, a_while, domain, silence};

struct Moving {
    stage: Stage,
    guest: Ref,
    source: Ref,
    target: Ref,
    /// Whether the source answers.
    heard: Arc<AtomicBool>,
    end: tokio::task::JoinHandle<Result<Value, ApiError>>,
}

fn incoming() -> Answer {
    Ok(HostReply::Incoming {
        endpoint: "/incoming".into(),
        memory: MemoryPath::Direct,
        disks: Default::default(),
    })
}

fn broken_off() -> Answer {
    let failed =
        node_commands::CommandError::new(node_commands::CommandErrorKind::Internal, "the attempt broke off");
    Ok(HostReply::Migration(MigrationStatus {
        phase: MigrationPhase::Failed(failed),
        progress: None,
        dirty_rate: None,
    }))
}

/// The attempt has failed with the guest stopped; the destination is down by the operator's word, and the source is silent.
async fn stopped_and_unheard() -> Moving {
    let mut pool = Pool::new();
    let (guest, source, target) = (pool.vm(), pool.host("one"), pool.host("two"));
    pool.start_on(guest, Some(source));
    let stage = Stage::of(&pool);
    let (at_source, at_target) = (stage.uuid(source), stage.uuid(target));
    let half = domain(stage.uuid(guest), DomainState::Paused(PauseReason::Migrating));
    let heard = Arc::new(AtomicBool::new(true));
    let hears = Arc::clone(&heard);
    stage.script(move |host, command| match command {
        HostCommand::PrepareIncoming { .. } => incoming(),
        HostCommand::MigrateOut { .. } => Ok(HostReply::Done),
        // From here on the destination is not heard any more.
        _ if host == at_target => silence(host),
        _ if !hears.load(Ordering::SeqCst) => silence(host),
        HostCommand::MigrationProgress { .. } | HostCommand::MigrateAbort { .. } => broken_off(),
        HostCommand::DomainState { .. } if host == at_source => Ok(HostReply::Domain(Some(half.clone()))),
        _ => Ok(HostReply::Done),
    });
    let plan = MigrationPlan::from_options(&Default::default(), Default::default()).unwrap();
    let operation = Migrate::new(guest, target, plan).patient_for(Duration::from_secs(1));
    let ops = stage.ops.clone();
    let end = tokio::spawn(async move { run(&ops, operation, Call::default()).await });
    stage
        .until("the end of the attempt", |s| {
            s.asked(target, "cancel_incoming") > 0
        })
        .await;
    heard.store(false, Ordering::SeqCst);
    stage
        .decide(|d| {
            hosts::set_live(d, target, false);
            host_life::declare_dead(d, target)
        })
        .await;
    let moving = Moving {
        stage,
        guest,
        source,
        target,
        heard,
        end,
    };
    // Far longer than a silent host is waited for elsewhere.
    a_while().await;
    moving
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_may_have_run_elsewhere_is_not_let_go_on_unseen() {
    let Moving {
        stage,
        guest,
        source,
        target,
        heard,
        end,
    } = stopped_and_unheard().await;
    assert_eq!(stage.asked(source, "revive_domain"), 0);
    assert!(
        !end.is_finished(),
        "what is known of it here would be lost with it"
    );
    heard.store(true, Ordering::SeqCst);
    let error = end.await.unwrap().unwrap_err();
    assert_eq!(error.code, "VM_MIGRATE_FAILED");
    assert_eq!(stage.asked(source, "revive_domain"), 0);
    assert_eq!(stage.asked(source, "destroy_domain"), 1);
    assert_eq!(stage.asked(target, "destroy_domain"), 0);
    let db = stage.db();
    assert!(!pool_domain::vm_rules::is_busy(db.get(guest).unwrap()));
}

#[tokio::test(start_paused = true)]
async fn the_operators_word_on_the_source_ends_the_wait() {
    let Moving {
        stage,
        guest,
        source,
        end,
        ..
    } = stopped_and_unheard().await;
    stage
        .decide(|d| {
            hosts::set_live(d, source, false);
            host_life::declare_dead(d, source)
        })
        .await;
    end.await.unwrap().unwrap_err();
    let row = stage.db().get(guest).unwrap().clone();
    assert_eq!(row.get(vm::POWER_STATE).as_str(), "Halted");
    assert!(!pool_domain::vm_rules::is_busy(&row));
    assert!(row.get(vm::SCHEDULED_TO_BE_RESIDENT_ON).as_ref().is_null());
    assert_eq!(stage.asked(source, "revive_domain"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_came_to_its_end_on_the_destination_does_not_go_on_at_the_source() {
    for had_run in [true, false] {
        let mut pool = Pool::new();
        let (guest, source, target) = (pool.vm(), pool.host("one"), pool.host("two"));
        pool.start_on(guest, Some(source));
        let stage = Stage::of(&pool);
        let (at_source, at_target) = (stage.uuid(source), stage.uuid(target));
        let half = domain(stage.uuid(guest), DomainState::Paused(PauseReason::Migrating));
        stage.script(move |host, command| match command {
            HostCommand::PrepareIncoming { .. } => incoming(),
            HostCommand::DomainState { .. } if host == at_target => Ok(HostReply::Domain(None)),
            HostCommand::CancelIncoming { .. } if host == at_target => Ok(HostReply::ThrownAway { had_run }),
            HostCommand::MigrationProgress { .. } | HostCommand::MigrateAbort { .. } => broken_off(),
            HostCommand::DomainState { .. } if host == at_source => Ok(HostReply::Domain(Some(half.clone()))),
            _ => Ok(HostReply::Done),
        });
        let plan = MigrationPlan::from_options(&Default::default(), Default::default()).unwrap();
        let operation = Migrate::new(guest, target, plan).patient_for(Duration::from_secs(1));
        run(&stage.ops, operation, Call::default()).await.unwrap_err();
        assert_eq!(stage.asked(source, "revive_domain"), usize::from(!had_run));
        assert_eq!(stage.asked(source, "destroy_domain"), usize::from(had_run));
    }
}
