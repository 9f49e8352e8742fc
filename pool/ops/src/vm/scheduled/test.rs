//! When schedules are run.

use pool_domain::transaction::Origin;
use pool_domain::{Facts, apply};
use uuid::Uuid;

use super::*;

fn at(text: &str) -> DateTime {
    text.parse().unwrap()
}

/// A schedule for three o'clock, with a VM, that ran last then.
fn database(ran: DateTime, hour: &str) -> (Database, Ref) {
    let facts = Facts::counting(DateTime(1_000));
    let mut db = Database::default();
    let mut draft = Draft::new(&db, &facts);
    let hour = [
        (Value::str("hour"), Value::str(hour)),
        (Value::str("min"), Value::str("0")),
    ];
    let schedule = draft.insert(
        vmss::CLASS,
        vec![
            (vmss::FREQUENCY, "daily".into()),
            (vmss::SCHEDULE, Value::Map(hour.into())),
            (vmss::LAST_RUN_TIME, ran.into()),
            (vmss::ENABLED, Value::Bool(true)),
        ],
    );
    draft.insert(vm::CLASS, vec![(vm::SNAPSHOT_SCHEDULE, schedule.into())]);
    let made = draft.finish(Uuid::nil(), Origin::default());
    apply::apply(&mut db, 1, &made);
    (db, schedule)
}

#[test]
fn a_slot_is_run_once_and_none_that_was_before_the_schedule() {
    let (db, schedule) = database(DateTime::EPOCH, "3");
    let mut schedules = Schedules::default();
    assert_eq!(schedules.due(&db, at("20261130T02:00:00Z"), 0), []);
    assert_eq!(schedules.due(&db, at("20261130T02:59:59Z"), 0), []);
    let slot = at("20261130T03:00:00Z");
    assert_eq!(
        schedules.due(&db, at("20261130T03:00:10Z"), 0),
        [(schedule, slot)]
    );
    assert_eq!(schedules.due(&db, at("20261130T03:00:40Z"), 0), []);
}

#[test]
fn a_new_leader_does_not_run_it_again() {
    let (db, schedule) = database(at("20261130T03:00:20Z"), "3");
    let mut schedules = Schedules::default();
    assert_eq!(schedules.due(&db, at("20261130T03:05:00Z"), 0), []);
    let slot = at("20261201T03:00:00Z");
    assert_eq!(
        schedules.due(&db, at("20261201T03:00:01Z"), 0),
        [(schedule, slot)]
    );
}

#[test]
fn the_hosts_clock_counts() {
    let (db, schedule) = database(at("20261129T02:00:00Z"), "3");
    let mut schedules = Schedules::default();
    // An hour ahead: three o'clock there is two.
    assert_eq!(schedules.due(&db, at("20261130T01:59:00Z"), 3600), []);
    let slot = at("20261130T02:00:00Z");
    assert_eq!(
        schedules.due(&db, at("20261130T02:00:30Z"), 3600),
        [(schedule, slot)]
    );
}
