"""A walk through the settings of VMs and hosts: memory, processors, appliances, guest metrics, evacuation, power."""

import sys

from tarn import *

session, master = login()
x = session.xenapi
template = x.VM.get_by_uuid(pool["template"])
refs = host_refs(x)
names = {ref: name for name, ref in refs.items()}
MIB = 1 << 20


def refused(expected, call, *args):
    try:
        call(*args)
    except XenAPI.Failure as failure:
        assert failure.details[: len(expected)] == expected, failure.details
        return failure.details
    raise SystemExit(f"not refused: {expected}")


def guest(label, on=None):
    vm = x.VM.clone(template, label)
    x.VM.provision(vm)
    if on:
        x.VM.start_on(vm, on, False, True)
    return vm


# Memory and processors, halted and live.
vm = guest("settings")
static = int(x.VM.get_memory_static_max(vm))
least = int(x.VM.get_memory_static_min(vm))
x.VM.set_memory_limits(vm, str(least), str(static + 256 * MIB), str(static), str(static + 256 * MIB))
x.VM.set_VCPUs_max(vm, "3")
assert int(x.VM.compute_memory_overhead(vm)) > 0
most = int(x.VM.maximise_memory(vm, str(1 << 30), True))
assert most % MIB == 0 and most + int(x.VM.compute_memory_overhead(vm)) <= 1 << 30
refused(["VM_BAD_POWER_STATE", vm, "running", "halted"], x.VM.set_VCPUs_number_live, vm, "2")
x.VM.set_bios_strings(vm, {"bios-vendor": "Tarn", "system-serial-number": "42"})
refused(["VM_BIOS_STRINGS_ALREADY_SET"], x.VM.copy_bios_strings, vm, refs[master])
before = int(x.VM.get_VCPUs_at_startup(vm))
x.VM.start(vm, False, True)
home = x.VM.get_resident_on(vm)
x.VM.set_memory_dynamic_range(vm, str(static), str(static + 128 * MIB))
assert int(x.VM.get_memory_target(vm)) == static + 128 * MIB
x.VM.wait_memory_target_live(vm)
x.VM.set_VCPUs_number_live(vm, "3")
record = x.VM.get_record(vm)
assert record["VCPUs_at_startup"] == "3" and x.VM_metrics.get_VCPUs_number(record["metrics"]) == "3"
assert x.VM.get_boot_record(vm)["VCPUs_at_startup"] == str(before), "what it booted with"
refused(["INVALID_VALUE", "nvcpu", "9"], x.VM.set_VCPUs_number_live, vm, "9")
refused(["VM_BAD_POWER_STATE", vm, "halted", "running"], x.VM.set_memory, vm, str(static))
refused(["DOMAIN_EXISTS", vm], x.VM.power_state_reset, vm)
assert "changing_VCPUs_live" in record["allowed_operations"]
say("memory and processors changed while it ran")

# The guest's agent is heard.
if len(sys.argv) > 2 and sys.argv[2] == "agent":
    metrics = wait_for("guest metrics", lambda: x.VM.get_guest_metrics(vm) != "OpaqueRef:NULL" and x.VM.get_guest_metrics(vm))
    seen = x.VM_guest_metrics.get_record(metrics)
    assert seen["live"] and seen["PV_drivers_detected"], seen
    assert seen["os_version"]["name"] and seen["PV_drivers_version"]["major"].isdigit(), seen
    devices = {x.VIF.get_device(vif) for vif in x.VM.get_VIFs(vm)}
    assert devices == {key.split("/")[0] for key in seen["networks"]}, seen["networks"]
    say(f"the guest's agent says: {seen['os_version']['name']}")

# What can be asked about where it could go.
assert set(x.VM.get_possible_hosts(vm)) >= {home}
for ref in refs.values():
    x.VM.assert_can_boot_here(vm, ref)
x.VM.assert_can_migrate(vm, {"host": refs[master]}, True, {}, {}, {})
refused(["OPERATION_NOT_ALLOWED"], x.VM.assert_can_migrate, vm, {"host": refs[master]}, True, {}, {}, {"copy": "true"})

# An appliance: upwards and downwards.
app = x.VM_appliance.create({"name_label": "app", "name_description": ""})
members = [guest(f"member {n}") for n in range(2)]
for order, member in enumerate(members):
    x.VM.set_appliance(member, app)
    x.VM.set_order(member, str(order))
x.VM.set_start_delay(members[0], "1")
assert x.VM_appliance.get_allowed_operations(app) == ["start"]
x.VM_appliance.start(app, False)
began = [x.VM_metrics.get_start_time(x.VM.get_metrics(m)).value for m in members]
assert all(x.VM.get_power_state(m) == "Running" for m in members) and began == sorted(began)
x.VM_appliance.shutdown(app)
assert all(x.VM.get_power_state(m) == "Halted" for m in members)
x.VM_appliance.destroy(app)
assert x.VM.get_appliance(members[0]) == "OpaqueRef:NULL"
say("an appliance started and stopped in order")

# Notices of all of it.
uuid = x.VM.get_uuid(members[0])
found = x.message.get("VM", uuid, XenAPI.xmlrpclib.DateTime("19700101T00:00:00Z"))
assert {m["name"] for m in found.values()} >= {"VM_STARTED", "VM_SHUTDOWN"}, found
own = x.message.create("HELLO", "3", "VM", uuid, "text")
assert x.message.get_record(own)["body"] == "text"
assert own in x.message.get_all_records_where(f'field "name" = "HELLO" and field "obj_uuid" = "{uuid}"')
x.message.destroy(own)
refused(["HANDLE_INVALID", "message", own], x.message.get_record, own)

# A host is emptied and goes down, and comes back by itself.
other = next(name for name in hosts if name != master and refs[name] != home)
x.VM.pool_migrate(vm, refs[other], {})
for member in members:
    x.VM.start_on(member, refs[other], False, True)
refused(["HOST_NOT_DISABLED"], x.host.reboot, refs[other])
assert x.host.get_vms_which_prevent_evacuation(refs[other]) == {}
x.host.assert_can_evacuate(refs[other])
x.host.disable(refs[other])
refused(["HOST_DISABLED", refs[other]], x.VM.assert_can_boot_here, guest("idle"), refs[other])
task = x.Async.host.evacuate(refs[other])
wait_for("the evacuation", lambda: x.task.get_status(task) != "pending")
assert x.task.get_status(task) == "success", x.task.get_error_info(task)
moved = [x.VM.get_resident_on(m) for m in [vm, *members]]
assert all(m not in ("OpaqueRef:NULL", refs[other]) for m in moved), moved
assert x.host.get_resident_VMs(refs[other]) == [x.host.get_control_domain(refs[other])]
say(f"three guests left {other}, live")
pool_ref = x.pool.get_all()[0]
x.pool.remove_from_other_config(pool_ref, "auto_poweron")
x.pool.add_to_other_config(pool_ref, "auto_poweron", "true")
x.VM.add_to_other_config(members[0], "auto_poweron", "true")
x.VM.hard_shutdown(members[0])
started = x.host.get_other_config(refs[other])["agent_start_time"]
x.host.shutdown(refs[other])


def live(name):
    return x.host_metrics.get_live(x.host.get_metrics(refs[name]))


wait_for("its silence", lambda: not live(other), 30)
refused(["HOST_POWER_ON_MODE_DISABLED"], x.host.power_on, refs[other])
assert x.host.get_allowed_operations(refs[other]) == []
testbed("kill", other)
testbed("start", other)
wait_for("its return", lambda: live(other) and x.host.get_enabled(refs[other]), 60)
wait_for("the VM that starts by itself", lambda: x.VM.get_power_state(members[0]) == "Running", 60)
say(f"{other} went down when asked, came back enabled, and what should start by itself did")

# The machine itself.
assert abs(time.mktime(time.strptime(str(x.host.get_servertime(refs[other])), "%Y%m%dT%H:%M:%SZ")) - time.mktime(time.gmtime())) < 60
assert x.host.get_server_certificate(refs[other]).startswith("-----BEGIN CERTIFICATE-----")
assert "VM.start" in x.host.list_methods()
refused(["XENAPI_MISSING_PLUGIN", "nothing"], x.host.call_plugin, refs[other], "nothing", "main", {})
plugin = os.path.join(os.environ["TARN_DIR"], "hosts", other, "etc-tarn", "plugins")
os.makedirs(plugin, exist_ok=True)
with open(os.path.join(plugin, "echo"), "w") as file:
    file.write(
        "#!/usr/bin/env python3\n"
        "import sys, xmlrpc.client as x\n"
        "params, method = x.loads(sys.argv[1])\n"
        "if method == 'fail': sys.exit('wanted')\n"
        "print(x.dumps(({'Status': 'Success', 'Value': method + ':' + params[1]['key']},), '', True))\n"
    )
os.chmod(file.name, 0o755)
assert x.host.call_plugin(refs[other], "echo", "say", {"key": "value"}) == "say:value"
details = refused(["XENAPI_PLUGIN_FAILURE", "non-zero exit"], x.host.call_plugin, refs[other], "echo", "fail", {})
assert "wanted" in details[3]
x.host.set_hostname_live(refs[other], "renamed")
assert testbed("exec", other, "hostname").strip() == "renamed"
assert x.VM.get_name_label(x.host.get_control_domain(refs[other])) == "Control domain on host: renamed"
x.host.set_hostname_live(refs[other], other)
x.host.restart_agent(refs[other])
began = x.host.get_other_config(refs[other])["agent_start_time"]
wait_for("the node's new start", lambda: x.host.get_other_config(refs[other])["agent_start_time"] != began, 60)
assert began != started
say("plug-ins ran, the host was renamed, its node restarted")
for each in [vm, *members]:
    if x.VM.get_power_state(each) != "Halted":
        x.VM.shutdown(each)
    x.VM.destroy(each)

# The master goes down when asked: another one leads on with the same session.
x.host.disable(refs[master])
x.host.shutdown(refs[master])
again = wait_for("another master", lambda: next(
    (name for name, h in hosts.items()
     if name != master and (raw(h, "host.get_all", session._session) or {}).get("Status") == "Success"), None), 60)
testbed("kill", master)
testbed("start", master)
reference = session._session
wait_for("its return as a slave", lambda: (raw(hosts[master], "host.get_all", reference) or {}).get(
    "ErrorDescription", [None])[0] == "HOST_IS_SLAVE", 60)
wait_for("its being enabled", lambda: ok(raw(hosts[again], "host.get_enabled", reference, refs[master])), 60)
notices = ok(raw(hosts[again], "message.get_all_records", reference))
assert any(m["name"] == "POOL_MASTER_TRANSITION" for m in notices.values())
say(f"{master} went down when asked, {again} leads, the session goes on")
