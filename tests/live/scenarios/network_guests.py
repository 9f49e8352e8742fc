"""Guests on two hosts meet through a tunnelled network, are locked and moved while they run; what the kernel lacks is said."""

import re

from tarn import *

session, master = login()
x = session.xenapi
refs = host_refs(x)
first, second = list(hosts)[:2]


def guest(label, on, net):
    vm = x.VM.clone(x.VM.get_by_uuid(pool["template"]), label)
    x.VM.provision(vm)
    for vif in x.VM.get_VIFs(vm):
        x.VIF.destroy(vif)
    vif = x.VIF.create({
        "device": "0", "network": net, "VM": vm, "MAC": "", "MTU": "1400", "other_config": {},
        "qos_algorithm_type": "", "qos_algorithm_params": {},
    })
    x.VM.start_on(vm, refs[on], False, True)
    wait_for(label, lambda: "TARN-UP" in testbed("serial", label))
    return vm, vif


def address(vif):
    """The address that the guest gives itself, out of its MAC address."""
    five, six = (int(part, 16) for part in x.VIF.get_MAC(vif).split(":")[4:])
    return f"10.88.{five}.{six}"


def sees(label, other):
    """Whether the guest's newest word on its neighbours names another one."""
    told = re.findall(r"TARN-PEERS(.*)", testbed("serial", label))
    return bool(told) and other in told[-1].split()


mesh = new_network(x, "mesh", "1400")
for name in hosts:
    x.tunnel.create(card(x, refs[name], "eth0"), mesh, "vxlan")
(one, nic), (two, far) = guest("one", first, mesh), guest("two", second, mesh)
mine, other = address(nic), address(far)
wait_for("the neighbour", lambda: sees("one", other) and sees("two", mine), 120)
say("two guests on two hosts reach one another through a tunnelled network")

x.VIF.set_locking_mode(nic, "locked")
wait_for("silence", lambda: not sees("two", mine), 120)
x.VIF.set_ipv4_allowed(nic, [mine])
wait_for("the allowed address", lambda: sees("two", mine), 120)
say("a locked interface passes its own address and nothing else")

inside = new_network(x, "inside", "1400")
x.VIF.move(nic, inside)
wait_for("silence", lambda: not sees("two", mine), 120)
x.VIF.move(nic, mesh)
wait_for("the neighbour", lambda: sees("two", mine), 120)
x.VM.pool_migrate(one, refs[list(hosts)[2]], {"live": "true"})
wait_for("the neighbour", lambda: sees("two", mine), 120)
assert x.VIF.get_locking_mode(nic) == "locked"
say("it moved to another network and back, and with its guest to a third host, still locked")

kinds = testbed("exec", first, "sh", "-c", "ip link add tarntry0 type veth peer name tarntry1 && "
                "(ip link add link tarntry0 name tarntry0.7 type vlan id 7 && echo vlan || true); ip link del tarntry0")
seven = new_network(x, "seven", "1400")
try:
    made = x.pool.create_VLAN_from_PIF(card(x, refs[master], "eth1"), seven, "7")
    assert "vlan" in kinds and len(made) == len(hosts)
    say("VLANs are made by this kernel")
except XenAPI.Failure as failure:
    assert "vlan" not in kinds and failure.details[0] == "PIF_CONFIGURATION_ERROR", failure.details
    assert x.network.get_PIFs(seven) == [] and x.VLAN.get_all() == []
    say(f"this kernel has no VLANs, and the pool says so: {failure.details[2]}")
for vm in [one, two]:
    x.VM.hard_shutdown(vm)
