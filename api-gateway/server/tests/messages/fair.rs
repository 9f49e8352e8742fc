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
async fn wrong_passwords_take_their_time_and_few_of_one_peer_are_looked_at_meanwhile() {
    const WRONG: Duration = Duration::from_millis(400);
    let lanes = Lanes {
        knocking: Lane::new(Bounds {
            running: 16,
            running_per_peer: 2,
            waiting_per_peer: 16,
        }),
        ..Lanes::default()
    };
    let leader = Leader::patient(lanes, WRONG).await;
    leader.user("eve", "read-only");
    let log_in = async |password: &'static str| {
        let began = std::time::Instant::now();
        let params = ["eve".into(), password.into()];
        let reply = leader
            .from_afar("session.login_with_password", &params, &[])
            .await;
        (matches!(reply, Reply::Success(_)), began.elapsed())
    };
    let (let_in, took) = log_in("secret").await;
    assert!(let_in && took < WRONG, "{took:?}");
    let guesses = futures::future::join_all((0..4).map(|_| log_in("wrong"))).await;
    let longest = guesses.iter().map(|(_, took)| *took).max().unwrap();
    assert!(guesses.iter().all(|(let_in, took)| !let_in && *took >= WRONG));
    assert!(longest >= 2 * WRONG, "two by two: {longest:?}");
    // On the host itself no password is looked at, and nobody waits.
    let began = std::time::Instant::now();
    leader
        .bare("session.login_with_password", &["root".into(), "x".into()])
        .await;
    assert!(began.elapsed() < WRONG);
}

#[tokio::test]
async fn small_calls_behind_tasks_take_turns_too() {
    let lanes = Lanes {
        writing: Lane::new(Bounds {
            running: 1,
            running_per_peer: 1,
            waiting_per_peer: 0,
        }),
        ..Lanes::default()
    };
    let leader = Leader::with_lanes(lanes).await;
    let guest = leader.vm().await;
    let operator = leader.session_of("pool-admin").await;
    let name = [operator.as_str().into(), guest.into(), 1_i64.into()];
    let sent = |nth: usize| {
        let (leader, name) = (&leader, &name);
        async move {
            match leader.from_afar("Async.VM.set_shutdown_delay", name, &[]).await {
                Reply::Success(_) => (nth, Vec::new()),
                Reply::Failure(error) => (nth, error.description()),
            }
        }
    };
    let before = leader.db().count(task::CLASS);
    let answers = futures::future::join_all((0..20).map(sent)).await;
    let refused = answers
        .iter()
        .filter(|(_, error)| *error == ["TOO_MANY_PENDING_TASKS"])
        .count();
    assert!(refused > 0 && refused < 20, "{answers:?}");
    // Whoever is refused has left no task.
    assert_eq!(leader.db().count(task::CLASS) - before, 20 - refused);
}

#[test]
fn no_peer_holds_all_places_of_a_lane() {
    let lanes = Lanes::default();
    for lane in [
        &lanes.knocking,
        &lanes.hashing,
        &lanes.listing,
        &lanes.writing,
        &lanes.working,
    ] {
        let bounds = lane.bounds();
        assert!(bounds.running_per_peer < bounds.running, "{bounds:?}");
    }
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
