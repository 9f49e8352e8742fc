//! What the messages do, seen by a client and by the hosts.

use gateway_codec::WireValue;
use node_commands::{HostCommand, HostEvent, MachineVerb};
use node_hypervisor::{DomainEventKind, StopReason};
use pool_domain::query;
use proto_types::generated::{host, message, vm};
use proto_types::{Bytes, Ref, Value};

use super::leader::Leader;

fn asked(leader: &Leader, verb: &str) -> Vec<HostCommand> {
    let all = leader.hosts.asked.lock().unwrap();
    all.iter()
        .map(|(_, c)| c.clone())
        .filter(|c| c.verb() == verb)
        .collect()
}

fn field(leader: &Leader, row: Ref, field: proto_types::Field) -> Value {
    leader.db().get(row).unwrap().get(field).clone()
}

#[tokio::test]
async fn a_running_guest_hears_of_its_memory_and_processors() {
    let leader = Leader::new().await;
    let guest = leader.vm().await;
    let mib = 1 << 20;
    leader
        .ok("VM.set_memory", &[guest.into(), Value::Int(512 * mib)])
        .await;
    leader
        .ok("VM.set_VCPUs_max", &[guest.into(), Value::Int(4)])
        .await;
    assert!(asked(&leader, "set_memory_target").is_empty(), "it is halted");
    leader
        .ok("VM.start", &[guest.into(), false.into(), true.into()])
        .await;
    let range = [guest.into(), Value::Int(300 * mib), Value::Int(400 * mib)];
    leader.ok("VM.set_memory_dynamic_range", &range).await;
    let told = asked(&leader, "set_memory_target");
    assert!(
        matches!(told.as_slice(), [HostCommand::SetMemoryTarget { target, .. }] if *target == Bytes::mib(400))
    );
    assert_eq!(field(&leader, guest, vm::MEMORY_DYNAMIC_MIN).as_int(), 300 * mib);
    leader
        .ok("VM.set_VCPUs_number_live", &[guest.into(), Value::Int(3)])
        .await;
    let told = asked(&leader, "set_vcpus");
    assert!(matches!(
        told.as_slice(),
        [HostCommand::SetVcpus { count: 3, .. }]
    ));
    assert_eq!(field(&leader, guest, vm::VCPUS_AT_STARTUP).as_int(), 3);
    // The host says no: nothing has changed, and the VM is free again.
    leader
        .hosts
        .refuses
        .lock()
        .unwrap()
        .extend(["set_vcpus", "set_memory_target"]);
    let no = leader
        .refused("VM.set_VCPUs_number_live", &[guest.into(), Value::Int(1)])
        .await;
    assert_eq!(no, ["OPERATION_NOT_ALLOWED", "no set_vcpus today"]);
    leader
        .refused(
            "VM.set_memory_dynamic_max",
            &[guest.into(), Value::Int(350 * mib)],
        )
        .await;
    assert_eq!(field(&leader, guest, vm::MEMORY_DYNAMIC_MAX).as_int(), 400 * mib);
    assert!(
        field(&leader, guest, vm::CURRENT_OPERATIONS)
            .as_map()
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_host_is_emptied_by_tasks_below_its_own_and_then_goes_down() {
    let leader = Leader::new().await;
    let (one, two) = (leader.host("one"), leader.host("two"));
    let guest = leader.vm().await;
    leader
        .ok(
            "VM.start_on",
            &[guest.into(), two.into(), false.into(), true.into()],
        )
        .await;
    leader.ok("host.assert_can_evacuate", &[two.into()]).await;
    let obstacles = leader
        .ok("host.get_vms_which_prevent_evacuation", &[two.into()])
        .await;
    assert_eq!(obstacles, WireValue::Struct(Vec::new()));
    leader.ok("host.disable", &[two.into(), false.into()]).await;
    // This world has no real migration, so the host's guest is shut down instead.
    leader.hosts.refuses.lock().unwrap().push("prepare_incoming");
    leader.ok("host.shutdown", &[two.into()]).await;
    assert_eq!(field(&leader, guest, vm::POWER_STATE).as_str(), "Halted");
    let told = asked(&leader, "machine");
    assert_eq!(
        told,
        [HostCommand::Machine {
            verb: MachineVerb::PowerOff { of_start: 0 }
        }]
    );
    assert!(
        field(&leader, two, host::CURRENT_OPERATIONS)
            .as_map()
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        leader.refused("host.enable", &[two.into()]).await[0],
        "HOST_OFFLINE",
        "a host on its way down counts as away"
    );
    leader.ok("host.declare_dead", &[two.into()]).await;
    leader.ok("host.destroy", &[two.into()]).await;
    assert_eq!(
        leader.ok("host.get_all", &[]).await,
        WireValue::Array(vec![WireValue::String(one.to_string())])
    );
}

#[tokio::test]
async fn notices_are_written_read_and_removed() {
    let leader = Leader::new().await;
    let guest = leader.running().await;
    let uuid = leader.db().get(guest).unwrap().uuid().to_owned();
    let params = [
        "HELLO".into(),
        Value::Int(4),
        "VM".into(),
        uuid.as_str().into(),
        "text".into(),
    ];
    let made = leader.ok("message.create", &params).await;
    let epoch = Value::Time(proto_types::DateTime::EPOCH);
    let found = leader
        .ok("message.get", &["VM".into(), uuid.as_str().into(), epoch.clone()])
        .await;
    let record = found.member(made.as_str().unwrap()).unwrap();
    assert_eq!(record.member("name").and_then(WireValue::as_str), Some("HELLO"));
    assert_eq!(record.member("priority").and_then(WireValue::as_str), Some("4"));
    let text = format!("field \"name\" = \"HELLO\" and field \"obj_uuid\" = \"{uuid}\"");
    let matching = leader.ok("message.get_all_records_where", &[text.into()]).await;
    assert!(matching.member(made.as_str().unwrap()).is_some());
    let started = leader
        .db()
        .rows(message::CLASS)
        .any(|m| m.get(message::NAME).as_str() == "VM_STARTED");
    assert!(started, "starting a VM is worth a notice");
    let this: Ref = made.as_str().unwrap().parse().unwrap();
    leader.ok("message.destroy", &[this.into()]).await;
    assert_eq!(
        leader.refused("message.destroy", &[this.into()]).await[0],
        "HANDLE_INVALID"
    );
}

#[tokio::test]
async fn an_appliance_and_a_vm_go_down_by_themselves_or_are_made_to() {
    let leader = Leader::new().await;
    let record = Value::string_map([("name_label", "app"), ("name_description", "")]);
    let app: Ref = leader
        .ok("VM_appliance.create", &[record])
        .await
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let (first, second) = (leader.vm().await, leader.vm().await);
    for (guest, order) in [(first, 1), (second, 2)] {
        leader.ok("VM.set_appliance", &[guest.into(), app.into()]).await;
        leader
            .ok("VM.set_order", &[guest.into(), Value::Int(order)])
            .await;
    }
    leader.ok("VM_appliance.start", &[app.into(), false.into()]).await;
    let started: Vec<String> = asked(&leader, "start_domain")
        .iter()
        .filter_map(|c| c.vm().map(|v| v.to_string()))
        .collect();
    let uuid = |r: Ref| leader.db().get(r).unwrap().uuid().to_owned();
    assert_eq!(started, [uuid(first), uuid(second)], "in their order");
    leader.ok("VM_appliance.clean_shutdown", &[app.into()]).await;
    let asked_down: Vec<String> = asked(&leader, "shutdown_domain")
        .iter()
        .filter_map(|c| c.vm().map(|v| v.to_string()))
        .collect();
    assert_eq!(asked_down, [uuid(second), uuid(first)], "the other way round");
    assert_eq!(field(&leader, first, vm::POWER_STATE).as_str(), "Halted");
    // A guest that cannot be asked is ended.
    leader
        .ok("VM.start", &[first.into(), false.into(), true.into()])
        .await;
    leader.hosts.refuses.lock().unwrap().push("shutdown_domain");
    leader.ok("VM.shutdown", &[first.into()]).await;
    assert_eq!(field(&leader, first, vm::POWER_STATE).as_str(), "Halted");
    leader.ok("VM_appliance.destroy", &[app.into()]).await;
    assert!(field(&leader, first, vm::APPLIANCE).as_ref().is_null());
    // A domain that nobody finds: the operator may say so.
    leader.hosts.refuses.lock().unwrap().clear();
    leader
        .ok("VM.start", &[first.into(), false.into(), true.into()])
        .await;
    leader.hosts.domains.lock().unwrap().clear();
    leader.ok("VM.power_state_reset", &[first.into()]).await;
    assert_eq!(field(&leader, first, vm::POWER_STATE).as_str(), "Halted");
}

#[tokio::test]
async fn hosts_are_asked_as_machines() {
    let leader = Leader::new().await;
    let one = leader.host("one");
    let time = leader.ok("host.get_servertime", &[one.into()]).await;
    assert_eq!(time, WireValue::DateTime("19700101T00:16:40Z".to_owned()));
    let local = leader.ok("host.get_server_localtime", &[one.into()]).await;
    assert_eq!(local, WireValue::DateTime("19700101T01:16:40Z".to_owned()));
    assert_eq!(
        leader.ok("host.dmesg", &[one.into()]).await.as_str(),
        Some("a kernel speaks")
    );
    let pem = leader.ok("host.get_server_certificate", &[one.into()]).await;
    assert!(pem.as_str().unwrap().starts_with("-----BEGIN"));
    for (name, there) in [("there", true), ("else", false)] {
        let found = leader.ok("host.has_extension", &[one.into(), name.into()]).await;
        assert_eq!(found, WireValue::Bool(there));
    }
    leader.ok("host.restart_agent", &[one.into()]).await;
    leader
        .ok("host.set_hostname_live", &[one.into(), "other".into()])
        .await;
    let renamed = MachineVerb::SetHostname {
        name: "other".to_owned(),
    };
    let verbs: Vec<MachineVerb> = asked(&leader, "machine")
        .into_iter()
        .filter_map(|c| match c {
            HostCommand::Machine { verb } => Some(verb),
            _ => None,
        })
        .collect();
    assert!(verbs.contains(&renamed) && verbs.contains(&MachineVerb::RestartNode));
    assert_eq!(field(&leader, one, host::HOSTNAME).as_str(), "other");
    let all = leader.ok("host.list_methods", &[]).await;
    let WireValue::Array(all) = all else {
        panic!("no list")
    };
    assert!(all.contains(&WireValue::String("VM.start".to_owned())));
    // A silent host is woken by its card's address.
    let two = leader.host("two");
    leader
        .ok(
            "host.set_power_on_mode",
            &[two.into(), "wake-on-lan".into(), Value::empty_map()],
        )
        .await;
    leader.silence(two);
    leader.ok("host.power_on", &[two.into()]).await;
    let woken = MachineVerb::Wake {
        mac: "02:00:00:00:00:01".to_owned(),
    };
    let last = leader.hosts.asked.lock().unwrap().last().cloned();
    assert!(matches!(last, Some((_, HostCommand::Machine { verb })) if verb == woken));
    assert!(query::find(&leader.db(), host::CLASS, two).is_ok());
}

#[tokio::test]
async fn a_guest_that_ends_under_an_operation_is_halted_when_that_has_given_up() {
    let leader = Leader::new().await;
    let guest = leader.running().await;
    let on = field(&leader, guest, vm::RESIDENT_ON).as_ref();
    let uuid = uuid::Uuid::parse_str(leader.db().get(guest).unwrap().uuid()).unwrap();
    let mark = |held: bool| {
        leader.decide(|d| {
            if held {
                d.put_key(guest, vm::CURRENT_OPERATIONS, "OpaqueRef:t", "pool_migrate");
            } else {
                d.remove_key(guest, vm::CURRENT_OPERATIONS, "OpaqueRef:t");
            }
            Ok(())
        });
    };
    mark(true);
    leader.hosts.domains.lock().unwrap().clear();
    let event = HostEvent::Domain {
        vm: uuid,
        kind: DomainEventKind::Stopped(StopReason::Failed),
        now: None,
    };
    pool_ops::reconcile::take(&leader.ops(), on, event).await.unwrap();
    assert_eq!(
        field(&leader, guest, vm::POWER_STATE).as_str(),
        "Running",
        "someone is at work on it"
    );
    mark(false);
    let halted = async {
        while field(&leader, guest, vm::POWER_STATE).as_str() != "Halted" {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), halted)
        .await
        .unwrap();
    assert!(field(&leader, guest, vm::RESIDENT_ON).as_ref().is_null());
}
