//! Decisions made at once on one state: where both together would break a rule, the second is decided again.
#![allow(
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is not as it should be"
)]

#[path = "bed/pool_of_two.rs"]
mod bed;

use bed::Pool;
use pool_domain::decide::certificate::{self, CertificateFacts};
use pool_domain::decide::vm_power::{self, VmOperation};
use pool_domain::decide::{ha, ha_switch, setting};
use pool_domain::{Draft, Outcome};
use proto_types::generated::{certificate as certificates, pool, tarn_setting, vm};
use proto_types::{ApiError, Bytes, DateTime, Ref, Value};

fn turn_on(pool: &mut Pool) {
    let task = pool.facts.reference();
    pool.decide(|d| {
        ha_switch::begin_enabling(d, task, &[], &Value::empty_map())?;
        ha_switch::commit_enabling(d, task);
        Ok(())
    })
    .unwrap();
}

fn is_conflict(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Conflict(_))
}

#[test]
fn two_starts_that_leave_room_for_one_are_not_both_written() {
    let mut pool = Pool::new();
    pool.join("three", 3, Bytes::gib(4));
    turn_on(&mut pool);
    let row = pool.db.only(pool::CLASS).unwrap().reference;
    let must_run = pool.vm();
    pool.set(must_run, vm::MEMORY_STATIC_MAX, Value::from(Bytes::gib(3)));
    pool.decide(|d| ha::set_restart_priority(d, must_run, ha::RESTART))
        .unwrap();
    let one = pool.host("one");
    pool.start_on(must_run, Some(one));
    pool.decide(|d| ha::set_failures(d, row, 1)).unwrap();
    let mut large = || {
        let guest = pool.vm();
        pool.set(guest, vm::MEMORY_STATIC_MAX, Value::from(Bytes::gib(3)));
        guest
    };
    let guests = [large(), large()];
    let ops = guests.map(|guest| VmOperation {
        vm: guest,
        task: pool.facts.reference(),
        name: "start",
    });
    let hosts = ["two", "three"].map(|name| pool.host(name));
    let start = |at: usize| {
        let (op, on) = (ops[at].clone(), hosts[at]);
        move |d: &mut Draft<'_>| -> Result<(), ApiError> {
            vm_power::begin_on_host(d, &op, Some(on)).map(|_| ())
        }
    };
    assert!(is_conflict(&pool.at_once(start(0), start(1))));
    let refused = pool.decide(start(1)).unwrap_err();
    assert_eq!(refused.code, "HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN");
}

#[test]
fn a_setting_that_is_made_twice_at_once_is_there_once() {
    let mut pool = Pool::new();
    let put = |value: &'static str| {
        move |d: &mut Draft<'_>| {
            setting::put(d, "colour", Some(value));
            Ok(())
        }
    };
    let rows = |pool: &Pool| {
        pool.db
            .rows(tarn_setting::CLASS)
            .filter(|row| row.get(tarn_setting::KEY).as_str() == "colour")
            .count()
    };
    assert!(is_conflict(&pool.at_once(put("red"), put("blue"))));
    assert_eq!((rows(&pool), setting::get(&pool.db, "colour")), (1, Some("red")));
    // One that is there: the second may rest on what the first has replaced.
    assert!(is_conflict(&pool.at_once(put("green"), put("grey"))));
    assert_eq!(
        (rows(&pool), setting::get(&pool.db, "colour")),
        (1, Some("green"))
    );
}

#[test]
fn one_failure_is_played_at_a_time_even_when_two_are_asked_for_at_once() {
    let mut pool = Pool::new();
    pool.join("three", 3, Bytes::gib(4));
    let (one, two) = (pool.host("one"), pool.host("two"));
    let play = |on: Ref| move |d: &mut Draft<'_>| ha_switch::begin_drill(d, on, 5);
    assert!(is_conflict(&pool.at_once(play(one), play(two))));
    assert_eq!(pool.decide(play(two)).unwrap_err().code, "OPERATION_NOT_ALLOWED");
}

#[test]
fn a_name_is_given_to_one_trusted_certificate() {
    let mut pool = Pool::new();
    let facts = |print: &str| CertificateFacts {
        not_before: DateTime(0),
        not_after: DateTime(1),
        sha256: print.to_owned(),
        sha1: print.to_owned(),
    };
    let install = |print: &'static str| {
        move |d: &mut Draft<'_>| certificate::install(d, "ours", &facts(print), "PEM").map(|_| ())
    };
    assert!(is_conflict(&pool.at_once(install("AA"), install("BB"))));
    assert_eq!(
        pool.decide(install("BB")).unwrap_err().code,
        "CERTIFICATE_ALREADY_EXISTS"
    );
    let (one, shown) = (pool.host("one"), |print: &'static str, on: Ref| {
        move |d: &mut Draft<'_>| {
            certificate::shown(d, on, certificate::OF_API, &facts(print));
            Ok(())
        }
    });
    assert!(is_conflict(&pool.at_once(shown("CC", one), shown("DD", one))));
    let of_host = pool
        .db
        .rows(certificates::CLASS)
        .filter(|row| row.get(certificates::HOST).as_ref() == one)
        .count();
    assert_eq!(of_host, 1);
}

#[test]
fn a_restart_is_not_begun_beside_the_switch_that_forbids_it() {
    let mut pool = Pool::new();
    pool.join("three", 3, Bytes::gib(4));
    turn_on(&mut pool);
    let guest = pool.vm();
    pool.decide(|d| ha::set_restart_priority(d, guest, ha::RESTART))
        .unwrap();
    pool.start(guest);
    let on = pool.get(guest, vm::RESIDENT_ON).as_ref();
    pool.decide(|d| {
        ha::host_lost(d, on);
        Ok(())
    })
    .unwrap();
    let op = VmOperation {
        vm: guest,
        task: pool.facts.reference(),
        name: "start",
    };
    let restart = |d: &mut Draft<'_>| {
        ha::check_restart(d, guest)?;
        vm_power::begin_on_host(d, &op, None).map(|_| ())
    };
    let prevent = |d: &mut Draft<'_>| {
        ha::prevent_restarts(d, 60);
        Ok(())
    };
    assert!(is_conflict(&pool.at_once(prevent, restart)));
    assert_eq!(pool.decide(restart).unwrap_err().code, "OPERATION_NOT_ALLOWED");
    pool.decide(|d| {
        ha::prevent_restarts(d, 0);
        Ok(())
    })
    .unwrap();
    let task = pool.facts.reference();
    let disable = |d: &mut Draft<'_>| ha_switch::begin_disabling(d, task).map(|_| ());
    assert!(is_conflict(&pool.at_once(disable, restart)));
    assert_eq!(pool.decide(restart).unwrap_err().code, "HA_NOT_ENABLED");
}
