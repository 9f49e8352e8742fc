"""A second public client from PyPI, unmodified: XenGarden, which XCP-ng's users drive their hosts with."""

import asyncio
import warnings

warnings.simplefilter("ignore")

from XenGarden.Host import Host
from XenGarden.Network import Network
from XenGarden.SR import SR
from XenGarden.VBD import VBD
from XenGarden.VDI import VDI
from XenGarden.VIF import VIF
from XenGarden.VM import VM
from XenGarden.session import create_session

from tarn import *

_, master = login()
clusters = {"tarn": {"host": hosts[master]["https"], "username": user, "password": password}}
session = create_session("tarn", clusters)
official = session.xenapi


async def live(vm):
    """The life of a VM, each step a task that the client waits for."""
    steps = [
        (vm.start, "Running"), (vm.pause, "Paused"), (vm.unpause, "Running"), (vm.force_reboot, "Running"),
        (vm.suspend, "Suspended"), (vm.force_shutdown, "Halted"),
    ]
    for step, state in steps:
        assert await step() is True
        assert vm.get_power_state() == state == official.VM.get_power_state(vm.vm), step
    await vm.snapshot("of the garden")
    assert [official.VM.get_name_label(s) for s in official.VM.get_snapshots(vm.vm)] == ["of the garden"]


async def main():
    listed = Host.list_host(session)
    assert sorted(h.get_name() for h in listed) == sorted(hosts)
    for host in listed:
        assert int(host.get_total_memory()) >= int(host.get_free_memory()) > 0
        assert host.get_enabled() and host.get_cpu_info()["cpu_count"] and host.get_software_version()["product_brand"]
        assert host.disable() == "" and not host.get_enabled()
        assert host.enable() == "" and host.get_enabled()
    assert {n.get_uuid() for n in Network.get_all(session)} == {official.network.get_uuid(n) for n in official.network.get_all()}
    storage = SR.get_by_uuid(session, official.SR.get_uuid(official.pool.get_default_SR(official.pool.get_all()[0])))
    assert int(storage.get_physical_size()) > 0
    assert [t for t in VM.list_templates(session) if t.get_name() == "Other install media"]

    template = VM.get_by_uuid(session, pool["template"])
    # A default template is cloned, and what comes of it is provisioned, as by any client.
    vm = await template.clone("of the garden")
    await vm.provision()
    assert not vm.is_template() and vm.get_uuid() in {v.get_uuid() for v in VM.list_vm(session)}
    assert vm.set_name("roses") and vm.set_description("red") and vm.set_vCPUs(2)
    assert (vm.get_name(), vm.get_description(), int(vm.get_vCPUs())) == ("roses", "red", 2)
    assert vm.set_memory(256 << 20) and int(vm.get_memory()) == 256 << 20
    vm.add_xenstore({"vm-data/colour": "red"})
    assert vm.get_xenstore()["vm-data/colour"] == "red"
    assert vm.get_guest_metrics() is None
    disks = vm.get_Disks()
    assert disks and all(isinstance(d, VBD) and int(d.get_VDI().get_virtual_size()) > 0 for d in disks)
    await live(vm)

    copy = await disks[0].get_VDI().copy(storage)
    assert isinstance(copy, VDI) and copy.get_SR().get_uuid() == storage.get_uuid()
    grown = int(copy.get_virtual_size()) + (64 << 20)
    await copy.resize(str(grown))
    assert int(official.VDI.get_virtual_size(copy.vdi)) == grown
    copy.destroy()
    vif = vm.get_VIF()
    if vif is not None:
        assert isinstance(vif, VIF) and vif.get_mac().count(":") == 5

    # An error comes to the client as it is.
    try:
        await vm.unpause()
        raise SystemExit("a halted VM was unpaused")
    except XenAPI.Failure as failure:
        assert failure.details == ["VM_BAD_POWER_STATE", vm.vm, "paused", "halted"], failure.details

    for snapshot in official.VM.get_snapshots(vm.vm):
        kept = [official.VBD.get_VDI(v) for v in official.VM.get_VBDs(snapshot) if official.VBD.get_type(v) == "Disk"]
        official.VM.destroy(snapshot)
        for vdi in kept:
            official.VDI.destroy(vdi)
    left = [d.get_VDI() for d in disks]
    assert await vm.delete()
    for vdi in left:
        vdi.destroy()


asyncio.run(main())
say("XenGarden lists, makes, runs, changes, suspends, copies and deletes, as it does with XCP-ng")
