"""What virsh changes about a VM of the pool is shown as an alert, and only for as long as it is so."""

from serial import *

session, master = login()
x = session.xenapi
refs = host_refs(x)
first = next(name for name in hosts if name != master)
shared = x.SR.get_by_uuid(pool["shared_sr"])


def virsh(*words):
    return testbed("exec", first, "virsh", *words)


def alert(vm):
    """What the pool says of a VM that is not as it has it."""
    uuid, name = x.VM.get_uuid(vm), "VM_CHANGED_OUTSIDE_POOL"
    found = [m for m in x.message.get_all_records().values() if m["name"] == name and m["obj_uuid"] == uuid]
    assert len(found) <= 1, found
    return found[0]["body"] if found else ""


made = []
for label in ("touched", "left"):
    vm = x.VM.clone(x.VM.get_by_uuid(pool["template"]), label)
    x.VM.provision(vm)
    x.VM.set_VCPUs_max(vm, "2")
    x.VM.start_on(vm, refs[first], False, True)
    made.append(vm)
vm, left = made
uuid = x.VM.get_uuid(vm)
wait_for("the guest", lambda: counts("touched"), 120)

# What the pool does is no drift: a disk that is plugged and one that is taken away, a processor more.
disk = x.VDI.create(disk_record(shared))
x.VBD.plug(new_drive(x, left, VDI=disk, userdevice="1"))
x.VM.set_VCPUs_number_live(left, "2")

testbed("exec", first, "qemu-img", "create", "-f", "raw", "/run/odd.raw", "8M")
virsh("attach-disk", uuid, "/run/odd.raw", "vdf", "--live")
virsh("setvcpus", uuid, "2", "--live")
seen = wait_for("the alert", lambda: alert(vm), 120)
assert "disk 5 (/run/odd.raw) was added" in seen, seen
assert "it has 2 virtual CPUs instead of 1" in seen, seen
assert "VM_CHANGED_OUTSIDE_POOL" in testbed("exec", master, "xe", "message-list")
page = testbed("exec", master, "tarn", "status")
assert f"! {seen}" in page, page
say("what virsh adds is said in an alert")

# A master that is new knows it too, and says it once.
x.pool.designate_new_master(refs[next(name for name in hosts if name != master)])
session, master = login()
x = session.xenapi
time.sleep(5)
assert alert(vm) == seen

virsh("detach-disk", uuid, "vdf", "--live")
x.VM.set_VCPUs_number_live(vm, "2")
wait_for("the end of the alert", lambda: not alert(vm), 120)
assert not alert(left), "what the pool changed itself"
say("and the alert goes with the difference, whoever takes it away")

# Its power may be anybody's: the records follow.
virsh("suspend", uuid)
wait_for("the pause", lambda: x.VM.get_power_state(vm) == "Paused")
virsh("resume", uuid)
wait_for("the resumption", lambda: x.VM.get_power_state(vm) == "Running")
virsh("save", uuid, "/run/saved")
wait_for("the end", lambda: x.VM.get_power_state(vm) == "Halted")
x.VM.start(vm, False, False)
say("what it does to its power is followed")
for gone in made:
    x.VM.hard_shutdown(gone)
    x.VM.destroy(gone)
x.VDI.destroy(disk)
