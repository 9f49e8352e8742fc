//! A VM with a trusted platform module, of which another host has the newest.

use node_commands::{HostCommand, HostReply, SecretText};
use pool_domain::decide::{host as hosts, vtpm};
use pool_ops::vm::start::StartVm;
use pool_ops::{Call, run};
use proto_types::Ref;
use proto_types::generated::vm;

use crate::bed::Pool;
use crate::stage::{Stage, silence};

/// A halted VM that ran on `two` last.
fn pool_with_module() -> (Pool, Ref) {
    let mut pool = Pool::new();
    let (guest, two) = (pool.vm(), pool.host("two"));
    pool.decide(|d| vtpm::create(d, guest, false)).unwrap();
    pool.start_on(guest, Some(two));
    pool.halt(guest);
    assert!(vtpm::is_at(&pool.db, pool.db.get(guest).unwrap()).is_some());
    (pool, guest)
}

#[tokio::test(start_paused = true)]
async fn it_is_not_started_with_an_older_state_while_the_host_that_has_the_newest_is_there() {
    let (pool, guest) = pool_with_module();
    let (one, two) = (pool.host("one"), pool.host("two"));
    let stage = Stage::of(&pool);
    stage.script(|host, command| match command {
        HostCommand::TpmState { .. } => silence(host),
        _ => Ok(HostReply::Done),
    });
    let start = || StartVm::new(guest, "start", Some(one), false);
    let error = run(&stage.ops, start(), Call::default()).await.unwrap_err();
    assert_eq!(error.code, "HOST_OFFLINE");
    assert!(stage.asked(two, "tpm_state") > 1, "it is asked for some time");
    assert_eq!(stage.asked(one, "start_domain"), 0);

    // Once that host counts as away, what the pool has is all there is.
    stage
        .decide(|d| {
            hosts::set_live(d, two, false);
            Ok(())
        })
        .await;
    run(&stage.ops, start(), Call::default()).await.unwrap();
    assert_eq!(stage.asked(one, "start_domain"), 1);
}

#[tokio::test(start_paused = true)]
async fn it_starts_with_what_the_host_answers() {
    let (pool, guest) = pool_with_module();
    let one = pool.host("one");
    let stage = Stage::of(&pool);
    stage.script(|_, command| match command {
        HostCommand::TpmState { .. } => Ok(HostReply::Tpm(Some(SecretText("bmV3".to_owned())))),
        HostCommand::StartDomain { request, .. } => {
            let contents = request.tpm.as_ref().map(|tpm| tpm.contents.0.as_str());
            assert_eq!(contents, Some("bmV3"));
            Ok(HostReply::Done)
        }
        _ => Ok(HostReply::Done),
    });
    let start = StartVm::new(guest, "start", Some(one), false);
    run(&stage.ops, start, Call::default()).await.unwrap();
    let db = stage.db();
    assert_eq!(db.get(guest).unwrap().get(vm::POWER_STATE).as_str(), "Running");
}
