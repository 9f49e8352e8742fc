"""Snapshots by a schedule: taken when it is time and when somebody asks, the oldest gone with their disks, told of in notices."""

from tarn import *

session, master = login()
x = session.xenapi
sr = x.SR.get_by_uuid(pool["shared_sr"])
vm = x.VM.clone(x.VM.get_by_uuid(pool["template"]), "scheduled")
x.VM.provision(vm)
disks = set(x.SR.get_VDIs(sr))


def new(**changes):
    return x.VMSS.create({
        "name_label": "often", "name_description": "", "enabled": True, "type": "snapshot", "retained_snapshots": "2",
        "frequency": "hourly", "schedule": {}, **changes,
    })


def snapshots():
    """The snapshots by schedule, the oldest first; asked for in one call, since the oldest go meanwhile."""
    records = x.VM.get_all_records().items()
    ours = [(r["snapshot_time"].value, ref) for ref, r in records if r["snapshot_of"] == vm and r["is_vmss_snapshot"]]
    return [snapshot for _, snapshot in sorted(ours)]


def next_second():
    now = int(time.time())
    wait_for("the next second", lambda: int(time.time()) > now)


for changes, told in [
    ({"schedule": {"min": "7"}}, ["schedule:min", "7"]),
    ({"schedule": {"hour": "1"}}, ["schedule:hour", "1"]),
    ({"retained_snapshots": "11"}, ["retained_snapshots", "11"]),
]:
    assert refused("INVALID_VALUE", lambda: new(**changes)) == told
refused("VALUE_NOT_SUPPORTED", lambda: new(type="snapshot_with_quiesce"))

# A minute at which the quarter of an hour does not end while this looks.
wait_for("the quarter", lambda: time.localtime().tm_min % 15 < 13, 150)
minute = str(time.localtime().tm_min // 15 * 15)
schedule = new(schedule={"min": minute})
assert x.VMSS.get_schedule(schedule) == {"min": minute}
x.VM.set_snapshot_schedule(vm, schedule)
assert x.VMSS.get_VMs(schedule) == [vm]
refused("VMSS_HAS_VM", lambda: x.VMSS.destroy(schedule))

taken = []
for _ in range(3):
    next_second()
    assert x.VMSS.snapshot_now(schedule) == "True"
    taken.append(snapshots()[-1])
assert len(set(taken)) == 3 and snapshots() == taken[1:], (taken, snapshots())
assert len(set(x.SR.get_VDIs(sr)) - disks) == 2, "disks of a snapshot that went are still there"
say("three snapshots on demand, the oldest gone with its disk")

# Its time was minutes ago, and it has not run since yesterday.
local = over_socket(hosts[master])
root = ok(local.session.login_with_password("", ""))
ok(local.VMSS.set_last_run_time(root, schedule, xmlrpc.client.DateTime("20200101T00:00:00Z")))
began = time.monotonic()
wait_for("the schedule's run", lambda: snapshots()[-1] not in taken, 90)
took = time.monotonic() - began
wait_for("the oldest to go", lambda: len(snapshots()) == 2)
assert snapshots()[0] == taken[2]
assert x.VMSS.get_last_run_time(schedule).value[:4] != "2020"
time.sleep(35)
assert snapshots()[0] == taken[2], "it ran twice"
names = [m["name"] for m in x.message.get_all_records().values() if m["obj_uuid"] == x.VMSS.get_uuid(schedule)]
assert names == ["VMSS_SNAPSHOT_SUCCEEDED"] * 4, names
say(f"its time came: it was run {took:.0f} s after that was noticed, once, and told of")

x.VM.set_snapshot_schedule(vm, "OpaqueRef:NULL")
x.VMSS.destroy(schedule)
for snapshot in snapshots():
    x.VM.destroy(snapshot)
x.VM.destroy(vm)
