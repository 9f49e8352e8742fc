//! High availability as decisions: what is refused, what follows a host's loss, and in which order.
#![allow(
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is not as it should be"
)]

#[path = "bed/pool_of_two.rs"]
mod bed;

use bed::Pool;
use pool_domain::decide::{ha, ha_switch, host as hosts, vm_power};
use pool_domain::vm_rules::{HALTED, RUNNING};
use proto_types::generated::{host, message, pool, vm};
use proto_types::{Bytes, Ref, Value};

/// A pool of three with high availability on.
fn pool_of_three() -> Pool {
    let mut pool = Pool::new();
    pool.join("three", 3, Bytes::gib(4));
    turn_on(&mut pool);
    pool
}

fn turn_on(pool: &mut Pool) {
    let task = pool.facts.reference();
    let hosts = pool
        .decide(|d| ha_switch::begin_enabling(d, task, &[], &Value::string_map([("timeout", "20")])))
        .unwrap();
    assert_eq!(hosts.len(), pool.db.count(host::CLASS));
    assert_eq!(
        ha::lease(&pool.db),
        Some(Some(20)),
        "hosts need a lease before it counts"
    );
    assert!(!ha::is_on(&pool.db));
    pool.decide(|d| {
        ha_switch::commit_enabling(d, task);
        Ok(())
    })
    .unwrap();
    assert!(ha::is_on(&pool.db));
}

fn row(pool: &Pool) -> Ref {
    pool.db.only(pool::CLASS).unwrap().reference
}

fn protected(pool: &mut Pool, on: &str) -> Ref {
    let guest = pool.vm();
    pool.decide(|d| ha::set_restart_priority(d, guest, ha::RESTART))
        .unwrap();
    let on = pool.host(on);
    pool.start_on(guest, Some(on));
    assert_eq!(pool.get(guest, vm::HA_ALWAYS_RUN), &Value::Bool(true));
    guest
}

fn lose(pool: &mut Pool, name: &str) {
    let lost = pool.host(name);
    pool.decide(|d| {
        ha::host_lost(d, lost);
        Ok(())
    })
    .unwrap();
}

/// Who is to be started again, in groups with the seconds after each.
fn to_restart(pool: &Pool) -> Vec<(Vec<Ref>, u64)> {
    ha::to_restart(&pool.db, |_| true)
        .into_iter()
        .map(|group| (group.guests, group.delay))
        .collect()
}

fn told(pool: &Pool, name: &str) -> usize {
    pool.db
        .rows(message::CLASS)
        .filter(|m| m.get(message::NAME).as_str() == name)
        .count()
}

#[test]
fn it_is_turned_on_once_with_every_host_there_and_off_again() {
    let mut pool = pool_of_three();
    let task = pool.facts.reference();
    let empty = Value::empty_map();
    let refused = pool
        .decide(|d| ha_switch::begin_enabling(d, task, &[], &empty))
        .unwrap_err();
    assert_eq!(refused.code, "HA_IS_ENABLED");
    pool.decide(|d| ha_switch::begin_disabling(d, task)).unwrap();
    assert_eq!(ha::lease(&pool.db), None);
    let other = pool.facts.reference();
    let refused = pool
        .decide(|d| ha_switch::begin_enabling(d, other, &[], &empty))
        .unwrap_err();
    assert_eq!(refused.code, "OTHER_OPERATION_IN_PROGRESS");
    pool.decide(|d| {
        ha_switch::end_disabling(d, task);
        Ok(())
    })
    .unwrap();
    let refused = pool.decide(|d| ha_switch::begin_disabling(d, task)).unwrap_err();
    assert_eq!(refused.code, "HA_NOT_ENABLED");
    let two = pool.host("two");
    pool.silence(two);
    let refused = pool
        .decide(|d| ha_switch::begin_enabling(d, task, &[], &empty))
        .unwrap_err();
    assert_eq!(
        (refused.code.as_ref(), refused.params),
        ("HOST_OFFLINE", vec![two.to_string()])
    );
}

#[test]
fn a_lost_host_halts_its_guests_and_the_protected_are_to_run_again_in_order() {
    let mut pool = pool_of_three();
    let (late, early, other) = (
        protected(&mut pool, "two"),
        protected(&mut pool, "two"),
        protected(&mut pool, "one"),
    );
    pool.set(late, vm::ORDER, 5);
    pool.set(early, vm::START_DELAY, 7);
    let (plain, once) = (pool.vm(), pool.vm());
    pool.decide(|d| ha::set_restart_priority(d, once, ha::BEST_EFFORT))
        .unwrap();
    let two = pool.host("two");
    for guest in [plain, once] {
        pool.start_on(guest, Some(two));
    }
    lose(&mut pool, "two");
    for guest in [late, early, plain, once] {
        assert_eq!(pool.state(guest), HALTED);
        assert_eq!(pool.get(guest, vm::RESIDENT_ON).as_ref(), Ref::NULL);
    }
    assert_eq!(pool.state(other), RUNNING);
    assert_eq!(
        to_restart(&pool),
        [(vec![early], 7), (vec![late], 0), (vec![once], 0)]
    );
    assert_eq!(told(&pool, "HA_HOST_FAILED"), 1);
    lose(&mut pool, "two");
    assert_eq!(told(&pool, "HA_HOST_FAILED"), 1, "said once");
}

#[test]
fn what_is_to_be_started_once_is_owed_until_it_ran_or_could_not() {
    let mut pool = pool_of_three();
    let guests = [pool.vm(), pool.vm()];
    for guest in guests {
        pool.decide(|d| ha::set_restart_priority(d, guest, ha::BEST_EFFORT))
            .unwrap();
        let two = pool.host("two");
        pool.start_on(guest, Some(two));
    }
    assert!(to_restart(&pool).is_empty());
    lose(&mut pool, "two");
    // It is in the database, so that a new leader knows it too.
    assert_eq!(to_restart(&pool), [(guests.to_vec(), 0)]);
    pool.decide(|d| ha::check_restart(d, guests[0])).unwrap();
    pool.start(guests[0]);
    pool.halt(guests[0]);
    pool.decide(|d| {
        ha::restart_failed(d, guests[1]);
        Ok(())
    })
    .unwrap();
    assert!(to_restart(&pool).is_empty());
    assert_eq!(
        told(&pool, "HA_PROTECTED_VM_RESTART_FAILED"),
        0,
        "it is not protected"
    );
    for guest in guests {
        let refused = pool.decide(|d| ha::check_restart(d, guest)).unwrap_err();
        assert_eq!(refused.code, "OPERATION_NOT_ALLOWED");
    }
}

#[test]
fn no_host_is_given_up_once_high_availability_is_off() {
    let mut pool = pool_of_three();
    let guest = protected(&mut pool, "two");
    let task = pool.facts.reference();
    pool.decide(|d| ha_switch::begin_disabling(d, task)).unwrap();
    lose(&mut pool, "two");
    assert_eq!(pool.state(guest), RUNNING);
    assert_eq!(told(&pool, "HA_HOST_FAILED"), 0);
}

#[test]
fn a_guest_that_somebody_is_at_work_on_is_left_until_that_ends() {
    let mut pool = pool_of_three();
    let guest = protected(&mut pool, "two");
    let task = pool.facts.reference();
    let op = vm_power::VmOperation {
        vm: guest,
        task,
        name: "hard_reboot",
    };
    pool.decide(|d| vm_power::begin(d, &op)).unwrap();
    lose(&mut pool, "two");
    assert_eq!(pool.state(guest), RUNNING);
    assert!(to_restart(&pool).is_empty());
    pool.decide(|d| {
        vm_power::abort(d, &op, None);
        Ok(())
    })
    .unwrap();
    lose(&mut pool, "two");
    assert_eq!(to_restart(&pool), [(vec![guest], 0)]);
}

#[test]
fn a_shutdown_is_meant_and_an_end_from_outside_is_not() {
    let mut pool = pool_of_three();
    let (meant, gone) = (protected(&mut pool, "one"), protected(&mut pool, "two"));
    pool.halt(meant);
    let two = pool.host("two");
    // The host ended it, as one does whose lease ran out, and is back before anybody missed it.
    let missed = [(gone, pool.db.get(gone).unwrap().version)];
    pool.decide(|d| Ok(hosts::reconcile_domains(d, two, &[], &missed)))
        .unwrap();
    assert_eq!(pool.get(meant, vm::HA_ALWAYS_RUN), &Value::Bool(false));
    assert_eq!(to_restart(&pool), [(vec![gone], 0)]);
    pool.decide(|d| {
        ha::prevent_restarts(d, 60);
        Ok(())
    })
    .unwrap();
    let now = pool.facts.now;
    assert!(ha::is_prevented(&pool.db, now));
    assert!(!ha::is_prevented(&pool.db, proto_types::DateTime(now.0 + 60)));
}

#[test]
fn no_more_failures_are_promised_than_leave_a_majority_and_room() {
    let mut pool = pool_of_three();
    let reference = row(&pool);
    assert_eq!(ha::most_failures(&pool.db), 1);
    let refused = pool.decide(|d| ha::set_failures(d, reference, 2)).unwrap_err();
    assert_eq!(refused.code, "HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN");
    let refused = pool.decide(|d| ha::set_failures(d, reference, -1)).unwrap_err();
    assert_eq!(refused.params, ["ha_host_failures_to_tolerate", "-1"]);
    pool.decide(|d| ha::set_failures(d, reference, 1)).unwrap();
    assert_eq!(pool.get(reference, pool::HA_PLAN_EXISTS_FOR), &Value::Int(1));

    let guest = protected(&mut pool, "two");
    let plan = ha::plan(&pool.db, &[pool.host("two"), pool.host("one")], &[guest]);
    assert_eq!(plan, [(guest, Ok(pool.host("three")))]);
    let everywhere = [pool.host("one"), pool.host("two"), pool.host("three")];
    let plan = ha::plan(&pool.db, &everywhere, &[guest]);
    assert_eq!(plan[0].1.as_ref().unwrap_err().code, "NO_HOSTS_AVAILABLE");

    // Two large ones fit beside it only if none of the hosts may fail.
    let large = |pool: &mut Pool| {
        let guest = pool.vm();
        pool.set(guest, vm::MEMORY_STATIC_MAX, Value::from(Bytes::gib(3)));
        guest
    };
    let (first, second) = (large(&mut pool), large(&mut pool));
    for large in [first, second] {
        pool.decide(|d| ha::set_restart_priority(d, large, ha::RESTART))
            .unwrap();
    }
    let start = |pool: &mut Pool, guest: Ref, on: &str| {
        let task = pool.facts.reference();
        let op = vm_power::VmOperation {
            vm: guest,
            task,
            name: "start",
        };
        let on = pool.host(on);
        pool.decide(|d| {
            vm_power::begin_on_host(d, &op, Some(on))?;
            vm_power::commit_live(d, &op, on, false);
            Ok(())
        })
    };
    start(&mut pool, first, "one").unwrap();
    start(&mut pool, second, "two").unwrap();
    let third = large(&mut pool);
    let refused = start(&mut pool, third, "three").unwrap_err();
    assert_eq!(refused.code, "HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN");
    assert_eq!(pool.state(third), HALTED);
    let one = pool.host("one");
    let disable = |d: &mut pool_domain::Draft<'_>| {
        pool_domain::decide::host_life::disable(d, one, pool_domain::decide::host_life::Afterwards::Enable)
    };
    let refused = pool.decide(disable).unwrap_err();
    assert_eq!(refused.code, "HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN");

    pool.set(reference, pool::HA_ALLOW_OVERCOMMIT, true);
    start(&mut pool, third, "three").unwrap();
    pool.decide(|d| {
        ha::refresh_plan(d);
        Ok(())
    })
    .unwrap();
    assert_eq!(pool.get(reference, pool::HA_OVERCOMMITTED), &Value::Bool(true));
    assert_eq!(pool.get(reference, pool::HA_PLAN_EXISTS_FOR), &Value::Int(0));
    assert_eq!(told(&pool, "HA_POOL_OVERCOMMITTED"), 1);
    pool.decide(disable).unwrap();
}

#[test]
fn a_vm_that_only_one_host_sees_cannot_be_protected() {
    let mut pool = Pool::new();
    pool.join("three", 3, Bytes::gib(4));
    let guest = pool.vm();
    pool.decide(|d| {
        let net = d.insert(
            proto_types::generated::network::CLASS,
            vec![(proto_types::generated::network::BRIDGE, "xapi9".into())],
        );
        d.insert(
            proto_types::generated::vif::CLASS,
            vec![
                (proto_types::generated::vif::VM, guest.into()),
                (proto_types::generated::vif::NETWORK, net.into()),
            ],
        );
        Ok(())
    })
    .unwrap();
    // Without high availability it is only a wish.
    pool.decide(|d| ha::set_restart_priority(d, guest, ha::RESTART))
        .unwrap();
    pool.decide(|d| ha::set_restart_priority(d, guest, "")).unwrap();
    turn_on(&mut pool);
    let refused = pool
        .decide(|d| ha::set_restart_priority(d, guest, ha::RESTART))
        .unwrap_err();
    assert_eq!(refused.code, "HA_CONSTRAINT_VIOLATION_NETWORK_NOT_SHARED");
}

#[test]
fn a_hypothetical_plan_counts_only_whom_it_names() {
    let mut pool = pool_of_three();
    let guest = pool.vm();
    pool.set(guest, vm::MEMORY_STATIC_MAX, Value::from(Bytes::gib(9)));
    let asked = |priority: &str| ha::most_failures_with(&pool.db, &[(guest, priority.to_owned())]);
    assert_eq!(asked("restart").unwrap(), 0);
    assert_eq!(asked("best-effort").unwrap(), 1);
    assert_eq!(asked("always").unwrap_err().code, "INVALID_VALUE");
    let nobody = [(Ref::NULL, "restart".to_owned())];
    assert_eq!(
        ha::most_failures_with(&pool.db, &nobody).unwrap_err().code,
        "HANDLE_INVALID"
    );
}
