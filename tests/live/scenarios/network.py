"""VLANs, bonds, tunnels and interfaces of hosts: made on every host, undone where one fails, back after a restart."""

from tarn import *

session, master = login()
x = session.xenapi


refs = host_refs(x)
for name in hosts:
    before = x.PIF.get_all()
    x.PIF.scan(refs[name])
    assert set(x.PIF.get_all()) == set(before), "nothing new is found twice"
say("scanned")

# A VLAN on every host at once.
seven = new_network(x, "seven")
made = x.pool.create_VLAN_from_PIF(card(x, refs[master], "eth1"), seven, "7")
assert len(made) == len(hosts) and set(made) == set(x.network.get_PIFs(seven))
for pif in made:
    record = x.PIF.get_record(pif)
    assert record["VLAN"] == "7" and record["device"] == "eth1" and not record["physical"], record
    assert record["currently_attached"] and record["MAC"] == "fe:ff:ff:ff:ff:ff", record
    vlan = x.VLAN.get_record(record["VLAN_master_of"])
    assert vlan["untagged_PIF"] == pif and vlan["tag"] == "7"
    assert x.PIF.get_VLAN_slave_of(vlan["tagged_PIF"]) == [record["VLAN_master_of"]]
refuses(lambda: x.VLAN.create(card(x, refs[master], "eth1"), "4095", seven), "VLAN_TAG_INVALID", "4095")
refuses(lambda: x.VLAN.create(card(x, refs[master], "eth1"), "7", new_network(x, "again")), "VLAN_IN_USE", "eth1", "7")
refuses(lambda: x.VLAN.create(card(x, refs[master], "eth0"), "8", seven), "NETWORK_ALREADY_CONNECTED", refs[master], ...)
refuses(lambda: x.PIF.destroy(card(x, refs[master], "eth0")), "PIF_IS_PHYSICAL", card(x, refs[master], "eth0"))
say("a VLAN on every host")

# One host is away: what was made on the others is undone.
away = next(name for name in hosts if name != master)
testbed("kill", away)
wait_for("its absence", lambda: not x.host_metrics.get_live(x.host.get_metrics(refs[away])))
eight = new_network(x, "eight")
refuses(lambda: x.pool.create_VLAN("eth1", eight, "8"), "HOST_OFFLINE", refs[away])
assert x.network.get_PIFs(eight) == [] and not [v for v in x.VLAN.get_all_records().values() if v["tag"] == "8"]
live = x.pool.create_VLAN_from_PIF(card(x, refs[master], "eth1"), eight, "8")
assert len(live) == len(hosts) - 1, "hosts that are away are left out"
testbed("start", away)
wait_for("its return", lambda: x.host_metrics.get_live(x.host.get_metrics(refs[away])))
wait_for("its VLAN", lambda: x.PIF.get_currently_attached(next(p for p in made if x.PIF.get_host(p) == refs[away])))
for pif in live:
    x.VLAN.destroy(x.PIF.get_VLAN_master_of(pif))
assert x.network.get_PIFs(eight) == []
say("undone where one host failed, and back where it returned")

# A guest on the VLAN holds it.
template = x.VM.get_by_uuid(pool["template"])
vm = x.VM.clone(template, "tagged")
x.VM.provision(vm)
for vif in x.VM.get_VIFs(vm):
    x.VIF.destroy(vif)
vif = x.VIF.create({
    "device": "0", "network": seven, "VM": vm, "MAC": "", "MTU": "1500", "other_config": {},
    "qos_algorithm_type": "ratelimit", "qos_algorithm_params": {"kbps": "1000"},
})
x.VM.start(vm, False, True)
home = x.VM.get_resident_on(vm)
mine = next(p for p in made if x.PIF.get_host(p) == home)
refuses(lambda: x.VLAN.destroy(x.PIF.get_VLAN_master_of(mine)), "VIF_IN_USE", seven, vif)
refuses(lambda: x.PIF.unplug(mine), "VIF_IN_USE", seven, vif)
refuses(lambda: x.network.destroy(seven), "NETWORK_CONTAINS_VIF", vif)
assert x.VIF.get_allowed_operations(vif) == ["attach", "unplug"], x.VIF.get_allowed_operations(vif)
x.VIF.set_locking_mode(vif, "locked")
x.VIF.add_ipv4_allowed(vif, "192.0.2.1")
refuses(lambda: x.VIF.add_ipv4_allowed(vif, "fd00::1"), "INVALID_IP_ADDRESS_SPECIFIED", "ipv4_allowed")
assert x.VIF.get_ipv4_allowed(vif) == ["192.0.2.1"]
inside = new_network(x, "inside")
x.VIF.move(vif, inside)
assert x.VIF.get_network(vif) == inside and x.VIF.get_current_operations(vif) == {}
x.PIF.unplug(mine)
assert not x.PIF.get_currently_attached(mine)
refuses(lambda: x.VIF.move(vif, x.VM.get_resident_on(vm)), "HANDLE_INVALID", "network", ...)
x.PIF.plug(mine)
assert x.PIF.get_currently_attached(mine)
x.VIF.move(vif, seven)
x.VM.hard_shutdown(vm)
x.VIF.move(vif, inside)
say("a guest holds its network, is locked, and moves")

# A bond on a host takes over management, VLANs and guests' networks, and gives them back.
where = next(name for name in hosts if name != master)
eth0, eth1 = card(x, refs[where], "eth0"), card(x, refs[where], "eth1")
address = x.PIF.get_IP(eth0)
assert address and x.PIF.get_management(eth0)
bonded = new_network(x, "bonded")
refuses(lambda: x.Bond.create(bonded, [eth0], "", "lacp", {}), "PIF_BOND_NEEDS_MORE_MEMBERS")
refuses(lambda: x.Bond.create(bonded, [eth0, card(x, refs[master], "eth1")], "", "lacp", {}), "PIF_CANNOT_BOND_CROSS_HOST")
bond = x.Bond.create(bonded, [eth1, eth0], "", "lacp", {"lacp-time": "fast"})
record = x.Bond.get_record(bond)
over = record["master"]
assert set(record["slaves"]) == {eth0, eth1} and record["primary_slave"] == eth0 and record["links_up"] == "2", record
assert record["properties"]["lacp-time"] == "fast", record
assert x.PIF.get_IP(over) == address and x.PIF.get_management(over) and not x.PIF.get_management(eth0)
assert x.PIF.get_device(over) == "bond0" and x.PIF.get_currently_attached(over)
tagged = next(p for p in made if x.PIF.get_host(p) == refs[where])
assert x.PIF.get_device(tagged) == "bond0", "the VLAN moved to the bond"
refuses(lambda: x.PIF.plug(eth0), "CANNOT_PLUG_BOND_SLAVE", eth0)
refuses(lambda: x.VLAN.create(eth1, "9", new_network(x, "nine")), "CANNOT_ADD_VLAN_TO_BOND_SLAVE", eth1)
refuses(lambda: x.PIF.forget(eth1), "PIF_ALREADY_BONDED", eth1)
x.Bond.set_property(bond, "hashing_algorithm", "src_mac")
refuses(lambda: x.Bond.set_property(bond, "colour", "blue"), "INVALID_VALUE", "properties", "colour")
x.Bond.set_mode(bond, "active-backup")
assert x.Bond.get_mode(bond) == "active-backup"
x.Bond.destroy(bond)
assert x.PIF.get_IP(eth0) == address and x.PIF.get_management(eth0)
assert x.PIF.get_device(tagged) == "eth1" or x.PIF.get_device(tagged) == "eth0"
assert x.Bond.get_all() == []
say("a bond took over and gave back")

# Addresses.
refuses(lambda: x.PIF.reconfigure_ip(eth0, "None", "", "", "", ""), "PIF_IS_MANAGEMENT_INTERFACE", eth0)
refuses(
    lambda: x.PIF.reconfigure_ip(eth1, "Static", "300.1.2.3", "255.255.255.0", "", ""),
    "INVALID_IP_ADDRESS_SPECIFIED", "IP",
)
x.PIF.reconfigure_ip(eth1, "Static", "198.51.100.7", "255.255.255.0", "", "")
assert (x.PIF.get_IP(eth1), x.PIF.get_ip_configuration_mode(eth1)) == ("198.51.100.7", "Static")
x.PIF.reconfigure_ip(eth1, "DHCP", "", "", "", "")
assert x.PIF.get_IP(eth1).startswith("198.51.100.") and x.PIF.get_netmask(eth1) == "255.255.255.0"
x.PIF.reconfigure_ip(eth1, "None", "", "", "", "")
assert x.PIF.get_IP(eth1) == ""
refuses(
    lambda: x.PIF.reconfigure_ipv6(eth1, "Static", "2001:db8::1", "", ""), "INVALID_CIDR_ADDRESS_SPECIFIED", "IPv6"
)
x.PIF.reconfigure_ipv6(eth1, "Static", "2001:db8::1/64", "", "")
assert x.PIF.get_IPv6(eth1) == ["2001:db8::1/64"]
x.PIF.reconfigure_ipv6(eth1, "None", "", "", "")

# A tunnelled network over the addresses of all hosts.
mesh = new_network(x, "mesh")
refuses(lambda: x.tunnel.create(eth1, mesh, "vxlan"), "TRANSPORT_PIF_NOT_CONFIGURED", eth1)
tunnels = [x.tunnel.create(card(x, refs[name], "eth0"), mesh, "vxlan") for name in hosts]
for tunnel in tunnels:
    record = x.tunnel.get_record(tunnel)
    assert record["status"]["active"] == "true" and record["protocol"] == "vxlan", record
    assert x.PIF.get_device(record["access_PIF"]) == "tunnel0"
refuses(lambda: x.tunnel.create(card(x, refs[master], "eth0"), mesh, "vxlan"), "NETWORK_ALREADY_CONNECTED", refs[master], ...)
for tunnel in tunnels:
    x.tunnel.destroy(tunnel)
assert x.network.get_PIFs(mesh) == []
x.network.destroy(mesh)
say("addresses and tunnels")

# As tasks, and the older names.
task = x.Async.PIF.create_VLAN("eth1", new_network(x, "ten"), refs[master], "10")
wait_for("the task", lambda: x.task.get_status(task) == "success")
ten = x.task.get_result(task)[len("<value>"):-len("</value>")]
assert x.PIF.get_VLAN(ten) == "10"
x.PIF.destroy(ten)
refuses(lambda: x.PIF.get_record(ten), "HANDLE_INVALID", "PIF", ten)
refuses(lambda: x.SDN_controller.introduce("ssl", "192.0.2.1", 6632), "OPENVSWITCH_NOT_ACTIVE")
for pif in made:
    x.VLAN.destroy(x.PIF.get_VLAN_master_of(pif))
x.VM.destroy(vm)
x.network.destroy(seven)
wait_for("one digest", same_digest)
say("nothing is left")
