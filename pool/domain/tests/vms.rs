//! VMs' settings, appliances, guests' words, notices: each decision and each refusal.

#[path = "bed/pool_of_two.rs"]
mod pool_of_two;

use pool_domain::decide::guest::{self, GuestFacts};
use pool_domain::decide::message::{self, MOST_MESSAGES, Notice};
use pool_domain::decide::vm::MemoryLimits;
use pool_domain::decide::vm_power::{self, Forced, VmOperation};
use pool_domain::decide::{appliance, boot_record, generic, ha, vif, vm_live, vm_settings};
use pool_domain::{appliance_rules, placement, query};
use pool_of_two::Pool;
use proptest::prelude::*;
use proto_types::generated::{
    host, message as notices, network, vgpu, vm, vm_appliance, vm_guest_metrics, vm_metrics,
};
use proto_types::{Bytes, DateTime, Ref, Value};

fn limits(static_min: i64, dynamic_min: i64, dynamic_max: i64, static_max: i64) -> MemoryLimits {
    MemoryLimits {
        static_min,
        static_max,
        dynamic_min,
        dynamic_max,
    }
}

#[test]
fn a_running_vm_takes_dynamic_limits_and_refuses_static_ones() {
    let mut pool = Pool::new();
    let guest = pool.vm();
    let task = pool.facts.reference();
    let mib = 1 << 20;
    let halted = pool
        .decide(|d| vm_live::begin_memory(d, guest, task, limits(0, 64 * mib, 128 * mib, 512 * mib)))
        .unwrap();
    assert_eq!(halted, None, "nobody is to be told of a halted VM");
    pool.decide(|d| vm_live::commit_memory(d, guest, task, limits(0, 64 * mib, 128 * mib, 512 * mib)))
        .unwrap();
    let on = pool.start(guest);
    let told = pool
        .decide(|d| vm_live::begin_memory(d, guest, task, limits(0, 64 * mib, 256 * mib, 512 * mib)))
        .unwrap()
        .unwrap();
    assert_eq!((told.host, told.value), (on, Bytes::mib(256)));
    // While it goes on nothing else may change them.
    let other = pool
        .decide(|d| vm_live::begin_memory(d, guest, task, limits(0, 0, 1, 512 * mib)))
        .unwrap_err();
    assert_eq!(other.code, "OTHER_OPERATION_IN_PROGRESS");
    pool.decide(|d| vm_live::commit_memory(d, guest, task, limits(0, 64 * mib, 256 * mib, 512 * mib)))
        .unwrap();
    assert_eq!(pool.get(guest, vm::MEMORY_TARGET).as_int(), 256 * mib);
    let refused = pool
        .decide(|d| vm_live::begin_memory(d, guest, task, limits(0, 64 * mib, 256 * mib, 1024 * mib)))
        .unwrap_err();
    assert_eq!(
        (&*refused.code, refused.params),
        (
            "VM_BAD_POWER_STATE",
            vec![guest.to_string(), "halted".to_owned(), "running".to_owned()]
        )
    );
    let disordered = pool
        .decide(|d| vm_live::begin_memory(d, guest, task, limits(0, 300 * mib, 256 * mib, 512 * mib)))
        .unwrap_err();
    assert_eq!(disordered.code, "MEMORY_CONSTRAINT_VIOLATION");
}

#[test]
fn processors_are_changed_live_within_their_most() {
    let mut pool = Pool::new();
    let guest = pool.vm();
    let task = pool.facts.reference();
    let count = |pool: &mut Pool, n: i64| pool.decide(|d| vm_live::begin_vcpus(d, guest, task, n));
    assert_eq!(count(&mut pool, 1).unwrap_err().code, "VM_BAD_POWER_STATE");
    pool.set(guest, vm::VCPUS_MAX, 2);
    pool.start(guest);
    for bad in [0, -1, 3, i64::MAX] {
        let error = count(&mut pool, bad).unwrap_err();
        assert_eq!(
            (&*error.code, error.params),
            ("INVALID_VALUE", vec!["nvcpu".to_owned(), bad.to_string()])
        );
    }
    assert_eq!(count(&mut pool, 2).unwrap().value, 2);
    pool.decide(|d| vm_live::commit_vcpus(d, guest, task, 2)).unwrap();
    assert_eq!(pool.get(guest, vm::VCPUS_AT_STARTUP).as_int(), 2);
    let metrics = pool.get(guest, vm::METRICS).as_ref();
    assert_eq!(pool.get(metrics, vm_metrics::VCPUS_NUMBER).as_int(), 2);
    // The record it was booted with is not the one it has now.
    let booted = boot_record::of(&pool.db, guest).unwrap();
    assert_eq!(booted.member("VCPUs_at_startup").map(Value::as_int), Some(1));
    assert_eq!(booted.member("name_label").map(Value::as_str), Some("guest"));
    pool.halt(guest);
    let halted = boot_record::of(&pool.db, guest).unwrap();
    assert_eq!(halted.member("VCPUs_at_startup").map(Value::as_int), Some(2));
}

#[test]
fn firmware_strings_are_set_once_and_checked() {
    let mut pool = Pool::new();
    let guest = pool.vm();
    let set = |pool: &mut Pool, key: &str, value: &str| {
        let strings = Value::string_map([(key, value)]);
        pool.decide(|d| vm_settings::set_bios_strings(d, guest, &strings))
    };
    for (key, value) in [
        ("colour", "blue"),
        ("bios-vendor", "a\nb"),
        ("bios-vendor", &"x".repeat(513)),
    ] {
        let error = set(&mut pool, key, value).unwrap_err();
        assert_eq!((&*error.code, error.params[0].as_str()), ("INVALID_VALUE", key));
    }
    set(&mut pool, "bios-vendor", "Tarn").unwrap();
    let again = set(&mut pool, "bios-vendor", "Other").unwrap_err();
    assert_eq!(
        (&*again.code, again.params.len()),
        ("VM_BIOS_STRINGS_ALREADY_SET", 0)
    );
    let other = pool.vm();
    let from = pool.host("one");
    pool.set(
        from,
        host::BIOS_STRINGS,
        Value::string_map([("bios-vendor", "SeaBIOS"), ("oem-1", "x")]),
    );
    pool.decide(|d| vm_settings::copy_bios_strings(d, other, from))
        .unwrap();
    assert_eq!(
        *pool.get(other, vm::BIOS_STRINGS),
        Value::string_map([("bios-vendor", "SeaBIOS")])
    );
}

#[test]
fn what_only_a_halted_vm_takes_a_running_one_refuses() {
    let mut pool = Pool::new();
    let guest = pool.vm();
    let nvram = |pool: &mut Pool| {
        pool.decide(|d| {
            vm_settings::change_nvram(d, guest, |d| {
                generic::set(
                    d,
                    vm::CLASS,
                    vm::NVRAM.index,
                    guest,
                    Value::string_map([("a", "b")]),
                )
            })
        })
    };
    let vendor =
        |pool: &mut Pool| pool.decide(|d| vm_settings::set_halted(d, guest, vm::HAS_VENDOR_DEVICE, true));
    nvram(&mut pool).unwrap();
    vendor(&mut pool).unwrap();
    let shadow = pool
        .decide(|d| vm_settings::set_shadow_live(d, guest, 2.0))
        .unwrap_err();
    assert_eq!(shadow.params[1], "running");
    pool.start(guest);
    for error in [nvram(&mut pool).unwrap_err(), vendor(&mut pool).unwrap_err()] {
        assert_eq!(
            (&*error.code, error.params[1].as_str()),
            ("VM_BAD_POWER_STATE", "halted")
        );
    }
    for bad in [0.5, f64::NAN, -1.0] {
        let error = pool
            .decide(|d| vm_settings::set_shadow_live(d, guest, bad))
            .unwrap_err();
        assert_eq!(error.code, "INVALID_VALUE");
    }
    pool.decide(|d| vm_settings::set_shadow_live(d, guest, 1.5))
        .unwrap();
    let word = pool
        .decide(|d| ha::set_restart_priority(d, guest, "always"))
        .unwrap_err();
    assert_eq!(word.params, ["ha_restart_priority", "always"]);
    for word in ["", "restart", "best-effort"] {
        pool.decide(|d| ha::set_restart_priority(d, guest, word)).unwrap();
    }
}

#[test]
fn a_reset_forgets_what_hangs_but_never_a_control_domain() {
    let mut pool = Pool::new();
    let guest = pool.vm();
    let on = pool.start(guest);
    pool.decide(|d| {
        d.put_key(guest, vm::CURRENT_OPERATIONS, "OpaqueRef:x", "suspend");
        Ok(())
    })
    .unwrap();
    assert_eq!(
        pool.decide(|d| vm_settings::begin_reset(d, guest)).unwrap(),
        Some(on)
    );
    pool.silence(on);
    assert_eq!(pool.decide(|d| vm_settings::begin_reset(d, guest)).unwrap(), None);
    pool.decide(|d| vm_settings::reset(d, guest)).unwrap();
    assert_eq!(pool.state(guest), "Halted");
    assert!(
        pool.get(guest, vm::CURRENT_OPERATIONS)
            .as_map()
            .unwrap()
            .is_empty()
    );
    let control = pool.get(on, host::CONTROL_DOMAIN).as_ref();
    let error = pool.decide(|d| vm_settings::begin_reset(d, control)).unwrap_err();
    assert_eq!(error.params, [control.to_string()]);
    assert_eq!(error.code, "CANNOT_RESET_CONTROL_DOMAIN");
}

#[test]
fn an_appliance_starts_upwards_and_stops_downwards() {
    let mut pool = Pool::new();
    let (first, second, third) = (pool.vm(), pool.vm(), pool.vm());
    let group = pool
        .decide(|d| {
            Ok(d.insert(
                vm_appliance::CLASS,
                vec![(vm_appliance::NAME_LABEL, "app".into())],
            ))
        })
        .unwrap();
    let task = pool.facts.reference();
    let row = |pool: &Pool| pool.db.get(group).unwrap().clone();
    let empty = appliance_rules::check(&pool.db, &row(&pool), "start").unwrap_err();
    assert_eq!(empty.code, "OPERATION_NOT_ALLOWED");
    for (guest, order, delay) in [(first, 2, 5), (second, 1, 0), (third, 2, 30)] {
        pool.set(guest, vm::APPLIANCE, group);
        pool.set(guest, vm::ORDER, order);
        pool.set(guest, vm::START_DELAY, delay);
        pool.set(guest, vm::SHUTDOWN_DELAY, order);
    }
    assert!(pool.allowed(group, "start") && !pool.allowed(group, "shutdown"));
    let groups = pool
        .decide(|d| appliance::begin(d, group, task, "start"))
        .unwrap();
    let members: Vec<Vec<Ref>> = groups.iter().map(|g| g.vms.clone()).collect();
    assert_eq!(members[0], [second]);
    assert_eq!(members[1].len(), 2);
    assert_eq!(groups.iter().map(|g| g.delay).collect::<Vec<_>>(), [0, 30]);
    assert!(!pool.allowed(group, "start"), "one operation at a time");
    let busy = pool
        .decide(|d| appliance::begin(d, group, task, "start"))
        .unwrap_err();
    assert_eq!(
        busy.params[..3],
        ["VM_appliance".to_owned(), group.to_string(), "start".to_owned()]
    );
    pool.decide(|d| {
        appliance::end(d, group, task);
        Ok(())
    })
    .unwrap();
    pool.start(second);
    assert!(pool.allowed(group, "start") && pool.allowed(group, "clean_shutdown"));
    let groups = pool
        .decide(|d| appliance::begin(d, group, task, "shutdown"))
        .unwrap();
    assert_eq!(groups.last().map(|g| g.vms.as_slice()), Some(&[second][..]));
    pool.decide(|d| appliance::destroy(d, group)).unwrap();
    assert!(pool.get(first, vm::APPLIANCE).as_ref().is_null());
}

#[test]
fn the_agents_word_becomes_guest_metrics_and_changes_only_with_it() {
    let mut pool = Pool::new();
    let guest = pool.vm();
    let net = pool.db.only(network::CLASS).unwrap().reference;
    let nic = Value::Record(vec![
        ("VM".into(), guest.into()),
        ("network".into(), net.into()),
        ("device".into(), "3".into()),
        ("MAC".into(), "02:00:00:00:00:0a".into()),
        ("MTU".into(), 1500.into()),
        ("other_config".into(), Value::empty_map()),
        ("qos_algorithm_type".into(), "".into()),
        ("qos_algorithm_params".into(), Value::empty_map()),
    ]);
    pool.decide(|d| vif::create(d, &nic)).unwrap();
    pool.start(guest);
    let facts = GuestFacts {
        agent_version: "7.2.22".to_owned(),
        os_name: "Debian GNU/Linux 12 (bookworm)".to_owned(),
        distro: "debian".to_owned(),
        os_version: "12.4".to_owned(),
        kernel: "6.1.0".to_owned(),
        hostname: "guest".to_owned(),
        interfaces: vec![
            (
                "02:00:00:00:00:0A".to_owned(),
                vec![
                    "192.0.2.7".to_owned(),
                    "fe80::1".to_owned(),
                    "192.0.2.8".to_owned(),
                ],
            ),
            ("02:00:00:00:00:0b".to_owned(), vec!["192.0.2.9".to_owned()]),
        ],
        features: vec!["feature-shutdown".to_owned()],
    };
    let told = |pool: &mut Pool| {
        pool.decide(|d| {
            guest::told(d, guest, &facts);
            Ok(())
        })
        .unwrap();
        pool.get(guest, vm::GUEST_METRICS).as_ref()
    };
    let metrics = told(&mut pool);
    let of = |pool: &Pool, field, key: &str| pool.get(metrics, field).get(key).map(str::to_owned);
    for (key, value) in [
        ("3/ip", "192.0.2.7"),
        ("3/ipv4/1", "192.0.2.8"),
        ("3/ipv6/0", "fe80::1"),
    ] {
        assert_eq!(
            of(&pool, vm_guest_metrics::NETWORKS, key).as_deref(),
            Some(value),
            "{key}"
        );
    }
    assert_eq!(
        pool.get(metrics, vm_guest_metrics::NETWORKS)
            .as_map()
            .unwrap()
            .len(),
        4
    );
    assert_eq!(
        of(&pool, vm_guest_metrics::OS_VERSION, "major").as_deref(),
        Some("12")
    );
    assert_eq!(
        of(&pool, vm_guest_metrics::PV_DRIVERS_VERSION, "micro").as_deref(),
        Some("22")
    );
    assert_eq!(
        of(&pool, vm_guest_metrics::OTHER, "feature-shutdown").as_deref(),
        Some("1")
    );
    assert!(pool.get(metrics, vm_guest_metrics::PV_DRIVERS_DETECTED).as_bool());
    let version = pool.db.get(metrics).unwrap().version;
    assert_eq!(told(&mut pool), metrics);
    assert_eq!(
        pool.db.get(metrics).unwrap().version,
        version,
        "the same word is no change"
    );
    pool.halt(guest);
    assert!(!pool.get(metrics, vm_guest_metrics::LIVE).as_bool());
    assert_eq!(
        pool.get(guest, vm::GUEST_METRICS).as_ref(),
        metrics,
        "it stays to be read"
    );
    pool.start(guest);
    assert!(
        pool.get(guest, vm::GUEST_METRICS).as_ref().is_null(),
        "a new life begins without"
    );
    assert!(pool.db.get(metrics).is_none());
}

#[test]
fn each_change_of_power_leaves_a_notice() {
    let mut pool = Pool::new();
    let guest = pool.vm();
    let uuid = pool.db.get(guest).unwrap().uuid().to_owned();
    pool.start(guest);
    let task = pool.facts.reference();
    for (name, paused) in [("pause", true), ("unpause", false), ("hard_reboot", false)] {
        let op = VmOperation {
            vm: guest,
            task,
            name,
        };
        pool.decide(|d| {
            vm_power::begin(d, &op)?;
            vm_power::commit_paused(d, &op, paused);
            Ok(())
        })
        .unwrap();
    }
    let op = VmOperation {
        vm: guest,
        task,
        name: "clean_shutdown",
    };
    pool.decide(|d| {
        vm_power::begin(d, &op)?;
        vm_power::commit_shutdown(d, &op, Forced::No);
        Ok(())
    })
    .unwrap();
    let Value::Map(found) = message::since(&pool.db, DateTime::EPOCH, Some(("VM", &uuid))) else {
        panic!("not a map")
    };
    let mut names: Vec<&str> = found
        .values()
        .filter_map(|m| m.member("name").map(Value::as_str))
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "VM_PAUSED",
            "VM_REBOOTED",
            "VM_SHUTDOWN",
            "VM_STARTED",
            "VM_UNPAUSED"
        ]
    );
    let started = pool
        .db
        .rows(notices::CLASS)
        .find(|m| m.get(notices::NAME).as_str() == "VM_STARTED")
        .unwrap();
    assert!(
        started
            .get(notices::BODY)
            .as_str()
            .starts_with("VM 'guest' started on host: ")
    );
    assert_eq!(started.get(notices::PRIORITY).as_int(), 5);
    assert_eq!(
        message::since(&pool.db, DateTime(i64::MAX), None),
        Value::empty_map(),
        "none is from the future"
    );
}

fn notice(object: &str) -> Notice<'_> {
    Notice {
        name: "TEST",
        priority: 3,
        cls: "Host",
        object,
        body: String::new(),
    }
}

#[test]
fn notices_are_about_something_and_the_oldest_go() {
    let mut pool = Pool::new();
    let uuid = pool.db.get(pool.host("one")).unwrap().uuid().to_owned();
    let error = pool
        .decide(|d| message::create(d, &notice("nobody")))
        .unwrap_err();
    assert_eq!(
        (&*error.code, error.params),
        ("UUID_INVALID", vec!["Host".to_owned(), "nobody".to_owned()])
    );
    let first = pool.decide(|d| message::create(d, &notice(&uuid))).unwrap();
    pool.facts.now = DateTime(pool.facts.now.0 + 10);
    pool.decide(|d| {
        for _ in 0..MOST_MESSAGES {
            message::add(d, &notice(&uuid));
        }
        Ok(())
    })
    .unwrap();
    assert!(pool.db.count(notices::CLASS) <= MOST_MESSAGES);
    assert!(pool.db.get(first).is_none(), "the oldest went first");
    let gone = pool.decide(|d| message::destroy(d, first)).unwrap_err();
    assert_eq!(gone.params, ["message".to_owned(), first.to_string()]);
}

#[test]
fn the_right_obstacle_for_each_reason_not_to_boot() {
    let mut pool = Pool::new();
    let guest = pool.vm();
    let on = pool.host("one");
    let why = |pool: &Pool| {
        let (guest, on) = (pool.db.get(guest).unwrap(), pool.db.get(on).unwrap());
        placement::can_run(&pool.db, guest, on)
            .err()
            .map(|e| e.description())
    };
    assert_eq!(why(&pool), None);
    let code = |pool: &Pool| why(pool).map(|d| d[0].clone()).unwrap_or_default();
    let group = pool.facts.reference();
    let gpu = pool
        .decide(|d| {
            let fields = vec![(vgpu::VM, guest.into()), (vgpu::GPU_GROUP, group.into())];
            Ok(d.insert(vgpu::CLASS, fields))
        })
        .unwrap();
    assert_eq!(
        why(&pool).unwrap(),
        ["VM_REQUIRES_GPU".to_owned(), guest.to_string(), group.to_string()]
    );
    pool.decide(|d| {
        d.delete(gpu);
        Ok(())
    })
    .unwrap();
    pool.set(guest, vm::VCPUS_MAX, 3);
    assert_eq!(why(&pool).unwrap(), ["HOST_NOT_ENOUGH_PCPUS", "3", "2"]);
    pool.set(guest, vm::MEMORY_STATIC_MAX, Bytes::gib(8));
    assert_eq!(code(&pool), "HOST_NOT_ENOUGH_FREE_MEMORY");
    pool.set(guest, vm::HARDWARE_PLATFORM_VERSION, 9);
    assert_eq!(
        code(&pool),
        "VM_HOST_INCOMPATIBLE_VIRTUAL_HARDWARE_PLATFORM_VERSION"
    );
    pool.decide(|d| {
        d.put_key(on, host::CURRENT_OPERATIONS, "OpaqueRef:t", "evacuate");
        Ok(())
    })
    .unwrap();
    assert_eq!(
        why(&pool).unwrap(),
        ["HOST_EVACUATE_IN_PROGRESS".to_owned(), on.to_string()]
    );
    pool.set(on, host::ENABLED, false);
    assert_eq!(why(&pool).unwrap(), ["HOST_DISABLED".to_owned(), on.to_string()]);
    pool.silence(on);
    assert_eq!(why(&pool).unwrap(), ["HOST_NOT_LIVE"]);
}

#[test]
fn only_what_every_host_reaches_is_agile() {
    let mut pool = Pool::new();
    let guest = pool.vm();
    let agile = |pool: &Pool| placement::check_agile(&pool.db, pool.db.get(guest).unwrap());
    agile(&pool).unwrap();
    let inner = pool
        .decide(|d| Ok(d.insert(network::CLASS, vec![(network::BRIDGE, "xapi0".into())])))
        .unwrap();
    let nic = Value::Record(vec![
        ("VM".into(), guest.into()),
        ("network".into(), inner.into()),
        ("device".into(), "0".into()),
        ("MAC".into(), "".into()),
        ("MTU".into(), 1500.into()),
        ("other_config".into(), Value::empty_map()),
        ("qos_algorithm_type".into(), "".into()),
        ("qos_algorithm_params".into(), Value::empty_map()),
    ]);
    pool.decide(|d| vif::create(d, &nic)).unwrap();
    let error = agile(&pool).unwrap_err();
    assert_eq!(
        (&*error.code, error.params),
        (
            "HA_CONSTRAINT_VIOLATION_NETWORK_NOT_SHARED",
            vec![inner.to_string()]
        )
    );
}

proptest! {
    #[test]
    fn the_most_memory_fits_and_no_more_would(total in 0u64..(1 << 44)) {
        let mut pool = Pool::new();
        let guest = pool.vm();
        let row = pool.db.get(guest).unwrap();
        let most = placement::largest_memory(row, Bytes(total)).get();
        let overhead = placement::overhead(row).get();
        prop_assert!(most == 0 || most + overhead <= total);
        prop_assert!(most + overhead + Bytes::MIB > total);
        prop_assert_eq!(most % Bytes::MIB, 0);
    }

    #[test]
    fn a_boot_record_reads_back_as_it_was(
        args in ".{0,40}",
        pairs in proptest::collection::btree_map("[ -~\t\n\\\\]{1,8}", "[ -~\t\n\\\\]{0,8}", 0..4),
        count in 1i64..8,
    ) {
        let mut pool = Pool::new();
        let guest = pool.vm();
        pool.set(guest, vm::PV_ARGS, args.as_str());
        pool.set(guest, vm::PLATFORM, Value::string_map(&pairs));
        pool.set(guest, vm::VCPUS_MAX, 2);
        let before = query::record(&pool.db, pool.db.get(guest).unwrap());
        pool.start(guest);
        pool.set(guest, vm::PV_ARGS, "changed");
        pool.set(guest, vm::PLATFORM, Value::string_map([("other", "x")]));
        pool.set(guest, vm::VCPUS_MAX, count);
        let booted = boot_record::of(&pool.db, guest).unwrap();
        for field in ["PV_args", "platform", "VCPUs_max", "memory_static_max"] {
            prop_assert_eq!(booted.member(field), before.member(field), "{}", field);
        }
    }
}
