"""Snapshots under a running guest: freezing, going back, a checkpoint, a merge; disks that grow; CDs that change."""

from serial import *

session, master = login()
x = session.xenapi
template = x.VM.get_by_uuid(pool["template"])
sr = x.SR.get_by_uuid(pool["shared_sr"])
label = "frozen"


def record(**changes):
    return disk_record(sr, **{"virtual_size": str(64 << 20), "name_label": "data", **changes})


def drive(vm, **changes):
    return new_drive(x, vm, **changes)


def files():
    place = x.PBD.get_device_config(x.SR.get_PBDs(sr)[0])["location"]
    return testbed("exec", master, "ls", place).split()


vm = x.VM.clone(template, label)
x.VM.provision(vm)
data = x.VDI.create(record())
drive(vm, VDI=data)
cd = drive(vm, type="CD", mode="RO", empty=True)
x.VM.start(vm, False, True)
wait_for("its counter", lambda: counts(label))
boots = len({b for _, b in counts(label)})

# Two snapshots, each of another content.
fill(x, vm, "A")
first = x.VM.snapshot(vm, "first")
fill(x, vm, "B")
second = x.VM.snapshot(vm, "second")
fill(x, vm, "C")
one = x.VM.get_record(first)
assert one["is_a_snapshot"] and one["is_a_template"] and one["snapshot_of"] == vm and one["power_state"] == "Halted"
assert one["snapshot_info"]["power-state-at-snapshot"] == "Running", one["snapshot_info"]
assert x.VM.get_snapshots(vm) and set(x.VM.get_snapshots(vm)) == {first, second}
assert x.VM.get_parent(vm) == second and x.VM.get_parent(second) == first
assert x.VM.get_children(first) == [second] and vm in x.VM.get_children(second)
frozen = [x.VBD.get_VDI(v) for v in one["VBDs"] if x.VBD.get_type(v) == "Disk"]
frozen = next(v for v in frozen if x.VDI.get_snapshot_of(v) == data)
assert x.VDI.get_is_a_snapshot(frozen) and frozen in x.VDI.get_snapshots(data)
refused("VM_IS_SNAPSHOT", x.VM.start, first, False, True)
refused("REVERT_ONLY_ALLOWED_ON_SNAPSHOT", x.VM.revert, vm)
assert content(x, vm).startswith("C")
say("two snapshots of a running guest, which goes on")

# A snapshot in the middle goes; what it leaves behind is merged while the guest writes.
before = len(files())
disks = [x.VBD.get_VDI(v) for v in x.VM.get_VBDs(first) if x.VBD.get_type(v) == "Disk"]
x.VM.destroy(first)
assert x.VM.get_parent(second) == "OpaqueRef:NULL"
for disk in disks:
    x.VDI.destroy(disk)
uuid = x.VDI.get_uuid(data)
wait_for("the merge", lambda: f"{uuid}.1.qcow2" not in files(), 150)
assert f"{uuid}.2.qcow2" in files() and f"{uuid}.qcow2" in files(), files()
wait_for("all merges", lambda: not any(x.VDI.get_current_operations(v) for v in x.SR.get_VDIs(sr)), 60)
assert content(x, vm).startswith("C")
chain = testbed("exec", home(x, vm), "virsh", "dumpxml", x.VM.get_uuid(vm))
assert f"{uuid}.1.qcow2" not in chain and f"{uuid}.qcow2" in chain
whole_count(label, boots)
say("a snapshot in the middle is gone, its parent merged under the running guest, no count missing")

# A migration with layers below the disks.
target = next(h for h in host_refs(x).values() if h != x.VM.get_resident_on(vm))
x.VM.pool_migrate(vm, target, {"live": "true"})
assert x.VM.get_resident_on(vm) == target and content(x, vm).startswith("C")

# The disk grows under the guest; a smaller size is refused by the storage.
x.VDI.resize_online(data, str(96 << 20))
assert x.VDI.get_virtual_size(data) == str(96 << 20)
refused("VDI_IN_USE", x.VDI.resize, data, str(128 << 20))
refused("SR_BACKEND_FAILURE_79", x.VDI.resize_online, data, str(1 << 20))
say("moved, and grown in use")

# With its memory.
checkpoint = x.VM.checkpoint(vm, "with memory")
assert x.VM.get_power_state(vm) == "Running" and x.VM.get_power_state(checkpoint) == "Suspended"
assert x.VDI.get_type(x.VM.get_suspend_VDI(checkpoint)) == "suspend"
assert x.VM.get_parent(vm) == checkpoint
last = int(counts(label)[-1][0])
wait_for("the counter", lambda: int(counts(label)[-1][0]) > last)
assert len({b for _, b in counts(label)}) == boots
fill(x, vm, "D")
x.VM.revert(checkpoint)
assert x.VM.get_power_state(vm) == "Suspended" and x.VM.get_name_label(vm) == label
image = x.VM.get_suspend_VDI(vm)
same = x.VDI.copy(image, x.VDI.get_SR(image), "OpaqueRef:NULL", "OpaqueRef:NULL")
other = x.VDI.create(record(virtual_size=str(1 << 20)))
words = refused("SUSPEND_VDI_REPLACEMENT_IS_NOT_IDENTICAL", x.VM.set_suspend_VDI, vm, other)
assert [w.split(" : ")[0] for w in words] == [x.VDI.get_uuid(image), x.VDI.get_uuid(other)], words
x.VDI.destroy(other)
x.VM.set_suspend_VDI(vm, same)
assert x.VM.get_suspend_VDI(vm) == same
x.VDI.destroy(image)
x.VM.resume(vm, False, True)
assert refused("VM_BAD_POWER_STATE", x.VM.set_suspend_VDI, vm, data) == [vm, "suspended", "running"]
assert content(x, vm).startswith("C")
assert len({b for _, b in counts(label)}) == boots, "the guest booted instead of going on"
say("a checkpoint, and back to it: the guest goes on where it was")

# Back to the second snapshot: the disk of then, the label of the VM, a new disk under an old name.
drives = set(x.VM.get_VBDs(vm))
x.VM.revert(second)
assert x.VM.get_power_state(vm) == "Halted" and x.VM.get_parent(vm) == second
assert x.VM.get_name_label(vm) == label and not drives & set(x.VM.get_VBDs(vm))
refused("HANDLE_INVALID", x.VDI.get_uuid, data)
x.VM.start(vm, False, True)
wait_for("the next boot", lambda: len({b for _, b in counts(label)}) > boots)
assert content(x, vm).startswith("B"), content(x, vm)
copy = x.VM.clone(second, "from the snapshot")
assert x.VM.get_is_a_template(copy) and not x.VM.get_is_a_snapshot(copy)
say("back to a snapshot, and a clone of one")

# CDs: a library, a drive that is filled and emptied under the guest.
place = x.PBD.get_device_config(x.SR.get_PBDs(sr)[0])["location"]
library = os.path.join(os.path.dirname(place), "library")
testbed("exec", master, "sh", "-c", f"mkdir -p {library} && head -c 1048576 /dev/zero > {library}/empty.iso")
isos = x.SR.create(
    x.host.get_by_uuid(hosts[master]["uuid"]), {"location": library}, "0", "library", "", "iso", "iso", True, {}
)
disc = x.SR.get_VDIs(isos)[0]
assert x.VDI.get_name_label(disc) == "empty.iso" and x.VDI.get_read_only(disc)
cd = next(v for v in x.VM.get_VBDs(vm) if x.VBD.get_type(v) == "CD")
disk = next(v for v in x.VM.get_VBDs(vm) if x.VBD.get_type(v) == "Disk")
assert refused("VBD_IS_EMPTY", x.VBD.eject, cd) == [cd]
assert refused("VBD_NOT_REMOVABLE_MEDIA", x.VBD.eject, disk) == [disk]
x.VBD.insert(cd, disc)
assert x.VBD.get_VDI(cd) == disc and not x.VBD.get_empty(cd)
assert "empty.iso" in testbed("exec", home(x, vm), "virsh", "domblklist", x.VM.get_uuid(vm))
assert refused("VBD_NOT_EMPTY", x.VBD.insert, cd, disc) == [cd]
refused("OPERATION_NOT_ALLOWED", x.VBD.unplug, cd)
plug = next(p for p in x.SR.get_PBDs(isos) if x.PBD.get_host(p) == x.VM.get_resident_on(vm))
assert refused("VDI_IN_USE", x.PBD.unplug, plug)[0] == disc
x.VBD.eject(cd)
assert x.VBD.get_empty(cd) and x.VBD.get_VDI(cd) == "OpaqueRef:NULL"
assert "empty.iso" not in testbed("exec", home(x, vm), "virsh", "domblklist", x.VM.get_uuid(vm))
refused("SR_OPERATION_NOT_SUPPORTED", x.VDI.destroy, disc)
refused("SR_OPERATION_NOT_SUPPORTED", x.VDI.create, record(SR=isos))
say("a disc went into the running guest's drive and out of it")

x.VM.hard_shutdown(vm)
for plug in x.SR.get_PBDs(isos):
    x.PBD.unplug(plug)
x.SR.forget(isos)


def boot():
    """Starts the VM, and returns once it counts again."""
    seen = {b for _, b in counts(label)}
    x.VM.start(vm, False, True)
    wait_for("its counter", lambda: {b for _, b in counts(label)} - seen)


# What a guest writes to a disk that is reset goes with it.
spare = next(x.VBD.get_VDI(v) for v in x.VM.get_VBDs(vm) if x.VBD.get_userdevice(v) == "1")
x.VDI.set_on_boot(spare, "reset")
boot()
before = content(x, vm)
fill(x, vm, "Z")
assert content(x, vm).startswith("Z") and not before.startswith("Z")
for call in [(x.VM.suspend, vm), (x.VM.snapshot, vm, "not now"), (x.VM.pool_migrate, vm, target, {"live": "true"})]:
    assert refused("VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION", *call) == [spare]
x.SR.scan(sr)
assert content(x, vm).startswith("Z"), "a scan leaves what a running guest writes"
x.VM.hard_shutdown(vm)
boot()
assert content(x, vm) == before
x.VM.hard_shutdown(vm)
x.VDI.set_on_boot(spare, "persist")
say("a disk that is reset at boot is as it was")
