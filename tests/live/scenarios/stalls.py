"""A medium runs full under two guests: one stands still until there is room again and has lost nothing, one is told of it."""

from serial import *

session, master = login()
x = session.xenapi
refs = host_refs(x)
where = next(name for name in hosts if name != master)


def repository(label, size):
    """A repository of one host on a medium of so many megabytes."""
    place = f"/mnt/{label}"
    testbed("exec", where, "sh", "-c", f"mkdir -p {place} && mount -t tmpfs -o size={size}m none {place}")
    return place, x.SR.create(refs[where], {"location": place}, "0", label, "", "file", "user", False, {})


def guest(label, sr, on_error):
    vm = x.VM.clone(x.VM.get_by_uuid(pool["template"]), label)
    x.VM.provision(vm)
    vdi = x.VDI.create(disk_record(sr, virtual_size=str(64 << 20)))
    drive = new_drive(x, vm, VDI=vdi, other_config={"on_disk_error": on_error} if on_error else {})
    assert x.VBD.get_VDI(drive) == vdi
    x.VM.start_on(vm, refs[where], False, True)
    wait_for(label, lambda: "TARN-UP" in said(label), 180)
    tell(x, vm, "churn vdb", r"TARN-CHURN vdb (\d+)", 120)
    return vm


def settled(vm, label):
    whole, wrong, _ = tell(x, vm, "still", r"TARN-CHECKED vdb (\d+ \d+ \d+)", 150).split()
    assert wrong == "0", (label, whole, wrong)
    return int(whole)


# The guest fills eight megabytes.
places = {}
for label, on_error in [("waits", None), ("is-told", "report")]:
    place, sr = repository(label, 5)
    places[label] = place, sr, guest(label, sr, on_error)

place, _, vm = places["waits"]
wait_for("the guest stands still", lambda: x.VM.get_power_state(vm) == "Paused", 120)
testbed("exec", where, "mount", "-o", "remount,size=64m", place)
began = time.monotonic()
wait_for("it goes on", lambda: x.VM.get_power_state(vm) == "Running", 90)
took = time.monotonic() - began
goes_on("waits")
assert settled(vm, "waits") == 128
assert "TARN-IO-ERROR" not in said("waits"), "it was told of errors"
say(f"one guest stood still on a full medium, went on {took:.1f} s after there was room, and has lost nothing")

place, _, vm = places["is-told"]
wait_for("errors", lambda: "TARN-IO-ERROR vdb" in said("is-told"), 120)
assert x.VM.get_power_state(vm) == "Running"
testbed("exec", where, "mount", "-o", "remount,size=64m", place)
goes_on("is-told")
settled(vm, "is-told")
say("the other was told of errors, ran on, and writes again")

for label, (place, sr, vm) in places.items():
    x.VM.hard_shutdown(vm)
    for vdi in x.SR.get_VDIs(sr):
        x.VDI.destroy(vdi)
    x.VM.destroy(vm)
    for plug in x.SR.get_PBDs(sr):
        x.PBD.unplug(plug)
    x.SR.destroy(sr)
    testbed("exec", where, "umount", place)
