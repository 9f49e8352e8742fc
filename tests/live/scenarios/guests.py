"""What guests notice: a counter without gap over suspend and migrations, a disk that comes and goes, a neighbour."""

import re

from serial import *

session, master = login()
x = session.xenapi
template = x.VM.get_by_uuid(pool["template"])
net = x.network.get_by_uuid(pool["network"])
sr = x.SR.get_by_uuid(pool["shared_sr"])
refs = list(host_refs(x).values())


def guest(label, on):
    vm = x.VM.clone(template, label)
    x.VIF.create({
        "device": "0", "network": net, "VM": vm, "MAC": "", "MTU": "1500", "other_config": {},
        "qos_algorithm_type": "", "qos_algorithm_params": {},
    }) if not x.VM.get_VIFs(vm) else None
    x.VM.provision(vm)
    x.VM.start_on(vm, on, False, True)
    wait_for(label, lambda: "TARN-UP" in said(label))
    return vm


one, two = guest("one", refs[0]), guest("two", refs[1])
wait_for("the neighbour", lambda: "TARN-PEER" in testbed("serial", "one") or "TARN-PING" in testbed("serial", "one"))
say("two guests on two hosts reach one another")

vdi = x.VDI.create({
    "SR": sr, "virtual_size": str(64 << 20), "type": "user", "sharable": False, "read_only": False,
    "name_label": "hot", "name_description": "", "other_config": {}, "sm_config": {}, "xenstore_data": {}, "tags": [],
})
vbd = x.VBD.create({
    "VM": one, "VDI": vdi, "userdevice": "autodetect", "bootable": False, "mode": "RW", "type": "Disk",
    "unpluggable": True, "empty": False, "other_config": {}, "qos_algorithm_type": "", "qos_algorithm_params": {},
})


def disks():
    found = re.findall(r"TARN-DISKS ?(.*)", said("one"))
    return found[-1].split() if found else []


wait_for("the guest's list of disks", lambda: "TARN-DISKS" in said("one"))
before = len(disks())
x.VBD.plug(vbd)
assert x.VBD.get_currently_attached(vbd) and x.VBD.get_device(vbd) == "xvdb"
wait_for("the disk", lambda: len(disks()) == before + 1, 120)
x.VBD.unplug(vbd)
assert not x.VBD.get_currently_attached(vbd)
wait_for("the disk's going", lambda: len(disks()) == before)
x.VBD.destroy(vbd)
x.VDI.destroy(vdi)
say("a disk came and went in the running guest")

x.VM.suspend(one)
x.VM.resume_on(one, refs[2], False, True)
for host in [refs[0], refs[1], refs[2]]:
    x.VM.pool_migrate(one, host, {"live": "true"})
    assert x.VM.get_resident_on(one) == host
last = int(counts("one")[-1][0])
wait_for("the counter", lambda: int(counts("one")[-1][0]) > last)
number = whole_count("one")
say(f"{number} counts over a suspend and three migrations: no gap, one boot")

# A guest that powers itself off: the record follows by itself.
x.VM.clean_shutdown(two)
x.VM.start(two, False, True)
home = next(h["name"] for h in hosts.values() if x.host.get_by_uuid(h["uuid"]) == x.VM.get_resident_on(two))
testbed("exec", home, "virsh", "destroy", x.VM.get_uuid(two))
wait_for("the record", lambda: x.VM.get_power_state(two) == "Halted")
say("a guest that ended by itself is Halted in the record")
for vm in [one, two]:
    x.VM.hard_shutdown(vm)
