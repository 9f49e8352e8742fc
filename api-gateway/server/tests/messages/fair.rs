//! One client has much in hand: what becomes of its calls, and of those of others.

use std::time::Duration;

use gateway_codec::Outcome as Reply;
use gateway_server::api::fair::{Bounds, Lane, Lanes};
use proto_types::generated::{task, vm};
use proto_types::{Ref, Value};
use uuid::Uuid;

use super::leader::Leader;

async fn wait_for(what: &str, holds: impl Fn() -> bool) {
    let found = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), found)
        .await
        .expect(what);
}

#[tokio::test]
async fn a_script_that_starts_many_vms_waits_for_itself_and_nobody_else_does() {
    let lanes = Lanes {
        working: Lane::new(Bounds {
            running: 3,
            running_per_peer: 2,
            waiting_per_peer: 2,
        }),
        ..Lanes::default()
    };
    let leader = Leader::with_lanes(lanes).await;
    let mut guests = Vec::new();
    for _ in 0..6 {
        guests.push(leader.vm().await);
    }
    let uuid = |this: Ref| Uuid::parse_str(leader.db().get(this).unwrap().uuid()).unwrap();
    let held: Vec<Uuid> = guests[..5].iter().map(|g| uuid(*g)).collect();
    leader.hosts.held.lock().unwrap().extend(&held);
    let operator = leader.session_of("vm-operator").await;
    let arguments = |guest: Ref| [guest.into(), false.into(), true.into()];
    let start = |guest: Ref| {
        let params: Vec<Value> = std::iter::once(operator.as_str().into())
            .chain(arguments(guest))
            .collect();
        let leader = &leader;
        async move {
            match leader.from_afar("Async.VM.start", &params, &[]).await {
                Reply::Success(value) => Ok(value.as_str().unwrap().parse::<Ref>().unwrap()),
                Reply::Failure(error) => Err(error.description()),
            }
        }
    };
    let mut tasks = Vec::new();
    for guest in &guests[..4] {
        tasks.push(start(*guest).await.unwrap());
    }
    // Two are begun, two wait, and no more may.
    assert_eq!(start(guests[4]).await.unwrap_err(), ["TOO_MANY_PENDING_TASKS"]);
    let begun = || {
        let asked = leader.hosts.asked.lock().unwrap();
        let vms = asked
            .iter()
            .filter(|(_, c)| c.verb() == "start_domain")
            .filter_map(|(_, c)| c.vm());
        vms.collect::<Vec<_>>()
    };
    wait_for("two starts", || begun().len() == 2).await;
    assert_eq!(begun(), held[..2]);
    // Another client's call does not wait for any of them.
    leader.ok("VM.start", &arguments(guests[5])).await;
    let state = |this: Ref| {
        leader
            .db()
            .get(this)
            .unwrap()
            .get(vm::POWER_STATE)
            .as_str()
            .to_owned()
    };
    assert_eq!(state(guests[5]), "Running");
    // Nor do the script's own reads and writes.
    let set = [operator.as_str().into(), tasks[2].into()];
    assert!(matches!(
        leader.from_afar("task.cancel", &set, &[]).await,
        Reply::Success(_)
    ));
    let status = |this: Ref| {
        leader
            .db()
            .get(this)
            .unwrap()
            .get(task::STATUS)
            .as_str()
            .to_owned()
    };
    assert_eq!(status(tasks[2]), "pending");
    leader.hosts.permits.0.add_permits(4);
    wait_for("the end of all", || tasks.iter().all(|t| status(*t) != "pending")).await;
    assert_eq!(
        tasks.iter().map(|t| status(*t)).collect::<Vec<_>>(),
        ["success", "success", "cancelled", "success"]
    );
    assert!(
        !begun().contains(&held[2]),
        "what was cancelled while it waited was not begun"
    );
    assert_eq!(state(guests[2]), "Halted");
}
