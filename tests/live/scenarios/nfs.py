"""A repository on a real NFS server, spoken to in user space: a guest that writes and verifies blocks all the while is
moved, frozen, put back, and has the parents of its disks merged under it."""

from serial import *
from servers import Nfs, missing

lacking = missing("ganesha.nfsd", "rpcbind")
if lacking:
    say(f"skipped: {lacking} is not installed")
    raise SystemExit

session, master = login()
x = session.xenapi
null = "OpaqueRef:NULL"
server = Nfs()
refs = [x.host.get_by_uuid(h["uuid"]) for h in hosts.values()]

# Made on one host, plugged on all.
config = {**server.config, "client": "qemu"}
began = time.monotonic()
sr = x.SR.create(refs[0], config, "0", "on a server", "", "nfs", "user", True, {})
took = time.monotonic() - began
found = x.SR.get_record(sr)
assert found["type"] == "nfs" and found["shared"] and int(found["physical_size"]) > 0, found
assert len(found["PBDs"]) == 3 and all(x.PBD.get_currently_attached(p) for p in found["PBDs"])
folder = os.path.join(server.export, found["uuid"])
assert os.path.exists(f"{folder}/.tarn/sr.json")
assert found["uuid"] in x.SR.probe(refs[1], config, "nfs", {})
refused("SR_BACKEND_FAILURE_73", x.SR.probe, refs[0], {**config, "serverpath": "/nowhere"}, "nfs", {})
one, three = [], []
for turn in range(3):
    plugs = found["PBDs"]
    for plug in plugs:
        x.PBD.unplug(plug)
    began = time.monotonic()
    x.PBD.plug(plugs[0])
    one.append(time.monotonic() - began)
    for plug in plugs[1:]:
        x.PBD.plug(plug)
say(f"an SR on NFS is there on three hosts after {took:.2f} s; one plug takes {min(one):.2f} s")


def files():
    return sorted(n for n in os.listdir(folder) if n != ".tarn")


# A guest, all its disks on the server.
label = "churning"
local = x.VM.clone(x.VM.get_by_uuid(pool["template"]), "original")
x.VM.provision(local)
vm = x.VM.copy(local, label, sr)
data = x.VDI.create({
    "SR": sr, "virtual_size": str(64 << 20), "type": "user", "sharable": False, "read_only": False,
    "name_label": "data", "name_description": "", "other_config": {}, "sm_config": {}, "xenstore_data": {}, "tags": [],
})
x.VBD.create({
    "VM": vm, "VDI": data, "userdevice": "autodetect", "bootable": False, "mode": "RW", "type": "Disk",
    "unpluggable": True, "empty": False, "other_config": {}, "qos_algorithm_type": "", "qos_algorithm_params": {},
})
assert {x.VDI.get_SR(x.VBD.get_VDI(v)) for v in x.VM.get_VBDs(vm) if x.VBD.get_type(v) == "Disk"} == {sr}
drive = x.VBD.create({
    "VM": vm, "VDI": null, "userdevice": "autodetect", "bootable": False, "mode": "RO", "type": "CD",
    "unpluggable": True, "empty": True, "other_config": {}, "qos_algorithm_type": "", "qos_algorithm_params": {},
})
x.VM.start_on(vm, refs[0], False, True)
wait_for("the guest", lambda: "TARN-UP" in said(label), 180)
chain = testbed("exec", home(x, vm), "virsh", "dumpxml", x.VM.get_uuid(vm))
assert "protocol='nfs'" in chain and server.address in chain, chain
assert "cannot" not in testbed("exec", home(x, vm), "sh", "-c", "mount | grep -c ' nfs' || true").lower()
say("it boots from the server, which no host has mounted")


seen, boots = set(), set()


def noted():
    """Keeps the counts of the guest, before a host forgets them."""
    for number, boot in counts(label):
        seen.add(int(number))
        boots.add(boot)


def churned(at_least=0):
    """The latest write of which the guest has told, once there are so many; no block may be another."""
    def told():
        noted()
        found = re.findall(r"TARN-CHURN vdb (\d+) (\d+)", said(label))
        assert all(bad == "0" for _, bad in found), found[-5:]
        assert "TARN-IO-ERROR" not in said(label)
        return int(found[-1][0]) if found and int(found[-1][0]) > at_least else None

    return wait_for("writes", told, 180)


def on_by(more=24):
    return churned(churned() + more)


def checked(words):
    """Has the guest read every block: how many are whole, how many are not, and the latest write."""
    found = tell(x, vm, words, r"TARN-CHECKED vdb (\d+ \d+ \d+)", 150)
    return tuple(int(n) for n in found.split())


def moved(target):
    """Migrates the guest, which then reads all back at once: what was written on the way must be there."""
    x.VM.pool_migrate(vm, target, {"live": "true"})
    assert x.VM.get_resident_on(vm) == target
    whole, wrong, last = checked("still")
    assert wrong == 0, (whole, wrong, last)
    tell(x, vm, "churn vdb", r"TARN-CHURN vdb (\d+)", 120)
    on_by()
    return last


# A library of discs on the same server; one goes into the running guest and out again.
isos = os.path.join(server.export, "isos")
os.mkdir(isos)
with open(os.path.join(isos, "disc.iso"), "wb") as disc:
    disc.write(b"disc" * 2048)
library = x.SR.create(
    refs[0], {"location": f"{server.address}:{isos}", "client": "qemu"}, "0", "discs", "", "iso", "iso", True, {}
)
x.SR.scan(library)
[disc] = x.SR.get_VDIs(library)
x.VBD.insert(drive, disc)
assert f"name='{isos}/disc.iso'" in testbed("exec", home(x, vm), "virsh", "dumpxml", x.VM.get_uuid(vm))
x.VBD.eject(drive)
assert "disc.iso" not in testbed("exec", home(x, vm), "virsh", "dumpxml", x.VM.get_uuid(vm))
for plug in x.SR.get_PBDs(library):
    x.PBD.unplug(plug)
x.SR.forget(library)
os.remove(os.path.join(isos, "disc.iso"))
os.rmdir(isos)
say("a disc from a library on the server went in and out")

tell(x, vm, "churn vdb", r"TARN-CHURN vdb (\d+)", 120)
first = churned()
# The second one while the image grows: nothing of the new layer is written yet.
moved(refs[1])
snapshots = [x.VM.snapshot(vm, "s1")]
moved(refs[2])
say("two live migrations under writes, each block read back")

for number in [2, 3]:
    snapshots.append(x.VM.snapshot(vm, f"s{number}"))
    at = on_by()
say("three snapshots under writes")

# The middle one goes, and what it leaves is merged while the guest writes.
uuid = x.VDI.get_uuid(data)
middle = [x.VBD.get_VDI(v) for v in x.VM.get_VBDs(snapshots[1]) if x.VBD.get_type(v) == "Disk"]
assert f"{uuid}.2.qcow2" in files() and f"{uuid}.1.qcow2" in files(), files()
x.VM.destroy(snapshots[1])
for disk in middle:
    x.VDI.destroy(disk)
wait_for("the merge", lambda: f"{uuid}.1.qcow2" not in files() or f"{uuid}.2.qcow2" not in files(), 200)
wait_for("all merges", lambda: not any(x.VDI.get_current_operations(v) for v in x.SR.get_VDIs(sr)), 60)
on_by()
say("a block commit under writes")

# Onwards on another host with the chain as it is now, and read through.
moved(refs[0])
latest = on_by()
whole, wrong, last = checked("still")
assert wrong == 0 and whole == 128 and last >= latest, (whole, wrong, last, latest)
noted()
missing_counts = sorted(set(range(1, max(seen) + 1)) - seen)
assert not missing_counts and len(boots) == 1, (missing_counts, boots)
say(f"{last - 10_000_000} writes, 128 blocks read back, none corrupt; {len(seen)} counts, none missing, one boot")

# Back to the third snapshot: the disk of then, whole, and older than what came after.
x.VM.revert(snapshots[2])
assert x.VM.get_power_state(vm) == "Halted"


def booted(at_least):
    def told():
        noted()
        return len(boots) == at_least

    wait_for("its boot", told, 180)


x.VM.start_on(vm, refs[1], False, True)
booted(2)
whole, wrong, old = checked("check vdb")
assert wrong == 0 and whole > 0 and first <= old < last, (whole, wrong, old, last)
x.VM.revert(snapshots[0])
x.VM.start_on(vm, refs[2], False, True)
booted(3)
whole, wrong, older = checked("check vdb")
assert wrong == 0 and whole > 0 and older < old, (whole, wrong, older, old)
say(f"put back to write {old - 10_000_000} and to {older - 10_000_000}: every block of then is whole")

# Suspended into the repository, resumed elsewhere.
x.VM.set_suspend_SR(vm, sr)
x.VM.suspend(vm)
assert x.VDI.get_SR(x.VM.get_suspend_VDI(vm)) == sr
x.VM.resume_on(vm, refs[0], False, True)
assert checked("check vdb")[1] == 0
noted()
assert len(boots) == 3, "the guest booted instead of going on"
x.VM.hard_shutdown(vm)
say("suspended on the server, resumed on another host")

# The end: nothing stays on the server.
for snapshot in x.VM.get_snapshots(vm):
    for vbd in x.VM.get_VBDs(snapshot):
        if x.VBD.get_type(vbd) == "Disk":
            x.VDI.destroy(x.VBD.get_VDI(vbd))
    x.VM.destroy(snapshot)
x.VM.destroy(vm)
x.SR.scan(sr)
for disk in x.SR.get_VDIs(sr):
    x.VDI.destroy(disk)
x.SR.scan(sr)
assert x.SR.get_VDIs(sr) == [] and files() == [], files()
for plug in x.SR.get_PBDs(sr):
    x.PBD.unplug(plug)
x.SR.destroy(sr)
assert os.listdir(server.export) == [], os.listdir(server.export)
x.VM.destroy(local)
say("destroyed; the export is empty")
