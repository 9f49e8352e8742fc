//! Domains that others started: taken over, given back where the host refuses, kept where it does not answer.

use node_commands::{CommandErrorKind, HostCommand, HostReply};
use node_hypervisor::{Bytes, DomainState, ForeignDomain};
use pool_ops::vm::adopt::Adopt;
use pool_ops::{AgentFailure, Call, run};
use proto_types::generated::vm;
use proto_types::{ApiError, Ref};
use uuid::Uuid;

use crate::bed::Pool;
use crate::stage::{Answer, Stage, a_while, domain, report, silence};

const WEB: Uuid = Uuid::from_u128(0xad0 << 100);

fn web() -> ForeignDomain {
    let mut web = ForeignDomain::new(WEB, "web", Bytes::mib(256));
    web.vcpus.maximum = 2;
    web
}

/// Adopts, with a host that answers so when it is to take the domain over and when it is to give it back.
async fn adopt(
    take: fn(Uuid) -> Answer,
    give_back: fn(Uuid) -> Answer,
) -> (Stage, Ref, Result<Ref, ApiError>) {
    let pool = Pool::new();
    let on = pool.host("one");
    let stage = Stage::of(&pool);
    stage.script(move |host, command| match command {
        HostCommand::ListForeign => Ok(HostReply::Foreign(vec![web()])),
        HostCommand::AdoptDomain { .. } => take(host),
        HostCommand::DisownDomain { .. } => give_back(host),
        _ => Ok(HostReply::Done),
    });
    let outcome = run(&stage.ops, Adopt::new(on, WEB), Call::default()).await;
    (stage, on, outcome.map(|made| made.as_ref()))
}

fn taken(_: Uuid) -> Answer {
    Ok(HostReply::Domain(Some(domain(WEB, DomainState::Running))))
}

fn done(_: Uuid) -> Answer {
    Ok(HostReply::Done)
}

fn refused(host: Uuid) -> Answer {
    Err(AgentFailure {
        is_unknown: false,
        kind: Some(CommandErrorKind::Storage),
        ..silence(host).unwrap_err()
    })
}

#[tokio::test(start_paused = true)]
async fn a_domain_becomes_a_vm_that_runs_where_it_is() {
    let (stage, on, made) = adopt(taken, done).await;
    let db = stage.db();
    let row = db.of_class(vm::CLASS, made.unwrap()).unwrap();
    assert_eq!(
        (row.uuid(), row.get(vm::NAME_LABEL).as_str()),
        (&*WEB.to_string(), "web")
    );
    assert_eq!(row.get(vm::POWER_STATE).as_str(), "Running");
    assert_eq!(row.get(vm::RESIDENT_ON).as_ref(), on);
    assert_eq!(row.get(vm::MEMORY_STATIC_MAX).as_int(), Bytes::mib(256).as_i64());
    assert_eq!(
        (
            row.get(vm::VCPUS_MAX).as_int(),
            row.get(vm::VCPUS_AT_STARTUP).as_int()
        ),
        (2, 1)
    );
    assert!(row.get(vm::CURRENT_OPERATIONS).as_map().unwrap().is_empty());
    let seed = row.get(vm::OTHER_CONFIG).get("mac_seed").unwrap_or_default();
    assert!(
        Uuid::try_parse(seed).is_ok(),
        "cards that it gets later have addresses of their own"
    );
    let twice = run(&stage.ops, Adopt::new(on, WEB), Call::default()).await;
    assert_eq!(twice.unwrap_err().code, "OPERATION_NOT_ALLOWED");
}

#[tokio::test(start_paused = true)]
async fn what_the_host_does_not_take_leaves_no_row_and_is_given_back() {
    let (stage, on, made) = adopt(refused, done).await;
    made.unwrap_err();
    assert!(stage.db().by_uuid(vm::CLASS, &WEB.to_string()).is_none());
    assert_eq!(stage.asked(on, "disown_domain"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_does_not_answer_keeps_the_vm_and_never_ends_it() {
    let (stage, on, made) = adopt(silence, silence).await;
    made.unwrap_err();
    let running = |stage: &Stage| {
        let db = stage.db();
        let row = db.by_uuid(vm::CLASS, &WEB.to_string())?.clone();
        Some((
            row.get(vm::POWER_STATE).as_str().to_owned(),
            row.get(vm::RESIDENT_ON).as_ref(),
        ))
    };
    assert_eq!(running(&stage), Some(("Running".to_owned(), on)));
    // It had taken it over, and says so when it is back.
    stage
        .tells(on, report(vec![domain(WEB, DomainState::Running)]))
        .await;
    a_while().await;
    assert_eq!(running(&stage), Some(("Running".to_owned(), on)));
    assert_eq!(stage.asked(on, "destroy_domain"), 0);
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_be_taken_is_refused_before_anything_is_entered() {
    let pool = Pool::new();
    let on = pool.host("one");
    let stage = Stage::of(&pool);
    stage.script(|_, command| match command {
        HostCommand::ListForeign => Ok(HostReply::Foreign(vec![ForeignDomain {
            obstacles: vec!["a".into(), "b".into()],
            ..web()
        }])),
        _ => Ok(HostReply::Done),
    });
    let refused = run(&stage.ops, Adopt::new(on, WEB), Call::default())
        .await
        .unwrap_err();
    assert_eq!(
        (&*refused.code, refused.params),
        ("OPERATION_NOT_ALLOWED", vec!["a; b".to_owned()])
    );
    let unknown = run(&stage.ops, Adopt::new(on, Uuid::nil()), Call::default()).await;
    assert_eq!(unknown.unwrap_err().code, "UUID_INVALID");
    assert_eq!(stage.asked(on, "adopt_domain"), 0);
}
