"""Repositories, plugs, disks and drives: what each call does, and the exact error of each obstacle."""

import base64
import tempfile

from tarn import *

session, master = login()
x = session.xenapi
sr = x.SR.get_by_uuid(pool["shared_sr"])
here = x.host.get_by_uuid(hosts[master]["uuid"])
others = [x.host.get_by_uuid(h["uuid"]) for n, h in hosts.items() if n != master]
null = "OpaqueRef:NULL"


def record(**changes):
    return disk_record(**{"sr": sr, "name_description": "of a test", "other_config": {"k": "v"}, **changes})


def drive(vm, **changes):
    return new_drive(x, vm, **changes)


# What drivers there are, and what they can do.
drivers = {r["type"]: r for r in x.SM.get_all_records().values()}
assert set(x.SR.get_supported_types()) == set(drivers)
assert "VDI_SNAPSHOT" in drivers["file"]["capabilities"] and "VDI_CREATE" not in drivers["iso"]["capabilities"]
assert drivers["file"]["features"]["VDI_CLONE"] == "1" and "location" in drivers["file"]["configuration"]

# A local repository, from its making to its end.
# On a folder of the host itself, which goes when this ends.
own = tempfile.TemporaryDirectory(prefix="tarn-sr-")
folder = own.name
config = {"location": f"{folder}/sr"}
assert refused("SR_UNKNOWN_DRIVER", x.SR.create, here, config, "0", "n", "", "none", "", False, {}) == ["none"]
assert refused("SR_UNKNOWN_DRIVER", x.SR.probe, here, config, "none", {}) == ["none"]
assert refused("SR_BACKEND_FAILURE_94", x.SR.probe, here, {}, "file", {})[0] == ""
refused("MESSAGE_DEPRECATED", x.SR.make, here, config, "0", "n", "", "file", "", {})
before = len(x.SR.get_all())
refused("SR_BACKEND_FAILURE_225", x.SR.create, here, {"location": "relative"}, "0", "n", "", "file", "", False, {})
assert len(x.SR.get_all()) == before, "a failed creation leaves a row"
local = x.SR.create(here, config, "0", "local", "of a test", "FILE", "user", False, {"a": "b"})
found = x.SR.get_record(local)
assert found["type"] == "file" and found["sm_config"] == {"a": "b"} and not found["shared"]
assert int(found["physical_size"]) > 0 and int(found["physical_utilisation"]) >= 0
assert len(found["PBDs"]) == 1 and x.PBD.get_currently_attached(found["PBDs"][0])
uuid = found["uuid"]
assert f"<UUID>{uuid}</UUID>" in x.SR.probe(here, config, "file", {})
probed = x.SR.probe_ext(here, config, "file", {})
assert probed[0]["complete"] and probed[0]["sr"]["uuid"] == uuid, probed
assert probed[0]["configuration"]["location"] == config["location"]
assert x.SR.get_live_hosts(local) == [here] and set(x.SR.get_live_hosts(sr)) == {here, *others}
plug = found["PBDs"][0]
made = {"host": here, "SR": local, "device_config": config, "other_config": {}}
assert refused("PBD_EXISTS", x.PBD.create, made) == [local, here, plug]
assert refused("SR_NOT_SHARABLE", x.PBD.create, {**made, "host": others[0]}) == [local, others[0]]
assert set(refused("SR_HAS_MULTIPLE_PBDS", x.SR.set_shared, sr, False)) == set(x.SR.get_PBDs(sr))
x.SR.set_shared(local, True)
x.SR.set_shared(local, False)
x.SR.set_name_label(local, "renamed")
x.SR.set_name_description(local, "anew")
x.SR.set_tags(local, ["one"])
x.SR.add_to_other_config(local, "folder", "f")
assert x.SR.get_name_label(local) == "renamed" and x.SR.get_other_config(local)["folder"] == "f"
refused("OPERATION_NOT_ALLOWED", x.PBD.destroy, plug)
refused("OPERATION_NOT_ALLOWED", x.PBD.set_device_config, plug, {})
assert refused("SR_HAS_PBD", x.SR.forget, local) == [local]
assert refused("SR_HAS_PBD", x.SR.destroy, local) == [local]
say("a repository is made, described, and not taken away while it is plugged")

# Disks.
refused("INVALID_VALUE", x.VDI.create, record(virtual_size="0"))
disk = x.VDI.create(record(sr=local))
row = x.VDI.get_record(disk)
assert row["SR"] == local and row["name_label"] == "disk" and row["other_config"] == {"k": "v"} and row["managed"]
assert row["location"] == row["uuid"] and int(row["virtual_size"]) == 8 << 20
assert set(row["allowed_operations"]) >= {"clone", "copy", "resize", "destroy", "snapshot", "update", "forget"}

x.SR.update(local)
assert int(x.SR.get_virtual_allocation(local)) == 8 << 20
x.VDI.resize(disk, str(16 << 20))
assert x.VDI.get_virtual_size(disk) == str(16 << 20)
refused("SR_BACKEND_FAILURE_79", x.VDI.resize, disk, str(1 << 20))
x.VDI.resize_online(disk, str(20 << 20))
x.VDI.set_virtual_size(disk, "1")
x.VDI.update(disk)
assert x.VDI.get_virtual_size(disk) == str(20 << 20), "an update tells what the storage has"
frozen = x.VDI.snapshot(disk, {})
row = x.VDI.get_record(frozen)
assert row["is_a_snapshot"] and row["snapshot_of"] == disk and x.VDI.get_snapshots(disk) == [frozen]
assert row["name_description"] == "of a test" and row["other_config"] == {"k": "v"}
clone = x.VDI.clone(frozen, {})
assert not x.VDI.get_is_a_snapshot(clone) and x.VDI.get_snapshot_of(clone) == null
x.VDI.set_sharable(disk, True)
assert refused("VDI_IS_SHARABLE", x.VDI.snapshot, disk, {}) == [disk]
x.VDI.set_sharable(disk, False)
assert refused("VDI_NO_CBT_METADATA", x.VDI.data_destroy, frozen) == [frozen]
assert refused("SR_BACKEND_FAILURE_460", x.VDI.list_changed_blocks, frozen, disk)[1].endswith("are unrelated")
for call in [x.VDI.enable_cbt, x.VDI.disable_cbt]:
    assert refused("OPERATION_NOT_ALLOWED", call, frozen) == [f"VDI is a snapshot: {frozen}"]
assert refused("OPERATION_NOT_ALLOWED", x.VDI.data_destroy, disk) == [f"VDI is not a snapshot: {disk}"]
x.VDI.enable_cbt(disk)
x.VDI.enable_cbt(disk)
assert x.VDI.get_cbt_enabled(disk) and not x.VDI.get_cbt_enabled(frozen)
assert refused("VDI_CBT_ENABLED", x.VDI.set_on_boot, disk, "reset") == [disk]
first, second = x.VDI.snapshot(disk, {}), x.VDI.snapshot(disk, {})
assert x.VDI.get_cbt_enabled(first) and not x.VDI.get_cbt_enabled(clone)
unchanged = base64.b64encode(bytes((20 << 20) // (64 << 10) // 8)).decode()
assert x.VDI.list_changed_blocks(first, second) == unchanged
assert refused("SR_BACKEND_FAILURE_460", x.VDI.list_changed_blocks, second, first)[1].endswith("are unrelated")
assert refused("SR_BACKEND_FAILURE_460", x.VDI.list_changed_blocks, first, first)[1].endswith("are same")
x.VDI.data_destroy(first)
x.VDI.data_destroy(first)
for call in [x.VDI.snapshot, x.VDI.clone]:
    assert refused("VDI_INCOMPATIBLE_TYPE", call, first, {}) == [first, "cbt_metadata"]
assert refused("VDI_INCOMPATIBLE_TYPE", x.VDI.get_nbd_info, first) == [first, "cbt_metadata"]
x.SR.scan(local)
row = x.VDI.get_record(first)
assert row["type"] == "cbt_metadata" and row["cbt_enabled"] and row["physical_utilisation"] == "0", row
assert row["snapshot_of"] == disk and row["virtual_size"] == str(20 << 20), row
assert x.VDI.list_changed_blocks(first, second) == unchanged
label = x.VDI.get_uuid(first)
x.VDI.forget(first)
x.SR.scan(local)
first = x.VDI.get_by_uuid(label)
assert x.VDI.get_type(first) == "cbt_metadata" and x.VDI.get_is_a_snapshot(first), "a scan finds it again"
x.VDI.disable_cbt(disk)
x.VDI.destroy(first)
x.VDI.destroy(second)
x.SR.scan(local)
refused("UUID_INVALID", x.VDI.get_by_uuid, label)
assert x.VDI.get_nbd_info(disk) == []
refused("MESSAGE_DEPRECATED", x.VDI.force_unlock, disk)
sum_of = x.VDI.checksum(disk)
copy = x.VDI.copy(disk, sr, null, null)
assert x.VDI.get_SR(copy) == sr and x.VDI.checksum(copy) == sum_of and len(sum_of) == 32
task = x.Async.VDI.copy(disk, sr, null, null)
wait_for("the copy", lambda: x.task.get_status(task) == "success")
second = x.task.get_result(task)[len("<value>"):-len("</value>")]
x.VDI.destroy(second)
refused("HANDLE_INVALID", x.VDI.copy, disk, null, null, null)

# Forgotten, found, introduced.
label = x.VDI.get_uuid(clone)
x.VDI.forget(clone)
refused("HANDLE_INVALID", x.VDI.get_uuid, clone)
introduced = x.VDI.introduce(label, "back", "again", local, "user", False, False, {"o": "1"}, label)
row = x.VDI.get_record(introduced)
assert row["uuid"] == label and row["name_label"] == "back" and int(row["virtual_size"]) == 20 << 20
assert refused("LOCATION_NOT_UNIQUE", x.VDI.introduce, "", "b", "", local, "user", False, False, {}, label) == \
    [local, label]
gone = "11111111-2222-3333-4444-555555555555"
refused("SR_BACKEND_FAILURE_46", x.VDI.introduce, gone, "b", "", local, "user", False, False, {}, gone)
x.VDI.forget(introduced)
x.SR.scan(local)
assert x.VDI.get_by_uuid(label)
say("disks are made, grown, frozen, cloned, copied, forgotten and found again")

# Drives.
template = x.VM.get_by_uuid(pool["template"])
vm = x.VM.clone(template, "drives")
x.VM.provision(vm)
refused("INVALID_DEVICE", lambda: drive(vm, VDI=copy, userdevice="zz9"))
taken = x.VBD.get_userdevice(x.VM.get_VBDs(vm)[0])
assert refused("DEVICE_ALREADY_EXISTS", lambda: drive(vm, VDI=copy, userdevice=taken)) == [taken]
refused("VBD_CDS_MUST_BE_READONLY", lambda: drive(vm, type="CD", mode="RW", empty=True))
assert refused("VBD_NOT_REMOVABLE_MEDIA", lambda: drive(vm, empty=True)) == ["in constructor"]
x.VDI.set_read_only(copy, True)
assert refused("VDI_READONLY", lambda: drive(vm, VDI=copy)) == [copy]
x.VDI.set_read_only(copy, False)
vbd = drive(vm, VDI=copy)
assert not x.VBD.get_currently_attached(vbd) and x.VBD.get_device(vbd) == ""
x.VBD.assert_attachable(vbd)
assert refused("VM_BAD_POWER_STATE", x.VBD.plug, vbd) == [vm, "running", "halted"]
x.VM.start(vm, False, True)
assert x.VBD.get_currently_attached(vbd)
assert refused("DEVICE_ALREADY_ATTACHED", x.VBD.plug, vbd) == [vbd]
refused("OPERATION_NOT_ALLOWED", x.VBD.destroy, vbd)
refused("VM_BAD_POWER_STATE", x.VBD.set_mode, vbd, "RO")
for call, words in [(x.VDI.destroy, "destroy"), (x.VDI.forget, "forget")]:
    assert refused("VDI_IN_USE", call, copy) == [copy, words]
assert refused("VDI_IN_USE", x.VDI.set_on_boot, copy, "reset") == [copy, "set_on_boot"]
x.VBD.set_unpluggable(vbd, False)
assert refused("VBD_NOT_UNPLUGGABLE", x.VBD.unplug, vbd) == [vbd]
x.VBD.set_unpluggable(vbd, True)
live = x.VDI.snapshot(copy, {})
assert x.VDI.get_snapshot_of(live) == copy
x.VBD.unplug(vbd)
assert refused("DEVICE_ALREADY_DETACHED", x.VBD.unplug, vbd) == [vbd]
other = x.VM.clone(template, "rival")
x.VM.provision(other)
rival = drive(other, VDI=copy)
x.VM.start(other, False, True)
assert refused("VDI_IN_USE", x.VBD.plug, vbd)[0] == copy
assert refused("VDI_IN_USE", x.VBD.assert_attachable, vbd)[0] == copy
x.VM.hard_shutdown(other)
x.VDI.set_on_boot(copy, "reset")
x.VM.start(other, False, True)
assert refused("VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION", x.VM.suspend, other) == [copy]
assert refused("VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION", x.VM.snapshot, other, "s") == [copy]
assert refused("VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION", x.VDI.snapshot, copy, {}) == [copy]
x.VM.hard_shutdown(other)
x.VDI.set_on_boot(copy, "persist")
x.VBD.destroy(rival)
x.VBD.destroy(vbd)
x.VDI.destroy(live)
say("drives say what stands in their way")

# Snapshots of VMs on simulated guests: the records are the same.
snapshot = x.VM.snapshot(vm, "s")
assert x.VM.get_snapshot_of(snapshot) == vm and x.VM.get_parent(vm) == snapshot
partial = x.VM.snapshot(vm, "p", [x.VBD.get_VDI(x.VM.get_VBDs(vm)[0])])
assert len(x.VM.get_VBDs(partial)) == len(x.VM.get_VBDs(snapshot)) - 1
x.VM.revert(snapshot)
assert x.VM.get_power_state(vm) == "Halted" and x.VM.get_name_label(vm) == "drives"
x.VM.start(vm, False, True)
checkpoint = x.VM.checkpoint(vm, "c")
assert x.VM.get_power_state(vm) == "Running" and x.VM.get_power_state(checkpoint) == "Suspended"
x.VM.revert(checkpoint)
assert x.VM.get_power_state(vm) == "Suspended"
x.VM.resume(vm, False, True)
x.VM.hard_shutdown(vm)
uuid_of_vm = x.VM.get_uuid(vm)
x.VM.destroy(vm)
x.VM.revert(snapshot)
back = x.VM.get_by_uuid(uuid_of_vm)
assert x.VM.get_name_label(back) == "drives" and x.VM.get_snapshot_of(snapshot) == back
copied = x.VM.copy(snapshot, "a copy", sr)
assert {x.VDI.get_SR(x.VBD.get_VDI(v)) for v in x.VM.get_VBDs(copied)} == {sr}
say("a VM that was destroyed came back from its snapshot under its uuid")

# The end of the repository.
x.VDI.destroy(copy)
x.PBD.unplug(plug)
x.PBD.unplug(plug)
assert refused("SR_HAS_NO_PBDS", x.SR.scan, local) == [local]
assert refused("SR_HAS_NO_PBDS", x.VDI.create, record(sr=local)) == [local]
refused("SR_NOT_EMPTY", x.SR.destroy, local)
x.PBD.plug(plug)
for vdi in x.SR.get_VDIs(local):
    x.VDI.destroy(vdi)
x.PBD.unplug(plug)
x.SR.add_to_other_config(local, "indestructible", "true")
assert refused("SR_INDESTRUCTIBLE", x.SR.destroy, local) == [local]
x.SR.remove_from_other_config(local, "indestructible")
x.PBD.set_device_config(plug, config)
x.SR.forget(local)
assert refused("UUID_INVALID", x.SR.get_by_uuid, uuid) == ["SR", uuid]
again = x.SR.introduce(uuid, "introduced", "", "file", "user", False, {})
assert refused("SR_UUID_EXISTS", x.SR.introduce, uuid, "i", "", "file", "user", False, {}) == [uuid]
plug = x.PBD.create({**made, "SR": again})
x.PBD.plug(plug)
x.SR.scan(again)
assert x.SR.get_VDIs(again) == []
x.PBD.unplug(plug)
x.SR.destroy(again)
assert testbed("exec", master, "sh", "-c", f"ls {folder}").strip() == "", "the folder is gone with the repository"
say("forgotten, introduced, destroyed")
