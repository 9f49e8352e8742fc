"""NFS and iSCSI servers die under load and come back: calls end soon with a storage error, what is elsewhere goes on, and
all works again by itself, without a guest that was lost or a block that is another."""

from serial import *
from servers import Iscsi, Nfs, missing

lacking = missing("ganesha.nfsd", "rpcbind", "tgtd", "iscsi-ls")
if lacking:
    say(f"skipped: {lacking} is not installed")
    raise SystemExit

session, master = login()
x = session.xenapi
null = "OpaqueRef:NULL"
nfs, iscsi = Nfs(), Iscsi([64 << 20], login=("joe", "tarn-s3cret-word"))
refs = [x.host.get_by_uuid(h["uuid"]) for h in hosts.values()]
shared = x.SR.get_by_uuid(pool["shared_sr"])
SOON = 75  # seconds


def drive(vm, vdi):
    x.VBD.create({
        "VM": vm, "VDI": vdi, "userdevice": "autodetect", "bootable": False, "mode": "RW", "type": "Disk",
        "unpluggable": True, "empty": False, "other_config": {}, "qos_algorithm_type": "", "qos_algorithm_params": {},
    })


def record(sr, label="disk"):
    return {
        "SR": sr, "virtual_size": str(64 << 20), "type": "user", "sharable": False, "read_only": False,
        "name_label": label, "name_description": "", "other_config": {}, "sm_config": {}, "xenstore_data": {},
        "tags": [],
    }


def guest(label, disk, host):
    vm = x.VM.clone(x.VM.get_by_uuid(pool["template"]), label)
    x.VM.provision(vm)
    drive(vm, disk)
    x.VM.start_on(vm, host, False, True)
    wait_for(label, lambda: "TARN-UP" in said(label), 180)
    tell(x, vm, "churn vdb", r"TARN-CHURN vdb (\d+)", 120)
    return vm


def boots_of(label):
    return {boot for _, boot in counts(label)}


def fails(call, *params):
    """The call ends within its time with an error of the storage."""
    began = time.monotonic()
    try:
        call(*params)
    except XenAPI.Failure as failure:
        took = time.monotonic() - began
        assert failure.details[0].startswith("SR_BACKEND_FAILURE"), failure.details
        assert took < SOON, took
        return took
    raise SystemExit("a call on a dead server succeeded")


on_nfs = x.SR.create(refs[0], {**nfs.config, "client": "qemu"}, "0", "nfs", "", "nfs", "user", True, {})
on_iscsi = x.SR.create(refs[0], iscsi.config, "0", "iscsi", "", "iscsi", "user", True, {})
x.SR.scan(on_iscsi)
disk = x.VDI.create(record(on_nfs, "churned"))
[lun] = x.SR.get_VDIs(on_iscsi)
vms = {"on-nfs": guest("on-nfs", disk, refs[1]), "on-iscsi": guest("on-iscsi", lun, refs[2])}
say("two guests write, one to NFS and one to iSCSI")

for server, sr, label, calls in [
    (nfs, on_nfs, "on-nfs", [
        (x.SR.scan, on_nfs), (x.VDI.create, record(on_nfs)), (x.VDI.snapshot, disk, {}),
    ]),
    (iscsi, on_iscsi, "on-iscsi", [(x.SR.scan, on_iscsi)]),
]:
    other = next(l for l in vms if l != label)
    goes_on(label, 180)
    boots = boots_of(label)
    server.down()
    slowest = max(fails(*call) for call in calls)
    # What is elsewhere is undisturbed, and so are the hosts.
    x.SR.scan(shared)
    made = x.VDI.create(record(shared))
    x.VDI.destroy(made)
    goes_on(other, 180)
    assert all(s["leader"] for s in statuses().values()), statuses()
    state = x.VM.get_power_state(vms[label])
    assert state in ("Running", "Paused"), state
    server.serve()
    began = time.monotonic()
    goes_on(label, 180)
    back = time.monotonic() - began
    began = time.monotonic()

    def scans():
        try:
            x.SR.scan(sr)
            return True
        except XenAPI.Failure:
            return False

    wait_for("a scan", scans, 60)
    assert boots_of(label) == boots, "the guest booted anew"
    found = re.findall("TARN-IO-ERROR", said(label))
    say(
        f"{label}: calls failed after {slowest:.1f} s at most; the guest was {state} and wrote again {back:.1f} s after "
        f"the server's return, with {len(found)} writes refused; scans work after {time.monotonic() - began:.1f} s"
    )

x.VM.pool_migrate(vms["on-iscsi"], refs[0], {"live": "true"})
goes_on("on-iscsi", 180)
assert boots_of("on-iscsi") == boots, "the guest booted anew"
say("the guest on iSCSI moved, and its new host logged in to the target too")
for label, vm in vms.items():
    whole, wrong, last = tell(x, vm, "still", r"TARN-CHECKED vdb (\d+ \d+ \d+)", 150).split()
    assert wrong == "0" and int(whole) == 128, (label, whole, wrong)
    say(f"{label}: {int(last) - 10_000_000} writes, 128 blocks read back, none corrupt")
snapshot = x.VDI.snapshot(disk, {})
x.VDI.destroy(snapshot)
for vm in vms.values():
    x.VM.hard_shutdown(vm)
    x.VM.destroy(vm)
for sr in [on_nfs, on_iscsi]:
    if sr == on_nfs:
        for vdi in x.SR.get_VDIs(sr):
            x.VDI.destroy(vdi)
    for plug in x.SR.get_PBDs(sr):
        x.PBD.unplug(plug)
    x.SR.forget(sr) if sr == on_iscsi else x.SR.destroy(sr)
say("everything works again by itself")
