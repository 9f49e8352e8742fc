//! The exact error for each reason to refuse.

use proto_types::generated::{host, pool, vm};
use proto_types::{Bytes, Ref, Value};

use super::leader::Leader;

/// A message, its arguments, and the error with its parameters.
type Case = (&'static str, Vec<Value>, Vec<String>);

fn case<const N: usize>(method: &'static str, params: Vec<Value>, error: [&str; N]) -> Case {
    (method, params, error.map(str::to_owned).to_vec())
}

async fn check(leader: &Leader, cases: Vec<Case>) {
    for (method, params, expected) in cases {
        assert_eq!(
            leader.refused(method, &params).await,
            expected,
            "{method} {params:?}"
        );
    }
}

fn text(reference: Ref) -> String {
    reference.to_string()
}

#[tokio::test]
async fn vms_refuse_by_their_power_state() {
    let leader = Leader::new().await;
    let (off, on) = (leader.vm().await, leader.running().await);
    let (off_is, on_is) = (text(off), text(on));
    let bad = |vm: &str, needed: &str, actual: &str| {
        ["VM_BAD_POWER_STATE", vm, needed, actual]
            .map(str::to_owned)
            .to_vec()
    };
    let mut cases: Vec<Case> = Vec::new();
    for (method, more, needed) in [
        ("VM.set_VCPUs_number_live", vec![Value::Int(1)], "running"),
        (
            "VM.set_shadow_multiplier_live",
            vec![Value::Float(2.0)],
            "running",
        ),
        ("VM.send_sysrq", vec!["b".into()], "running"),
        ("VM.send_trigger", vec!["nmi".into()], "running"),
        (
            "VM.call_plugin",
            vec!["p".into(), "f".into(), Value::empty_map()],
            "running",
        ),
        ("VM.restart_device_models", vec![], "running"),
        ("VM.shutdown", vec![], "running, paused, suspended"),
        ("VM.wait_memory_target_live", vec![], "running"),
    ] {
        let params = [vec![off.into()], more].concat();
        cases.push((method, params, bad(&off_is, needed, "halted")));
    }
    for (method, more) in [
        ("VM.set_memory", vec![Value::Int(1 << 30)]),
        ("VM.set_memory_static_max", vec![Value::Int(1 << 30)]),
        (
            "VM.set_memory_static_range",
            vec![Value::Int(0), Value::Int(1 << 30)],
        ),
        (
            "VM.set_memory_limits",
            vec![
                Value::Int(0),
                Value::Int(1 << 30),
                Value::Int(0),
                Value::Int(1 << 30),
            ],
        ),
        ("VM.set_NVRAM", vec![Value::empty_map()]),
        ("VM.add_to_NVRAM", vec!["k".into(), "v".into()]),
        ("VM.remove_from_NVRAM", vec!["k".into()]),
        ("VM.set_has_vendor_device", vec![true.into()]),
        ("VM.set_is_default_template", vec![true.into()]),
        ("VM.set_HVM_shadow_multiplier", vec![Value::Float(2.0)]),
        ("VM.set_VCPUs_max", vec![Value::Int(2)]),
        ("VM.start", vec![false.into(), false.into()]),
    ] {
        let params = [vec![on.into()], more].concat();
        cases.push((method, params, bad(&on_is, "halted", "running")));
    }
    let out_of_order = "Memory limits must satisfy: static_min <= dynamic_min <= dynamic_max <= static_max";
    cases.extend([
        case(
            "VM.set_memory_dynamic_range",
            vec![on.into(), Value::Int(2), Value::Int(1)],
            ["MEMORY_CONSTRAINT_VIOLATION", out_of_order],
        ),
        case(
            "VM.set_memory_target_live",
            vec![on.into(), Value::Int(1 << 40)],
            ["MEMORY_CONSTRAINT_VIOLATION", out_of_order],
        ),
        case(
            "VM.set_VCPUs_number_live",
            vec![on.into(), Value::Int(99)],
            ["INVALID_VALUE", "nvcpu", "99"],
        ),
        case(
            "VM.send_sysrq",
            vec![on.into(), "b".into()],
            ["NOT_IMPLEMENTED", "send_sysrq"],
        ),
        case(
            "VM.send_trigger",
            vec![on.into(), "x".into()],
            ["NOT_IMPLEMENTED", "send_trigger"],
        ),
        case(
            "VM.call_plugin",
            vec![on.into(), "mine".into(), "f".into(), Value::empty_map()],
            ["XENAPI_MISSING_PLUGIN", "mine"],
        ),
        case(
            "VM.restart_device_models",
            vec![on.into()],
            ["CANNOT_RESTART_DEVICE_MODEL", &on_is],
        ),
        case(
            "VM.power_state_reset",
            vec![on.into()],
            ["DOMAIN_EXISTS", &on_is, "7"],
        ),
    ]);
    check(&leader, cases).await;
}

#[tokio::test]
async fn templates_appliances_and_control_domains_refuse() {
    let leader = Leader::new().await;
    let db = leader.db();
    let template = pool_domain::query::by_name_label(&db, vm::CLASS, "Other install media")[0];
    let one = leader.host("one");
    let control = db.get(one).unwrap().get(host::CONTROL_DOMAIN).as_ref();
    let guest = leader.vm().await;
    let record = Value::string_map([("name_label", "app"), ("name_description", "")]);
    let made = leader.ok("VM_appliance.create", &[record]).await;
    let app: Ref = made.as_str().unwrap().parse().unwrap();
    let (template_is, control_is, guest_is, app_is) = (text(template), text(control), text(guest), text(app));
    check(
        &leader,
        vec![
            case(
                "VM.start",
                vec![template.into(), false.into(), false.into()],
                ["VM_IS_TEMPLATE", &template_is, "start"],
            ),
            case(
                "VM.destroy",
                vec![template.into()],
                ["VM_CANNOT_DELETE_DEFAULT_TEMPLATE", &template_is],
            ),
            case(
                "VM.power_state_reset",
                vec![control.into()],
                ["CANNOT_RESET_CONTROL_DOMAIN", &control_is],
            ),
            case(
                "VM_appliance.start",
                vec![app.into(), false.into()],
                ["OPERATION_NOT_ALLOWED", "Appliance has no VMs."],
            ),
            case(
                "VM.set_ha_restart_priority",
                vec![guest.into(), "always".into()],
                ["INVALID_VALUE", "ha_restart_priority", "always"],
            ),
            case(
                "VM.set_bios_strings",
                vec![guest.into(), Value::string_map([("colour", "blue")])],
                ["INVALID_VALUE", "colour", "Unknown key"],
            ),
            case(
                "VM.retrieve_wlb_recommendations",
                vec![guest.into()],
                ["WLB_NOT_INITIALIZED"],
            ),
        ],
    )
    .await;
    leader.ok("VM.set_appliance", &[guest.into(), app.into()]).await;
    leader
        .ok(
            "VM.set_bios_strings",
            &[guest.into(), Value::string_map([("bios-vendor", "x")])],
        )
        .await;
    leader
        .ok("VM.create_new_blob", &[guest.into(), "b".into(), "".into()])
        .await;
    check(
        &leader,
        vec![
            case(
                "VM.set_is_a_template",
                vec![guest.into(), true.into()],
                ["VM_IS_PART_OF_AN_APPLIANCE", &guest_is, &app_is],
            ),
            case(
                "VM.copy_bios_strings",
                vec![guest.into(), one.into()],
                ["VM_BIOS_STRINGS_ALREADY_SET"],
            ),
            case(
                "VM.create_new_blob",
                vec![guest.into(), "b".into(), "".into()],
                ["MAP_DUPLICATE_KEY", "VM", "blobs", &guest_is, "b"],
            ),
            case(
                "VM_appliance.hard_shutdown",
                vec![app.into()],
                [
                    "OPERATION_NOT_ALLOWED",
                    "No VM of the appliance is in a power state that allows hard_shutdown",
                ],
            ),
        ],
    )
    .await;
    // One of two does not start: the whole says which.
    let second = leader.vm().await;
    leader.ok("VM.set_appliance", &[second.into(), app.into()]).await;
    leader.set(second, vm::MEMORY_STATIC_MAX, Bytes::gib(64));
    assert_eq!(
        leader
            .refused("VM_appliance.start", &[app.into(), false.into()])
            .await,
        [
            "OPERATION_PARTIALLY_FAILED".to_owned(),
            "start".to_owned(),
            text(second)
        ]
    );
    assert_eq!(
        leader.db().get(guest).unwrap().get(vm::POWER_STATE).as_str(),
        "Running"
    );
}

#[tokio::test]
async fn hosts_refuse_for_their_reasons() {
    let leader = Leader::new().await;
    let (one, two) = (leader.host("one"), leader.host("two"));
    let guest = leader.vm().await;
    leader
        .ok(
            "VM.start_on",
            &[guest.into(), two.into(), false.into(), true.into()],
        )
        .await;
    let (two_is, guest_is) = (text(two), text(guest));
    check(
        &leader,
        vec![
            case("host.reboot", vec![one.into()], ["HOST_NOT_DISABLED"]),
            case("host.shutdown", vec![one.into()], ["HOST_NOT_DISABLED"]),
            case("host.destroy", vec![two.into()], ["HOST_IS_LIVE", &two_is]),
            case("host.declare_dead", vec![two.into()], ["HOST_IS_LIVE", &two_is]),
            case("host.power_on", vec![two.into()], ["HOST_IS_LIVE", &two_is]),
            case("host.get_log", vec![one.into()], ["NOT_IMPLEMENTED", "get_log"]),
            case(
                "host.dmesg_clear",
                vec![one.into()],
                ["NOT_IMPLEMENTED", "dmesg_clear"],
            ),
            case(
                "host.apply_edition",
                vec![one.into(), "premium".into()],
                ["INVALID_EDITION", "premium"],
            ),
            case(
                "host.license_add",
                vec![one.into(), "x".into()],
                ["LICENSE_PROCESSING_ERROR"],
            ),
            case(
                "host.apply_updates",
                vec![one.into(), "x".into()],
                ["NO_REPOSITORY_ENABLED"],
            ),
            case(
                "host.retrieve_wlb_evacuate_recommendations",
                vec![one.into()],
                ["WLB_NOT_INITIALIZED"],
            ),
            case(
                "host.set_hostname_live",
                vec![one.into(), "".into()],
                ["HOST_NAME_INVALID", "hostname empty"],
            ),
            case(
                "host.set_iscsi_iqn",
                vec![one.into(), "".into()],
                ["INVALID_VALUE", "value", ""],
            ),
            case(
                "message.create",
                vec!["N".into(), Value::Int(5), "VM".into(), "nobody".into(), "".into()],
                ["UUID_INVALID", "VM", "nobody"],
            ),
        ],
    )
    .await;
    // Nowhere to go.
    leader.ok("host.disable", &[one.into()]).await;
    check(
        &leader,
        vec![
            case(
                "host.evacuate",
                vec![two.into()],
                ["NO_HOSTS_AVAILABLE", &guest_is],
            ),
            case(
                "host.assert_can_evacuate",
                vec![two.into()],
                ["CANNOT_EVACUATE_HOST", &format!("NO_HOSTS_AVAILABLE,{guest_is}")],
            ),
            case(
                "VM.assert_can_boot_here",
                vec![guest.into(), one.into()],
                ["HOST_DISABLED", &text(one)],
            ),
        ],
    )
    .await;
    leader.silence(two);
    leader.hosts.refuses.lock().unwrap().push("domain_state");
    check(
        &leader,
        vec![
            case(
                "host.destroy",
                vec![two.into()],
                ["HOST_HAS_RESIDENT_VMS", &two_is],
            ),
            case("host.evacuate", vec![two.into()], ["HOST_OFFLINE", &two_is]),
            case("host.enable", vec![two.into()], ["HOST_OFFLINE", &two_is]),
            case("host.power_on", vec![two.into()], ["HOST_POWER_ON_MODE_DISABLED"]),
        ],
    )
    .await;
    leader
        .ok(
            "host.set_power_on_mode",
            &[two.into(), "iLO".into(), Value::empty_map()],
        )
        .await;
    check(
        &leader,
        vec![case(
            "host.power_on",
            vec![two.into()],
            ["XENAPI_MISSING_PLUGIN", "iLO"],
        )],
    )
    .await;
    // A host that is there and does not say whether the guest is.
    let other = leader.vm().await;
    leader.ok("host.enable", &[one.into()]).await;
    leader
        .ok("VM.start", &[other.into(), false.into(), true.into()])
        .await;
    check(
        &leader,
        vec![case(
            "VM.power_state_reset",
            vec![other.into()],
            ["HOST_IS_LIVE", &text(one)],
        )],
    )
    .await;
}

#[tokio::test]
async fn plugins_fail_in_their_own_words() {
    let leader = Leader::new().await;
    let one = leader.host("one");
    let call = vec![
        one.into(),
        "updater.py".into(),
        "check".into(),
        Value::empty_map(),
    ];
    let prints = |text: &str| *leader.hosts.prints.lock().unwrap() = text.to_owned();
    prints("Traceback");
    assert_eq!(
        leader.refused("host.call_plugin", &call).await,
        [
            "XENAPI_PLUGIN_FAILURE",
            "not an XML-RPC answer",
            "Traceback",
            "hm"
        ]
    );
    prints(
        "<methodResponse><params><param><value><struct>\
         <member><name>Status</name><value>Failure</value></member>\
         <member><name>ErrorDescription</name><value><array><data><value>-1</value><value>no repository</value>\
         </data></array></value></member></struct></value></param></params></methodResponse>",
    );
    assert_eq!(
        leader.refused("host.call_plugin", &call).await,
        ["-1", "no repository"]
    );
    prints(
        "<methodResponse><params><param><value><struct>\
         <member><name>Status</name><value>Success</value></member>\
         <member><name>Value</name><value>[]</value></member></struct></value></param></params></methodResponse>",
    );
    assert_eq!(leader.ok("host.call_plugin", &call).await.as_str(), Some("[]"));
    let pool_row = leader.db().only(pool::CLASS).unwrap().reference;
    let guest = leader.running().await;
    let script = vec![
        guest.into(),
        "guest-agent-operation".into(),
        "run-script".into(),
        Value::empty_map(),
    ];
    assert_eq!(
        leader.refused("VM.call_plugin", &script).await[0],
        "OPERATION_NOT_ALLOWED"
    );
    leader
        .ok(
            "pool.add_to_other_config",
            &[
                pool_row.into(),
                "allow_guest_agent_run_script".into(),
                "true".into(),
            ],
        )
        .await;
    assert_eq!(
        leader.refused("VM.call_plugin", &script).await,
        ["VM_LACKS_FEATURE".to_owned(), text(guest)]
    );
}
