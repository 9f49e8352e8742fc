"""Disks go to another repository under their guest, VMs with their disks to another host, and migrations keep contracts."""

from serial import *

session, master = login()
x = session.xenapi
template = x.VM.get_by_uuid(pool["template"])
sr = x.SR.get_by_uuid(pool["shared_sr"])
label = "moves"


def drive_of(vm, image):
    return next(v for v in x.VM.get_VBDs(vm) if x.VBD.get_VDI(v) == image)


def ended(task, seconds=120):
    wait_for("the task's end", lambda: x.task.get_status(task) != "pending", seconds)
    return x.task.get_record(task)


def disk(size):
    return x.VDI.create(disk_record(sr, virtual_size=str(size), name_label="data", name_description="moves",
                                    other_config={"kept": "yes"}, tags=["a"]))


place = x.PBD.get_device_config(x.SR.get_PBDs(sr)[0])["location"]
second = os.path.join(os.path.dirname(place), "second")
testbed("exec", master, "mkdir", "-p", second)
here = x.host.get_by_uuid(hosts[master]["uuid"])
other = x.SR.create(here, {"location": second}, "0", "second", "", "file", "user", True, {})
for plug in x.SR.get_PBDs(other):
    if not x.PBD.get_currently_attached(plug):
        x.PBD.plug(plug)

vm = x.VM.clone(template, label)
x.VM.provision(vm)
data = disk(64 << 20)
assert refused("VDI_NEEDS_VM_FOR_MIGRATE", x.VDI.pool_migrate, data, other, {}) == [data]
x.VBD.create({
    "VM": vm, "VDI": data, "userdevice": "autodetect", "bootable": False, "mode": "RW", "type": "Disk",
    "unpluggable": True, "empty": False, "other_config": {}, "qos_algorithm_type": "", "qos_algorithm_params": {},
})
slot = drive_of(vm, data)

# Nobody has it open: it is copied.
moved = x.VDI.pool_migrate(data, other, {})
assert moved != data and x.VBD.get_VDI(slot) == moved and x.VDI.get_SR(moved) == other
assert x.VDI.get_name_label(moved) == "data" and x.VDI.get_other_config(moved) == {"kept": "yes"}
refused("HANDLE_INVALID", x.VDI.get_record, data)
data = moved
say("a disk that nobody has open goes to another repository")

x.VM.start(vm, False, True)
wait_for("its counter", lambda: counts(label))
boots = len({b for _, b in counts(label)})
fill(x, vm, "A")
task = x.Async.VDI.pool_migrate(data, sr, {})
fill(x, vm, "B")
record = ended(task)
assert record["status"] == "success", record
moved = x.VBD.get_VDI(slot)
assert moved != data and x.VDI.get_SR(moved) == sr and record["result"] == f"<value>{moved}</value>", record
assert x.VM.get_current_operations(vm) == {} and x.VDI.get_current_operations(moved) == {}
assert content(x, vm).startswith("B")
assert data not in x.VDI.get_all()
data = moved
wait_for("the old file to go", lambda: not [f for f in testbed("exec", master, "ls", second).split() if "qcow2" in f])
say("a disk goes to another repository under a guest that writes it")

# Called off: it is here or there, and the guest has it.
task = x.Async.VDI.pool_migrate(data, other, {})
try:
    x.task.cancel(task)
except XenAPI.Failure as failure:
    assert failure.details[0] == "OPERATION_NOT_ALLOWED", failure
record = ended(task)
data = x.VBD.get_VDI(slot)
assert (x.VDI.get_SR(data) == other) == (record["status"] == "success"), record
assert content(x, vm).startswith("B")
fill(x, vm, "C")
say(f"one that is called off ends as {record['status']}, and the guest goes on writing")

# The VM with its disk to another host, and the other repository.
target = next(h for h in host_refs(x).values() if h != x.VM.get_resident_on(vm))
card = next(p for p in x.host.get_PIFs(target) if x.PIF.get_management(p))
dest = x.host.migrate_receive(target, x.PIF.get_network(card), {})
assert dest["host"] == target and dest["session_id"] == session._session and set(dest) >= {"SM", "xenops", "master"}
goal = sr if x.VDI.get_SR(data) == other else other
places = {x.VBD.get_VDI(v): x.VDI.get_SR(x.VBD.get_VDI(v)) for v in x.VM.get_VBDs(vm) if x.VBD.get_type(v) == "Disk"}
places[data] = goal
x.VM.assert_can_migrate(vm, dest, True, places, {}, {})
assert x.VM.migrate_send(vm, dest, True, places, {}, {}) == vm
data = x.VBD.get_VDI(slot)
assert x.VM.get_resident_on(vm) == target and x.VDI.get_SR(data) == goal
assert content(x, vm).startswith("C")
say("a VM goes to another host and its disk to another repository")

# A contract that cannot be kept is refused while the guest runs where it was; one that can is kept.
target = next(h for h in host_refs(x).values() if h != x.VM.get_resident_on(vm))
before = x.VM.get_resident_on(vm)
refused("INVALID_VALUE", x.VM.pool_migrate, vm, target, {"max_downtime_ms": "0"})
why = refused("VM_MIGRATE_FAILED", x.VM.pool_migrate, vm, target, {"deadline_s": "1", "bandwidth_mib": "1"})
assert why[:3] == [vm, before, target] and "agreed to" in why[3], why
assert x.VM.get_resident_on(vm) == before and x.VM.get_power_state(vm) == "Running"
if "type='qemu'" in testbed("exec", home(x, vm), "virsh", "dumpxml", x.VM.get_uuid(vm)):
    why = refused("VM_MIGRATE_FAILED", x.VM.pool_migrate, vm, target, {"max_downtime_ms": "1999"})
    assert why[:3] == [vm, before, target] and "emulated" in why[3], why
task = x.Async.VM.pool_migrate(vm, target, {"max_downtime_ms": "2500", "deadline_s": "120"})
record = ended(task)
assert record["status"] == "success", record
told = record["other_config"]
assert int(told["tarn_migration_ms"]) > 0 and int(told["tarn_migration_bytes"]) > 0, told
assert x.VM_metrics.get_other_config(x.VM.get_metrics(vm))["tarn_migration_ms"] == told["tarn_migration_ms"]
assert int(told.get("tarn_migration_downtime_ms", "0")) <= 2500, told
assert content(x, vm).startswith("C")

whole_count(label, boots)
say(f"a contract is refused before anything moves, or kept: {told}")
x.VM.hard_shutdown(vm)
x.VM.destroy(vm)
