//! Hosts: what they admit, where their guests could go, how they come and leave.
#![allow(
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is not as it should be"
)]

#[path = "bed/pool_of_two.rs"]
mod pool_of_two;

use std::collections::BTreeMap;

use pool_domain::decide::host_life::{self, Afterwards, Since};
use pool_domain::decide::vm_move::{self, Journey};
use pool_domain::decide::vm_power::{self, VmOperation, Way};
use pool_domain::decide::{host as hosts, host_settings};
use pool_domain::{evacuation, host_rules, placement};
use pool_of_two::{Pool, facts};
use proptest::prelude::*;
use proto_types::generated::{host, message, tarn_saga, vm};
use proto_types::{Bytes, DateTime, Ref, Value};

fn plan(pool: &Pool, from: Ref) -> BTreeMap<Ref, Result<Ref, String>> {
    evacuation::plan(&pool.db, pool.db.get(from).unwrap())
        .into_iter()
        .map(|(guest, fate)| (guest, fate.map_err(|e| e.description().join(","))))
        .collect()
}

#[test]
fn operations_that_bring_guests_exclude_those_that_take_them_off() {
    let mut pool = Pool::new();
    let on = pool.host("one");
    let check = |pool: &Pool, name: &str| {
        host_rules::check(&pool.db, pool.db.get(on).unwrap(), name)
            .err()
            .map(|e| e.description())
    };
    let code = |pool: &Pool, name: &str| check(pool, name).map(|d| d[0].clone()).unwrap_or_default();
    for (running, excluded, free) in [
        ("evacuate", ["vm_start", "vm_migrate", "evacuate"], "enable"),
        ("vm_start", ["evacuate", "shutdown", "reboot"], "vm_migrate"),
        ("provision", ["provision", "evacuate", "reboot"], "vm_start"),
    ] {
        pool.decide(|d| {
            d.put_key(on, host::CURRENT_OPERATIONS, "OpaqueRef:t", running);
            Ok(())
        })
        .unwrap();
        for name in excluded {
            let found = check(&pool, name).unwrap();
            let expected = [
                "OTHER_OPERATION_IN_PROGRESS",
                "host",
                &on.to_string(),
                running,
                "OpaqueRef:t",
            ];
            assert_eq!(found, expected, "{name} while {running}");
            assert!(!pool.allowed(on, name));
        }
        assert_eq!(code(&pool, free), "", "{free} while {running}");
        pool.decide(|d| {
            d.remove_key(on, host::CURRENT_OPERATIONS, "OpaqueRef:t");
            Ok(())
        })
        .unwrap();
    }
    assert_eq!(code(&pool, "reboot"), "HOST_NOT_DISABLED");
    assert_eq!(code(&pool, "power_on"), "HOST_IS_LIVE");
    assert!(!pool.allowed(on, "enable"), "it is enabled");
    pool.decide(|d| host_life::disable(d, on, Afterwards::Enable))
        .unwrap();
    assert_eq!(code(&pool, "vm_start"), "HOST_DISABLED");
    for name in ["reboot", "shutdown", "enable", "evacuate"] {
        assert!(pool.allowed(on, name), "{name}");
    }
    pool.silence(on);
    assert_eq!(
        check(&pool, "evacuate").unwrap(),
        ["HOST_OFFLINE".to_owned(), on.to_string()]
    );
    assert_eq!(code(&pool, "power_on"), "HOST_POWER_ON_MODE_DISABLED");
    pool.decide(|d| host_settings::set_power_on_mode(d, on, "wake-on-lan", &Value::empty_map()))
        .unwrap();
    assert!(pool.allowed(on, "power_on"));
}

#[test]
fn every_guest_gets_a_place_or_a_reason() {
    let mut pool = Pool::new();
    let (one, two) = (pool.host("one"), pool.host("two"));
    let (small, large) = (pool.vm(), pool.vm());
    pool.set(large, vm::MEMORY_STATIC_MAX, Bytes::gib(3));
    for guest in [small, large] {
        pool.start_on(guest, Some(one));
    }
    let all = plan(&pool, one);
    assert!(all.values().all(|fate| *fate == Ok(two)), "{all:?}");
    assert!(evacuation::check(&evacuation::plan(&pool.db, pool.db.get(one).unwrap())).is_ok());
    // Something large runs over there already: only the small one fits.
    let third = pool.vm();
    pool.set(third, vm::MEMORY_STATIC_MAX, Bytes::gib(2));
    pool.start_on(third, Some(two));
    let all = plan(&pool, one);
    assert_eq!(all[&small], Ok(two));
    assert_eq!(all[&large], Err(format!("HOST_NOT_ENOUGH_FREE_MEMORY,{large}")));
    let task = pool.facts.reference();
    let error = pool
        .decide(|d| host_life::begin_evacuation(d, one, task))
        .unwrap_err();
    assert_eq!(
        error.code, "HOST_NOT_ENOUGH_FREE_MEMORY",
        "the whole fails with the guest's own reason"
    );
    assert!(
        pool.get(one, host::CURRENT_OPERATIONS)
            .as_map()
            .unwrap()
            .is_empty()
    );
    let row = pool.db.get(one).unwrap().clone();
    let text = evacuation::check(&evacuation::plan(&pool.db, &row)).unwrap_err();
    assert_eq!(
        (&*text.code, text.params),
        (
            "CANNOT_EVACUATE_HOST",
            vec![format!("HOST_NOT_ENOUGH_FREE_MEMORY,{large}")]
        )
    );
    // Nobody to take them.
    pool.decide(|d| host_life::disable(d, two, Afterwards::Enable))
        .unwrap();
    assert_eq!(
        plan(&pool, one)[&small],
        Err(format!("NO_HOSTS_AVAILABLE,{small}"))
    );
    // A paused guest cannot move at all.
    pool.decide(|d| host_life::enable(d, two)).unwrap();
    pool.set(small, vm::POWER_STATE, "Paused");
    assert_eq!(
        plan(&pool, one)[&small],
        Err(format!("VM_BAD_POWER_STATE,{small},running,paused"))
    );
}

#[test]
fn a_host_that_was_told_to_stay_disabled_stays_so_over_a_restart() {
    let mut pool = Pool::new();
    let on = pool.host("one");
    let mut says = facts("one", 1, Bytes::gib(4));
    let mut refresh = |pool: &mut Pool, booted: i64, started: i64| {
        (says.booted, says.started) = (DateTime(booted), DateTime(started));
        pool.decide(|d| Ok(hosts::refresh(d, on, &says))).unwrap()
    };
    refresh(&mut pool, 100, 200);
    assert_eq!(refresh(&mut pool, 100, 200), Since::Nothing);
    pool.decide(|d| host_life::disable(d, on, Afterwards::Enable))
        .unwrap();
    assert_eq!(refresh(&mut pool, 100, 200), Since::Nothing);
    assert!(
        !pool.get(on, host::ENABLED).as_bool(),
        "nothing has happened to it"
    );
    assert_eq!(refresh(&mut pool, 100, 300), Since::NodeStarted);
    assert!(pool.get(on, host::ENABLED).as_bool());
    pool.decide(|d| host_life::disable(d, on, Afterwards::StayDisabled))
        .unwrap();
    pool.decide(|d| {
        d.put_key(on, host::CURRENT_OPERATIONS, "OpaqueRef:t", "reboot");
        Ok(())
    })
    .unwrap();
    assert_eq!(refresh(&mut pool, 400, 400), Since::Booted);
    assert!(!pool.get(on, host::ENABLED).as_bool());
    assert!(
        pool.get(on, host::CURRENT_OPERATIONS)
            .as_map()
            .unwrap()
            .is_empty()
    );
    pool.decide(|d| host_life::enable(d, on)).unwrap();
    pool.decide(|d| host_life::disable(d, on, Afterwards::Enable))
        .unwrap();
    refresh(&mut pool, 400, 500);
    assert!(pool.get(on, host::ENABLED).as_bool(), "enabling forgets the wish");
}

#[test]
fn the_dead_are_declared_dead_only_when_they_are_silent() {
    let mut pool = Pool::new();
    let (guest, on) = (pool.vm(), pool.host("two"));
    pool.start_on(guest, Some(on));
    let error = pool.decide(|d| host_life::declare_dead(d, on)).unwrap_err();
    assert_eq!(
        (&*error.code, error.params),
        ("HOST_IS_LIVE", vec![on.to_string()])
    );
    pool.silence(on);
    let error = pool.decide(|d| hosts::leave(d, on)).unwrap_err();
    assert_eq!(
        (&*error.code, error.params),
        ("HOST_HAS_RESIDENT_VMS", vec![on.to_string()])
    );
    let control = pool.get(on, host::CONTROL_DOMAIN).as_ref();
    pool.decide(|d| host_life::declare_dead(d, on)).unwrap();
    assert_eq!((pool.state(guest), pool.state(control)), ("Halted", "Running"));
    pool.decide(|d| hosts::leave(d, on)).unwrap();
    assert!(pool.db.get(on).is_none() && pool.db.get(control).is_none());
    assert_eq!(pool.start(guest), pool.host("one"));
}

/// A migration begun, with the saga that drives it.
fn migrating(pool: &mut Pool, guest: Ref, target: Ref) -> (VmOperation<'static>, Way) {
    let op = VmOperation {
        vm: guest,
        task: pool.facts.reference(),
        name: "pool_migrate",
    };
    let source = pool
        .decide(|d| {
            d.insert(tarn_saga::CLASS, vec![(tarn_saga::TASK, op.task.into())]);
            vm_power::begin_migration(d, &op, target)
        })
        .unwrap();
    (op, Way { source, target })
}

#[test]
fn a_guest_on_its_way_from_a_host_that_is_declared_dead_is_kept_for_its_migration() {
    let mut pool = Pool::new();
    let (guest, one, two) = (pool.vm(), pool.host("one"), pool.host("two"));
    pool.start_on(guest, Some(two));
    let (op, way) = migrating(&mut pool, guest, one);
    pool.silence(two);
    pool.decide(|d| host_life::declare_dead(d, two)).unwrap();
    assert!(host_life::is_declared_dead(&pool.db, two));
    assert_eq!(pool.state(guest), "Halted");
    let start = VmOperation {
        vm: guest,
        task: pool.facts.reference(),
        name: "start",
    };
    let refused = pool
        .decide(|d| vm_power::begin_on_host(d, &start, None))
        .unwrap_err();
    assert_eq!(refused.code, "OTHER_OPERATION_IN_PROGRESS");
    // Nor by resetting it: its guest may live where it went.
    pool.decide(|d| pool_domain::decide::vm_settings::reset(d, guest))
        .unwrap();
    assert!(pool.decide(|d| vm_power::begin_on_host(d, &start, None)).is_err());
    pool.decide(|d| vm_power::commit_migration(d, &op, way)).unwrap();
    assert_eq!(pool.state(guest), "Running");
    assert_eq!(pool.get(guest, vm::RESIDENT_ON).as_ref(), one);
    pool.decide(|d| {
        hosts::set_live(d, two, true);
        Ok(())
    })
    .unwrap();
    assert!(!host_life::is_declared_dead(&pool.db, two), "it is heard");
}

#[test]
fn a_migration_does_not_take_a_guest_from_a_third_host() {
    let mut pool = Pool::new();
    let three = pool.join("three", 3, Bytes::gib(4));
    let (guest, one, two) = (pool.vm(), pool.host("one"), pool.host("two"));
    pool.start_on(guest, Some(one));
    let (op, way) = migrating(&mut pool, guest, two);
    pool.set(guest, vm::RESIDENT_ON, three);
    let mut refused = None;
    pool.decide(|d| {
        refused = vm_power::commit_migration(d, &op, way).err();
        Ok(())
    })
    .unwrap();
    assert_eq!(refused.unwrap().code, "OPERATION_NOT_ALLOWED");
    assert_eq!(pool.get(guest, vm::RESIDENT_ON).as_ref(), three);
    assert!(
        pool.get(guest, vm::CURRENT_OPERATIONS)
            .as_map()
            .unwrap()
            .is_empty()
    );
}

#[test]
fn what_an_operation_comes_to_is_nothing_to_a_vm_that_was_given_up_meanwhile() {
    let mut pool = Pool::new();
    let (guest, one, two) = (pool.vm(), pool.host("one"), pool.host("two"));
    pool.start_on(guest, Some(two));
    let op = VmOperation {
        vm: guest,
        task: pool.facts.reference(),
        name: "clean_shutdown",
    };
    pool.decide(|d| vm_power::begin(d, &op)).unwrap();
    pool.silence(two);
    pool.decide(|d| host_life::declare_dead(d, two)).unwrap();
    assert_eq!(pool.start(guest), one);
    // Word comes that it is down: that was the other one.
    assert!(pool.decide(|d| vm_power::check_held(d, &op)).is_err());
    pool.decide(|d| {
        vm_power::commit_shutdown(d, &op, vm_power::Forced::No);
        vm_power::commit_paused(d, &op, true);
        vm_power::commit_live(d, &op, two, false);
        vm_power::abort(d, &op, None);
        Ok(())
    })
    .unwrap();
    assert_eq!(pool.state(guest), "Running");
    assert_eq!(pool.get(guest, vm::RESIDENT_ON).as_ref(), one);
}

#[test]
fn those_that_wish_it_start_by_themselves_and_only_in_a_pool_that_does() {
    use proto_types::generated::pool as class;
    let mut pool = Pool::new();
    let (late, early, none) = (pool.vm(), pool.vm(), pool.vm());
    for (guest, order) in [(late, 7), (early, 1)] {
        pool.decide(|d| {
            d.put_key(guest, vm::OTHER_CONFIG, "auto_poweron", "true");
            d.set(guest, vm::ORDER, order);
            Ok(())
        })
        .unwrap();
    }
    assert!(host_life::starts_by_itself(&pool.db).is_empty());
    let row = pool.db.only(class::CLASS).unwrap().reference;
    pool.decide(|d| {
        d.put_key(row, class::OTHER_CONFIG, "auto_poweron", "true");
        Ok(())
    })
    .unwrap();
    assert_eq!(host_life::starts_by_itself(&pool.db), [early, late]);
    pool.start(early);
    assert_eq!(host_life::starts_by_itself(&pool.db), [late]);
    assert!(!host_life::starts_by_itself(&pool.db).contains(&none));
}

#[test]
fn guests_that_are_not_to_be_touched_are_left_alone_when_the_host_goes_down() {
    let mut pool = Pool::new();
    let (one, task) = (pool.host("one"), pool.facts.reference());
    let (first, left) = (pool.vm(), pool.vm());
    for guest in [first, left] {
        pool.start_on(guest, Some(one));
    }
    pool.decide(|d| {
        d.put_key(left, vm::OTHER_CONFIG, "auto_poweroff", "false");
        Ok(())
    })
    .unwrap();
    let error = pool
        .decide(|d| host_life::begin_going_down(d, one, task, "shutdown"))
        .unwrap_err();
    assert_eq!(error.description(), ["HOST_NOT_DISABLED"]);
    pool.decide(|d| host_life::disable(d, one, Afterwards::Enable))
        .unwrap();
    let guests = pool
        .decide(|d| host_life::begin_going_down(d, one, task, "shutdown"))
        .unwrap();
    assert_eq!(guests, [first]);
    assert!(
        pool.decide(|d| host_life::enable(d, one)).is_err(),
        "it is on its way down"
    );
    pool.decide(|d| {
        host_life::commit_going_down(d, one, task);
        Ok(())
    })
    .unwrap();
    assert!(!placement::is_live(&pool.db, pool.db.get(one).unwrap()));
}

#[test]
fn a_renamed_host_renames_its_control_domain_and_a_new_master_is_told_of() {
    let mut pool = Pool::new();
    let (one, two) = (pool.host("one"), pool.host("two"));
    pool.decide(|d| host_settings::renamed(d, one, "new-name"))
        .unwrap();
    assert_eq!(pool.get(one, host::HOSTNAME).as_str(), "new-name");
    let control = pool.get(one, host::CONTROL_DOMAIN).as_ref();
    assert_eq!(
        pool.get(control, vm::NAME_LABEL).as_str(),
        "Control domain on host: new-name"
    );
    assert_eq!(
        pool.decide(|d| host_settings::apply_edition(d, one, "premium"))
            .unwrap_err()
            .params,
        ["premium"]
    );
    assert_eq!(
        pool.decide(|d| host_settings::set_iqn(d, one, "a b"))
            .unwrap_err()
            .code,
        "INVALID_VALUE"
    );
    pool.decide(|d| host_settings::set_iqn(d, one, "iqn.2026-01.org.example:one"))
        .unwrap();
    assert_eq!(
        pool.get(one, host::OTHER_CONFIG).get("iscsi_iqn"),
        Some("iqn.2026-01.org.example:one")
    );
    let before = pool.db.count(message::CLASS);
    for (master, notices) in [(one, 0), (two, 1), (two, 1)] {
        pool.decide(|d| {
            hosts::new_master(d, master);
            Ok(())
        })
        .unwrap();
        assert_eq!(pool.db.count(message::CLASS) - before, notices);
    }
}

#[test]
fn a_journey_within_the_pool_changes_no_network_and_copies_nothing() {
    let mut pool = Pool::new();
    let (guest, to) = (pool.vm(), pool.host("two"));
    pool.start_on(guest, Some(pool.host("one")));
    let none = Value::empty_map();
    let ask = |pool: &Pool, nics: &Value, options: &Value, to: Ref| {
        let journey = Journey {
            vm: guest,
            to,
            disks: &none,
            nics,
            options,
        };
        vm_move::check(&pool.db, journey)
            .err()
            .map(|e| e.code.into_owned())
    };
    assert_eq!(ask(&pool, &none, &none, to), None);
    let mapped = Value::Map([(Value::Ref(guest), Value::Ref(to))].into());
    assert_eq!(
        ask(&pool, &mapped, &none, to).as_deref(),
        Some("OPERATION_NOT_ALLOWED")
    );
    let copy = Value::string_map([("copy", "true")]);
    assert_eq!(
        ask(&pool, &none, &copy, to).as_deref(),
        Some("OPERATION_NOT_ALLOWED")
    );
    assert_eq!(ask(&pool, &none, &none, guest).as_deref(), Some("HANDLE_INVALID"));
    pool.decide(|d| host_life::disable(d, to, Afterwards::Enable))
        .unwrap();
    assert_eq!(ask(&pool, &none, &none, to).as_deref(), Some("HOST_DISABLED"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is planned fits together, and whoever is left out fits nowhere that is left.
    #[test]
    fn a_plan_never_promises_memory_twice(
        guests in proptest::collection::vec(1u64..24, 1..10),
        hosts in proptest::collection::vec(1u64..40, 0..4),
        disabled in any::<u8>(),
    ) {
        let mut pool = Pool::new();
        let from = pool.join("from", 100, Bytes::gib(64));
        pool.decide(|d| host_life::disable(d, pool_host(d, "two"), Afterwards::Enable)).unwrap();
        for (number, units) in (200u128..).zip(&hosts) {
            let joined = pool.join(&format!("h{number}"), number, Bytes(units * 128 * Bytes::MIB));
            if disabled & (1 << (number - 200)) != 0 {
                pool.decide(|d| host_life::disable(d, joined, Afterwards::Enable)).unwrap();
            }
        }
        for units in &guests {
            let guest = pool.vm();
            pool.set(guest, vm::MEMORY_STATIC_MAX, Bytes(units * 128 * Bytes::MIB));
            pool.start_on(guest, Some(from));
        }
        let fates = evacuation::plan(&pool.db, pool.db.get(from).unwrap());
        prop_assert_eq!(fates.len(), guests.len());
        let needs = |guest: Ref| placement::memory_needed(pool.db.get(guest).unwrap()).get();
        let mut left: BTreeMap<Ref, u64> = pool
            .db
            .rows(host::CLASS)
            .filter(|h| h.reference != from && h.get(host::ENABLED).as_bool())
            .map(|h| (h.reference, placement::memory_free(&pool.db, h, None).get()))
            .collect();
        for (guest, fate) in &fates {
            if let Ok(target) = fate {
                let free = left.get_mut(target);
                prop_assert!(free.is_some(), "a host that takes none");
                let free = free.unwrap();
                prop_assert!(needs(*guest) <= *free);
                *free -= needs(*guest);
            }
        }
        for (guest, fate) in &fates {
            if let Err(error) = fate {
                prop_assert!(left.values().all(|free| *free < needs(*guest)), "{} has room", error);
            }
        }
    }
}

fn pool_host(d: &pool_domain::Draft<'_>, name: &str) -> Ref {
    pool_domain::query::by_name_label(d.db(), host::CLASS, name)[0]
}
