"""A trusted platform module goes where its VM goes; Secure Boot's modes. With `qemu` on real hosts: with swtpm."""

import base64

from tarn import *

real = "qemu" in sys.argv
session, master = login()
x = session.xenapi
template = x.VM.get_by_uuid(pool["template"])
vm = x.VM.clone(template, "has a TPM")
x.VM.provision(vm)
rows = host_refs(x)
first, second, third = sorted(rows)

tpm = x.VTPM.create(vm, False)
assert refused("VTPM_MAX_AMOUNT_REACHED", x.VTPM.create, vm, False) == ["1"]
record = x.VTPM.get_record(tpm)
assert record["VM"] == vm and record["persistence_backend"] == "xapi" and not record["is_unique"]
assert x.VM.get_VTPMs(vm) == [tpm]


def contents(of=tpm):
    """What a module holds: for the superuser only."""
    return base64.b64decode(x.VTPM.get_contents(of))


def pieces(blob):
    """Every run of 16 bytes: by these a module's seeds are found, wherever they lie."""
    return {blob[at:at + 16] for at in range(len(blob) - 15)}


assert contents() == b"", "a new module holds nothing before it has run"
x.VM.start_on(vm, rows[first], False, True)
refused("VM_BAD_POWER_STATE", x.VTPM.destroy, tpm)
if real:
    xml = testbed("exec", first, "virsh", "dumpxml", x.VM.get_uuid(vm))
    assert "<tpm model='tpm-crb'>" in xml and "emulator" in xml, xml
x.VM.hard_shutdown(vm)
held = contents()
assert len(held) >= 16
say(f"a module that has run holds {len(held)} bytes, and they are in the pool")

x.VM.start_on(vm, rows[second], False, True)
x.VM.pool_migrate(vm, rows[third], {"live": "true"})
assert x.VM.get_resident_on(vm) == rows[third]
x.VM.hard_shutdown(vm)
after = contents()
# A real one counts its starts, so that it is not the same to the byte; its seeds are, which no other module has.
stranger = x.VM.clone(template, "has another")
x.VM.provision(stranger)
x.VTPM.create(stranger, False)
x.VM.start_on(stranger, rows[first], False, True)
x.VM.hard_shutdown(stranger)
seeds = pieces(held) - pieces(contents(x.VM.get_VTPMs(stranger)[0]))
x.VM.destroy(stranger)
kept = len(seeds & pieces(after))
say(f"{kept} of {len(seeds)} pieces that are its own are there still")
assert kept > len(seeds) / 2 > 0, (kept, len(seeds))
assert real or after == held
say("it went with its VM to two more hosts")

other = x.VM.clone(template, "takes it over")
x.VM.provision(other)
taken = x.VTPM.create(other, True)
x.VTPM.set_contents(taken, base64.b64encode(after).decode())
assert base64.b64decode(x.VTPM.get_contents(taken)) == after
refused("INVALID_VALUE", x.VTPM.set_contents, taken, "no base64!")
x.VTPM.destroy(taken)
refused("HANDLE_INVALID", x.VTPM.get_record, taken)
x.VM.destroy(other)

refused("OPERATION_NOT_ALLOWED", x.VM.set_uefi_mode, vm, "setup")
assert x.VM.get_secureboot_readiness(vm) == "not_supported"
x.VM.set_HVM_boot_params(vm, {"order": "c", "firmware": "uefi"})
x.VM.set_platform(vm, {**x.VM.get_platform(vm), "secureboot": "true"})
x.VM.set_uefi_mode(vm, "setup")
assert x.VM.get_secureboot_readiness(vm) == "setup_mode"
x.VM.set_uefi_mode(vm, "user")
assert x.VM.get_secureboot_readiness(vm) in ("ready", "first_boot")
[row] = x.pool.get_all()
assert x.pool.get_guest_secureboot_readiness(row) == ("ready_no_dbx" if real else "not_ready")
x.VM.destroy(vm)
assert tpm not in x.VTPM.get_all()
say("modes of Secure Boot, and a module goes with its VM")
