//! Messages beside the life of VMs: what the pool trusts, updates, USB devices, TPMs, and words between hosts.

use gateway_codec::WireValue;
use node_commands::{HostCommand, MachineVerb};
use pool_domain::query;
use proto_types::generated::{host, pool, pusb, vm, vusb};
use proto_types::{DateTime, Ref, Value};

use super::leader::Leader;

fn text(value: &WireValue) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn reference(value: &WireValue) -> Ref {
    text(value).parse().unwrap()
}

fn the_pool(leader: &Leader) -> Ref {
    leader.db().only(pool::CLASS).unwrap().reference
}

#[tokio::test]
async fn a_host_that_says_hello_is_known_and_reached_or_not() {
    let leader = Leader::new().await;
    let two = leader.host("two");
    let uuid = leader.db().get(two).unwrap().uuid().to_owned();
    let hello = async |uuid: &str, address: &str| {
        text(&leader.ok("pool.hello", &[uuid.into(), address.into()]).await)
    };
    assert_eq!(hello(&uuid, "192.0.2.2").await, "ok");
    assert_eq!(hello(&uuid, "192.0.2.9").await, "cannot_talk_back");
    assert_eq!(hello("none", "192.0.2.2").await, "unknown_host");
    leader.hosts.refuses.lock().unwrap().push("machine");
    assert_eq!(hello(&uuid, "192.0.2.2").await, "cannot_talk_back");
    assert_eq!(text(&leader.ok("pool.initial_auth", &[]).await), "a token");
    let made = [
        uuid.as_str().into(),
        "x".into(),
        "".into(),
        "x".into(),
        "192.0.2.2".into(),
    ];
    assert_eq!(
        leader.refused("host.create", &made).await[0],
        "UNIQUENESS_CONSTRAINT_VIOLATION"
    );
    let made = [
        "other".into(),
        "x".into(),
        "".into(),
        "x".into(),
        "192.0.2.7".into(),
    ];
    assert_eq!(
        leader.refused("host.create", &made).await[0],
        "OPERATION_NOT_ALLOWED"
    );
}

#[tokio::test]
async fn a_running_guest_gets_its_share_of_processors() {
    let leader = Leader::new().await;
    let guest = leader.running().await;
    let add = |key: &'static str, value: &'static str| [guest.into(), key.into(), value.into()];
    leader
        .ok("VM.add_to_VCPUs_params_live", &add("weight", "512"))
        .await;
    leader
        .ok("VM.add_to_VCPUs_params_live", &add("mask", "0,1"))
        .await;
    let told: Vec<_> = {
        let all = leader.hosts.asked.lock().unwrap();
        let tuned = all.iter().filter_map(|(_, c)| match c {
            HostCommand::SetCpuTuning { tuning, .. } => Some(tuning.clone()),
            _ => None,
        });
        tuned.collect()
    };
    assert_eq!(
        (told[1].weight, told[1].mask.as_slice()),
        (Some(512), [0, 1].as_slice())
    );
    let kept = |key: &str| {
        let db = leader.db();
        db.get(guest)
            .unwrap()
            .get(vm::VCPUS_PARAMS)
            .get(key)
            .map(str::to_owned)
    };
    assert_eq!(kept("weight").as_deref(), Some("512"));
    let bad = leader
        .refused("VM.add_to_VCPUs_params_live", &add("cap", "much"))
        .await;
    assert_eq!(bad, ["INVALID_VALUE", "cap", "much"]);
    assert_eq!(kept("cap"), None);
    let halted = leader.vm().await;
    let bad = [halted.into(), "cap".into(), "1".into()];
    assert_eq!(
        leader.refused("VM.add_to_VCPUs_params_live", &bad).await,
        ["VM_BAD_POWER_STATE", &halted.to_string(), "running", "halted"]
    );
}

#[tokio::test]
async fn what_is_plugged_into_a_host_is_listed() {
    let leader = Leader::new().await;
    let one = leader.host("one");
    leader.ok("PUSB.scan", &[one.into()]).await;
    let rows = leader
        .db()
        .rows(pusb::CLASS)
        .map(|r| r.get(pusb::DESCRIPTION).as_str().to_owned())
        .collect::<Vec<_>>();
    assert_eq!(rows, ["Maker_Stick_1"]);
    let group = leader
        .db()
        .rows(pusb::CLASS)
        .next()
        .unwrap()
        .get(pusb::USB_GROUP)
        .as_ref();
    assert_eq!(
        leader.refused("USB_group.destroy", &[group.into()]).await[0],
        "USB_GROUP_CONTAINS_PUSB"
    );
    let made = reference(&leader.ok("USB_group.create", &["mine".into()]).await);
    let guest = leader.vm().await;
    assert_eq!(
        leader
            .refused("VUSB.create", &[guest.into(), made.into(), Value::empty_map()])
            .await,
        ["USB_GROUP_CONTAINS_NO_PUSBS", &made.to_string()]
    );
    leader.ok("USB_group.destroy", &[made.into()]).await;
}

#[tokio::test]
async fn a_guest_has_a_usb_device_of_its_host_from_its_start_to_its_end() {
    let leader = Leader::new().await;
    let one = leader.host("one");
    leader.ok("PUSB.scan", &[one.into()]).await;
    let stick = leader.db().rows(pusb::CLASS).next().unwrap().reference;
    let group = leader.db().get(stick).unwrap().get(pusb::USB_GROUP).as_ref();
    let guest = leader.vm().await;
    let give = |guest: Ref| [guest.into(), group.into(), Value::empty_map()];
    let start = |guest: Ref| [guest.into(), false.into(), true.into()];
    let wish = reference(&leader.ok("VUSB.create", &give(guest)).await);
    let other = leader.vm().await;
    assert_eq!(
        leader.refused("VUSB.create", &give(other)).await,
        ["USB_GROUP_CONFLICT", &group.to_string()]
    );
    // Its host keeps it to itself until told otherwise.
    let on_one = [guest.into(), one.into(), false.into(), true.into()];
    let requires = ["VM_REQUIRES_VUSB", &guest.to_string(), &group.to_string()].map(str::to_owned);
    assert_eq!(leader.refused("VM.start_on", &on_one).await, requires);
    let pass = |on: bool| [stick.into(), on.into()];
    leader.ok("PUSB.set_passthrough_enabled", &pass(true)).await;
    // Another host has none.
    let on_two = [guest.into(), leader.host("two").into(), false.into(), true.into()];
    assert_eq!(leader.refused("VM.start_on", &on_two).await, requires);

    leader.ok("VM.start", &start(guest)).await;
    let state = |field| leader.db().get(wish).unwrap().get(field).clone();
    assert_eq!(leader.db().get(guest).unwrap().get(vm::RESIDENT_ON).as_ref(), one);
    assert!(state(vusb::CURRENTLY_ATTACHED).as_bool());
    assert_eq!(given(&leader), [["1-1"]]);
    let held = ["USB_ALREADY_ATTACHED", &stick.to_string(), &guest.to_string()].map(str::to_owned);
    assert_eq!(
        leader.refused("PUSB.set_passthrough_enabled", &pass(false)).await,
        held
    );
    assert_eq!(
        leader.refused("VUSB.destroy", &[wish.into()]).await[0],
        "OPERATION_NOT_ALLOWED"
    );
    let here = ["VM_HAS_VUSBS", &guest.to_string()].map(str::to_owned);
    assert_eq!(leader.refused("VM.suspend", &[guest.into()]).await, here);
    let running = ["VM_BAD_POWER_STATE", &guest.to_string(), "halted", "running"].map(str::to_owned);
    assert_eq!(leader.refused("VUSB.create", &give(guest)).await, running);

    leader.ok("VUSB.unplug", &[wish.into()]).await;
    assert!(!state(vusb::CURRENTLY_ATTACHED).as_bool());
    assert!(
        leader
            .hosts
            .asked
            .lock()
            .unwrap()
            .iter()
            .any(|(_, c)| matches!(c, HostCommand::DetachUsb { path, .. } if path == "1-1"))
    );
    assert_eq!(
        leader.refused("VUSB.unplug", &[wish.into()]).await,
        ["DEVICE_ALREADY_DETACHED", &wish.to_string()]
    );
    // It comes back with the next start, and goes with the guest's end.
    leader.ok("VM.hard_shutdown", &[guest.into()]).await;
    leader.ok("VM.start", &start(guest)).await;
    assert_eq!(given(&leader), [["1-1"], ["1-1"]]);
    leader.ok("VM.hard_shutdown", &[guest.into()]).await;
    assert!(!state(vusb::CURRENTLY_ATTACHED).as_bool() && state(vusb::ATTACHED).as_ref().is_null());
    assert_eq!(
        leader.refused("VUSB.unplug", &[wish.into()]).await,
        ["VM_BAD_POWER_STATE", &guest.to_string(), "running", "halted"]
    );
    leader.ok("PUSB.set_passthrough_enabled", &pass(false)).await;
    assert_eq!(leader.refused("VM.start_on", &on_one).await, requires);
    assert!(state(vusb::ATTACHED).as_ref().is_null());
    leader.ok("VUSB.destroy", &[wish.into()]).await;
    leader.ok("VM.start", &start(guest)).await;
}

/// The USB devices that came with each start, by their places.
fn given(leader: &Leader) -> Vec<Vec<String>> {
    let asked = leader.hosts.asked.lock().unwrap();
    let starts = asked.iter().filter_map(|(_, command)| match command {
        HostCommand::StartDomain { request, .. } => Some(request.usb.clone()),
        _ => None,
    });
    starts.filter(|usb| !usb.is_empty()).collect()
}

#[tokio::test]
async fn records_of_repositories_are_kept_and_nothing_is_fetched() {
    let leader = Leader::new().await;
    let here = the_pool(&leader);
    let sync = [here.into(), false.into(), "".into(), "".into()];
    assert_eq!(
        leader.refused("pool.sync_updates", &sync).await,
        ["NO_REPOSITORY_ENABLED"]
    );
    let new = |name: &'static str, url: &'static str| -> Vec<Value> {
        vec![name.into(), "".into(), url.into(), "".into(), true.into()]
    };
    let bad = leader.refused("Repository.introduce", &new("a", "ftp://x")).await;
    assert_eq!(bad, ["INVALID_BASE_URL", "ftp://x"]);
    let made = reference(
        &leader
            .ok("Repository.introduce", &new("a", "https://repo.example/a"))
            .await,
    );
    let again = leader
        .refused("Repository.introduce", &new("b", "https://repo.example/a"))
        .await;
    assert_eq!(again, ["REPOSITORY_ALREADY_EXISTS", &made.to_string()]);
    leader
        .ok("pool.add_repository", &[here.into(), made.into()])
        .await;
    assert_eq!(
        leader.refused("Repository.forget", &[made.into()]).await,
        ["REPOSITORY_IS_IN_USE"]
    );
    // A node asks no machine of its own link, whatever a record says.
    let near = reference(
        &leader
            .ok("Repository.introduce", &new("near", "http://127.0.0.1:1/a"))
            .await,
    );
    leader
        .ok(
            "pool.set_repositories",
            &[here.into(), Value::Set(vec![near.into()])],
        )
        .await;
    assert_eq!(
        leader.refused("pool.sync_updates", &sync).await,
        ["REPOSYNC_FAILED"]
    );
    assert_eq!(
        leader.db().get(here).unwrap().get(pool::LAST_UPDATE_SYNC),
        &DateTime::EPOCH.into()
    );
    leader
        .ok("pool.remove_repository", &[here.into(), made.into()])
        .await;
    leader.ok("Repository.forget", &[made.into()]).await;
    let bundle = reference(
        &leader
            .ok("Repository.introduce_bundle", &["c".into(), "".into()])
            .await,
    );
    let again = leader
        .refused("Repository.introduce_bundle", &["d".into(), "".into()])
        .await;
    assert_eq!(again, ["BUNDLE_REPOSITORY_ALREADY_EXISTS", &bundle.to_string()]);
    let proxy = |user: &'static str, secret: &'static str| {
        [
            here.into(),
            "http://proxy.example:3128".into(),
            user.into(),
            secret.into(),
        ]
    };
    let unbuilt = leader
        .refused("pool.configure_repository_proxy", &proxy("me", "secret"))
        .await;
    assert_eq!(unbuilt, ["NOT_IMPLEMENTED", "pool.configure_repository_proxy"]);
    let bad = leader
        .refused("pool.configure_repository_proxy", &proxy("me", ""))
        .await;
    assert_eq!(bad, ["INVALID_REPOSITORY_PROXY_CREDENTIAL"]);
    leader.ok("pool.disable_repository_proxy", &[here.into()]).await;
    let ready = leader
        .ok("pool.check_update_readiness", &[here.into(), true.into()])
        .await;
    assert_eq!(
        format!("{ready:?}"),
        format!("{:?}", WireValue::Array(Vec::new()))
    );
    leader.silence(leader.host("two"));
    let ready = leader
        .ok("pool.check_update_readiness", &[here.into(), true.into()])
        .await;
    assert!(format!("{ready:?}").contains("HOST_OFFLINE"));
}

#[tokio::test]
async fn debug_keys_and_timings_are_the_hosts_own() {
    let leader = Leader::new().await;
    let two = leader.host("two");
    leader.ok("host.send_debug_keys", &[two.into(), "m".into()]).await;
    let asked = leader.hosts.asked.lock().unwrap().iter().any(
        |(_, c)| matches!(c, HostCommand::Machine { verb: MachineVerb::ShowState { keys } } if keys == "m"),
    );
    assert!(asked);
    let one = leader.host("one");
    let own = leader
        .ok("host.get_diagnostic_timing_stats", &[one.into(), true.into()])
        .await;
    let own = format!("{own:?}");
    assert!(
        own.contains("host.send_debug_keys") && own.contains("command facts") && own.contains("count = 3")
    );
    let other = leader
        .ok("host.get_diagnostic_timing_stats", &[two.into(), false.into()])
        .await;
    let other = format!("{other:?}");
    assert!(!other.contains("host.send_debug_keys") && !other.contains("count"));
}

#[tokio::test]
async fn what_a_module_holds_comes_from_its_last_host() {
    let leader = Leader::new().await;
    let guest = leader.vm().await;
    let made = reference(&leader.ok("VTPM.create", &[guest.into(), false.into()]).await);
    let again = leader.refused("VTPM.create", &[guest.into(), false.into()]).await;
    assert_eq!(again, ["VTPM_MAX_AMOUNT_REACHED", "1"]);
    let holds = async || text(&leader.ok("VTPM.get_contents", &[made.into()]).await);
    assert_eq!(holds().await, "");
    leader
        .ok("VTPM.set_contents", &[made.into(), "Zmlyc3Q=".into()])
        .await;
    leader
        .ok("VM.start", &[guest.into(), false.into(), true.into()])
        .await;
    let laid = leader.hosts.asked.lock().unwrap().iter().any(|(_, c)| {
        matches!(c, HostCommand::StartDomain { request, .. }
            if request.tpm.as_ref().is_some_and(|t| t.contents.0 == "Zmlyc3Q="))
    });
    assert!(laid, "the module starts with what the pool has");
    let live = leader.refused("VTPM.destroy", &[made.into()]).await;
    assert_eq!(live[0], "VM_BAD_POWER_STATE");
    leader.ok("VM.hard_shutdown", &[guest.into()]).await;
    // The host does not answer now: an old state must not be taken for the newest.
    leader.hosts.refuses.lock().unwrap().push("tpm_state");
    leader.refused("VTPM.get_contents", &[made.into()]).await;
    leader.hosts.refuses.lock().unwrap().clear();
    assert_eq!(holds().await, "bGFzdA==");
    leader.ok("VM.destroy", &[guest.into()]).await;
    assert_eq!(leader.db().rows(proto_types::generated::vtpm::CLASS).count(), 0);
}

#[tokio::test]
async fn secure_boots_mode_changes_with_the_next_start() {
    let leader = Leader::new().await;
    let guest = leader.vm().await;
    let set = |mode: &'static str| [guest.into(), mode.into()];
    assert_eq!(
        leader.refused("VM.set_uefi_mode", &set("setup")).await[0],
        "OPERATION_NOT_ALLOWED"
    );
    leader.set(
        guest,
        vm::HVM_BOOT_PARAMS,
        Value::string_map([("firmware", "uefi")]),
    );
    leader.set(guest, vm::PLATFORM, Value::string_map([("secureboot", "true")]));
    leader.ok("VM.set_uefi_mode", &set("setup")).await;
    let readiness = async || text(&leader.ok("VM.get_secureboot_readiness", &[guest.into()]).await);
    assert_eq!(readiness().await, "setup_mode");
    for (nth, (keys, anew)) in [(false, true), (false, false)].into_iter().enumerate() {
        leader
            .ok("VM.start", &[guest.into(), false.into(), true.into()])
            .await;
        let firmware: Vec<String> = {
            let all = leader.hosts.asked.lock().unwrap();
            let starts = all.iter().filter_map(|(_, c)| match c {
                HostCommand::StartDomain { request, .. } => Some(format!("{:?}", request.firmware)),
                _ => None,
            });
            starts.collect()
        };
        let wanted = format!("Uefi {{ secure_boot: true, enrolled_keys: {keys}, anew: {anew} }}");
        assert_eq!(firmware[nth], wanted);
        leader.ok("VM.hard_shutdown", &[guest.into()]).await;
    }
    leader.ok("VM.set_uefi_mode", &set("user")).await;
    assert_ne!(readiness().await, "setup_mode");
}

#[tokio::test]
async fn the_pool_has_an_extension_that_every_host_has() {
    let leader = Leader::new().await;
    let here = the_pool(&leader);
    let has = async |name: &str| {
        format!(
            "{:?}",
            leader.ok("pool.has_extension", &[here.into(), name.into()]).await
        )
    };
    assert_eq!(has("there").await, format!("{:?}", WireValue::Bool(true)));
    assert_eq!(has("not there").await, format!("{:?}", WireValue::Bool(false)));
    let hosts = query::by_name_label(&leader.db(), host::CLASS, "one");
    let gran = leader.ok("host.get_sched_gran", &[hosts[0].into()]).await;
    assert_eq!(text(&gran), "cpu");
    let refused = leader
        .refused("host.set_sched_gran", &[hosts[0].into(), "core".into()])
        .await;
    assert_eq!(refused[0], "OPERATION_NOT_ALLOWED");
    let secret = "6a9c1c2e-0000-4000-8000-000000000001";
    let made = reference(&leader.ok("secret.introduce", &[secret.into(), "v".into()]).await);
    assert_eq!(leader.db().get(made).unwrap().uuid(), secret);
    let again = leader
        .refused("secret.introduce", &[secret.into(), "v".into()])
        .await;
    assert_eq!(
        again,
        ["UNIQUENESS_CONSTRAINT_VIOLATION", "secret", "uuid", secret]
    );
}

#[tokio::test]
async fn nobody_balances_the_pools_load_and_guests_read_no_settings_of_it() {
    let leader = Leader::new().await;
    let here = the_pool(&leader);
    assert_eq!(
        leader.refused("pool.deconfigure_wlb", &[]).await,
        ["WLB_NOT_INITIALIZED"]
    );
    let set = |on: bool| [here.into(), on.into()];
    assert_eq!(
        leader.refused("pool.set_wlb_enabled", &set(true)).await,
        ["WLB_NOT_INITIALIZED"]
    );
    leader.ok("pool.set_wlb_enabled", &set(false)).await;
    for (method, params) in [
        (
            "pool.add_to_guest_agent_config",
            vec![here.into(), "k".into(), "v".into()],
        ),
        (
            "pool.remove_from_guest_agent_config",
            vec![here.into(), "k".into()],
        ),
    ] {
        assert_eq!(leader.refused(method, &params).await, ["NOT_IMPLEMENTED", method]);
    }
}
