"""A guest boots from its disk under UEFI as under BIOS, and from a kernel that is handed to it with its arguments."""

from tarn import *

session, master = login()
x = session.xenapi
template = x.VM.get_by_uuid(pool["template"])
net = x.network.get_by_uuid(pool["network"])
on = x.host.get_by_uuid(hosts[master]["uuid"])


def guest(label):
    vm = x.VM.clone(template, label)
    if not x.VM.get_VIFs(vm):
        x.VIF.create({
            "device": "0", "network": net, "VM": vm, "MAC": "", "MTU": "1500", "other_config": {},
            "qos_algorithm_type": "", "qos_algorithm_params": {},
        })
    x.VM.provision(vm)
    return vm


def boots(vm):
    label = x.VM.get_name_label(vm)
    x.VM.start_on(vm, on, False, True)
    wait_for(f"{label} to come up", lambda: "TARN-UP" in testbed("serial", "--lines", "1000", label), 120)
    xml = testbed("exec", master, "virsh", "dumpxml", x.VM.get_uuid(vm))
    said = testbed("serial", "--lines", "1000", label)
    x.VM.hard_shutdown(vm)
    return xml, said


efi = guest("boots-uefi")
x.VM.set_HVM_boot_params(efi, {"order": "c", "firmware": "uefi"})
# The firmware itself wants more than this small guest does.
size = str(256 << 20)
x.VM.set_memory_limits(efi, size, size, size, size)
xml, _ = boots(efi)
assert "pflash" in xml, xml
say("a guest booted from its disk under UEFI")

direct = guest("boots-kernel")
kernel, initramfs, _ = subprocess.run(
    [os.environ["TARN_XTASK"], "guest"], check=True, capture_output=True, text=True
).stdout.split()[-3:]
folder = "/var/lib/tarn/agent/guest"
testbed("exec", master, "sh", "-c", f"mkdir -p {folder} && cp {kernel} {initramfs} {folder}")
x.VM.set_PV_kernel(direct, f"{folder}/{os.path.basename(kernel)}")
x.VM.set_PV_ramdisk(direct, f"{folder}/{os.path.basename(initramfs)}")
x.VM.set_PV_args(direct, "console=ttyS0 quiet tarn.ip=10.88.77.7/16")
xml, said = boots(direct)
assert "<kernel>" in xml and "10.88.77.7" in said, said
x.VM.set_PV_kernel(direct, "/etc/passwd")
try:
    x.VM.start(direct, False, True)
    raise AssertionError("a kernel from anywhere")
except XenAPI.Failure as failure:
    say(f"a guest booted from a kernel with its arguments; one from elsewhere is refused: {failure.details[0]}")
assert x.VM.get_power_state(direct) == "Halted"
