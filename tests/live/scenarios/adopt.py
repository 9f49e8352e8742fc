"""A domain that virsh started on a host becomes a VM of the pool as it runs: its counter goes on, also on another host."""

import uuid as uuids

from serial import *

session, master = login()
x = session.xenapi
refs = host_refs(x)
first, second = [name for name in hosts if name != master][:2]
shared = x.SR.get_by_uuid(pool["shared_sr"])
bridge = x.network.get_bridge(x.network.get_by_uuid(pool["network"]))

# An image that somebody made: what a VM of the pool begins with, under a name of its own.
model = x.VM.clone(x.VM.get_by_uuid(pool["template"]), "model")
x.VM.provision(model)
x.VM.start_on(model, refs[first], False, True)
xml = testbed("exec", first, "virsh", "dumpxml", x.VM.get_uuid(model))
kind = re.search(r"<domain type='(\w+)'", xml)[1]
disk = re.search(r"<source file='([^']*)'", xml)[1]
x.VM.hard_shutdown(model)
folder = os.path.dirname(disk)


def virsh(host, *words):
    return testbed("exec", host, "virsh", *words)


def bring(host, name, image, machine="<type machine='pc'>hvm</type>", system="<os>", drive="hda", bus="ide", medium=""):
    """Defines and starts a domain as somebody would who knows nothing of the pool; its uuid and its address."""
    uuid = str(uuids.uuid4())
    mac = "52:54:00:" + ":".join(re.findall("..", uuid[:6]))
    testbed("exec", host, "mkdir", "-p", os.path.dirname(image))
    testbed("exec", host, "qemu-img", "convert", "-O", "qcow2", disk, image)
    domain = f"""<domain type='{kind}'><name>{name}</name><uuid>{uuid}</uuid><description>Serves</description>
      <memory unit='MiB'>256</memory><currentMemory unit='MiB'>256</currentMemory><vcpu current='1'>2</vcpu>
      {system}{machine}<boot dev='hd'/></os><features><acpi/></features>
      <devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
        <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{image}'/>
          <target dev='vda' bus='virtio'/></disk>
        <disk type='file' device='cdrom'>{medium}<target dev='{drive}' bus='{bus}'/><readonly/></disk>
        <interface type='bridge'><mac address='{mac}'/><source bridge='{bridge}'/><model type='virtio'/></interface>
        <serial type='pty'><log file='/run/tarn/console/{uuid}.log' append='on'/></serial>
        <video><model type='none'/></video></devices></domain>"""
    testbed("exec", host, "sh", "-c", f"cat > /run/{name}.xml <<'END'\n{domain}\nEND")
    virsh(host, "define", f"/run/{name}.xml")
    virsh(host, "autostart", name)
    virsh(host, "start", name)
    return uuid, mac


def log(host, uuid):
    return testbed("exec", host, "sh", "-c", f"cat /run/tarn/console/{uuid}.log || true")


def latest(host, uuid):
    """The last number that a guest has printed on a host, and by which boot."""
    found = counted(log(host, uuid))
    return (int(found[-1][0]), found[-1][1]) if found else None


uuid, mac = bring(first, "web", f"{folder}/web.qcow2")
before = wait_for("the guest", lambda: latest(first, uuid), 120)
rows = testbed("exec", master, "xe", "host-adopt")
assert uuid in rows and "web" in rows, rows
assert len(testbed("exec", master, "tarn", "adopt").split(uuid)) == 2
refused("UUID_INVALID", x.host.call_plugin, refs[second], "tarn-adopt", "adopt", {"uuid": uuid})
say("a host lists what it runs and the pool did not start")

vm = x.VM.get_by_uuid(testbed("exec", master, "xe", "host-adopt", f"uuid={uuid}").strip())
record = x.VM.get_record(vm)
assert record["uuid"] == uuid and record["name_label"] == "web" and record["name_description"] == "Serves", record
assert record["power_state"] == "Running" and record["resident_on"] == refs[first], record
assert record["memory_static_max"] == str(256 << 20) and record["VCPUs_max"] == "2", record
assert record["VCPUs_at_startup"] == "1" and not record["current_operations"], record
drives = {x.VBD.get_userdevice(v): x.VBD.get_record(v) for v in record["VBDs"]}
assert sorted(drives) == ["0", "1"] and drives["1"]["type"] == "CD" and drives["1"]["empty"], drives
image = drives["0"]["VDI"]
assert x.VDI.get_SR(image) == shared and x.VDI.get_location(image) == "web.qcow2" and drives["0"]["currently_attached"]
[card] = record["VIFs"]
assert x.VIF.get_MAC(card) == mac and x.VIF.get_network(card) == x.network.get_by_uuid(pool["network"])
assert uuid not in testbed("exec", master, "xe", "host-adopt")
assert "web" in virsh(first, "list", "--name") and "web" not in virsh(first, "list", "--all", "--persistent", "--name")
after = wait_for("it counts on", lambda: (lambda now: now if now[0] > before[0] else None)(latest(first, uuid)))
assert after[1] == before[1], (before, after)
say("it is a VM of the pool, and nothing in it has noticed")

# A node that begins anew finds it among its own.
x.host.restart_agent(refs[first])
time.sleep(5)
wait_for("its host", lambda: x.host_metrics.get_live(x.host.get_metrics(refs[first])), 60)
time.sleep(5)
assert x.VM.get_power_state(vm) == "Running" and latest(first, uuid)[1] == before[1]

x.VM.pool_migrate(vm, refs[second], {"live": "true"})
there = wait_for("it counts there", lambda: latest(second, uuid), 60)
assert there[1] == before[1] and there[0] > after[0], (after, there)
assert "web" not in virsh(first, "list", "--all", "--name") and x.VM.get_resident_on(vm) == refs[second]
# An image from elsewhere is not frozen while it is open; once the disk has gone over to an image of the pool's own it is.
assert refused("SR_BACKEND_FAILURE_38", x.VM.snapshot, vm, "one")
second_folder = f"{folder}-adopted"
testbed("exec", first, "mkdir", "-p", second_folder)
other = x.SR.create(refs[first], {"location": second_folder}, "0", "adopted", "", "file", "user", True, {})
for plug in x.SR.get_PBDs(other):
    if not x.PBD.get_currently_attached(plug):
        x.PBD.plug(plug)
image = x.VDI.pool_migrate(image, other, {})
x.VM.destroy(x.VM.snapshot(vm, "one"))
later = wait_for("it counts on", lambda: (lambda now: now if now[0] > there[0] else None)(latest(second, uuid)))
assert later[1] == before[1]
say(f"it has moved to another host, counting from {before[0]} to {later[0]} without a boot")

# Ended and started it has the pool's hardware, and what it wrote.
x.VM.hard_shutdown(vm)
x.VM.start(vm, False, False)
here = home(x, vm)
wait_for("another boot", lambda: (lambda now: now if now and now[1] != before[1] else None)(latest(here, uuid)), 120)
x.VM.hard_shutdown(vm)
x.VM.destroy(vm)
say("and it is started like any other VM")

# What the pool cannot keep, it does not take: the domain goes on as it was.
images, isos = "/var/lib/libvirt/images", "/var/lib/libvirt/isos"
testbed("exec", first, "sh", "-c", f"mkdir -p {isos} && head -c 1048576 /dev/zero > {isos}/disc.iso")
local, _ = bring(
    first, "local", f"{images}/local.qcow2", "<type machine='q35'>hvm</type>",
    "<os firmware='efi'><firmware><feature enabled='no' name='secure-boot'/></firmware>", "sda", "sata",
    f"<source file='{isos}/disc.iso'/>",
)
wait_for("the guest", lambda: latest(first, local), 180)
variables = re.search(r"<nvram[^>]*>([^<]*)</nvram>", virsh(first, "dumpxml", local))[1]
vm = x.VM.get_by_uuid(testbed("exec", master, "xe", "host-adopt", f"uuid={local}").strip())
drives = {x.VBD.get_type(v): x.VBD.get_VDI(v) for v in x.VM.get_VBDs(vm)}
assert x.SR.get_name_label(x.VDI.get_SR(drives["Disk"])) == images
assert x.SR.get_type(x.VDI.get_SR(drives["CD"])) == "iso" and x.VDI.get_location(drives["CD"]) == "disc.iso"
assert x.VM.get_HVM_boot_params(vm)["firmware"] == "uefi"
[drive] = [v for v in x.VM.get_VBDs(vm) if x.VBD.get_type(v) == "CD"]
x.VBD.eject(drive)
assert "disc.iso" not in virsh(first, "domblklist", local)
x.VBD.insert(drive, drives["CD"])
assert "disc.iso" in virsh(first, "domblklist", local)
boot = latest(first, local)[1]
x.VM.hard_shutdown(vm)
x.VM.start_on(vm, refs[first], False, False)
wait_for("another boot", lambda: (lambda now: now if now and now[1] != boot else None)(latest(first, local)), 180)
now = re.search(r"<nvram[^>]*>([^<]*)</nvram>", virsh(first, "dumpxml", local))[1]
assert testbed("exec", first, "realpath", now).strip() == variables, (now, variables)
say("one that begins by UEFI keeps its variables, and what is in its drive is the pool's")
x.VM.hard_shutdown(vm)
x.VM.destroy(vm)
x.VDI.destroy(drives["Disk"])
odd, _ = bring(first, "odd", f"{folder}/odd.qcow2")
virsh(first, "suspend", "odd")
assert "it does not run" in testbed("exec", master, "xe", "host-adopt")
why = refused("OPERATION_NOT_ALLOWED", x.host.call_plugin, refs[first], "tarn-adopt", "adopt", {"uuid": odd})
assert why == ["it does not run"], why
refused("UUID_INVALID", x.VM.get_by_uuid, odd)
assert "odd" in virsh(first, "list", "--all", "--persistent", "--name")
virsh(first, "destroy", "odd")
virsh(first, "undefine", "odd")
x.SR.scan(shared)
for label, where in [("odd.qcow2", shared), ("web.qcow2", shared)]:
    for image in x.SR.get_VDIs(where):
        if x.VDI.get_location(image) == label:
            x.VDI.destroy(image)
x.VM.destroy(model)
say("what it cannot keep it does not take")
