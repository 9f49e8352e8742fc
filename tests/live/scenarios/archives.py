"""VMs that travel as XVA: out and in again, packed, restored, from an independent writer, and broken in every way."""

import hashlib
import io
import random
import re
import tarfile
import xmlrpc.client

from wire import *

session, master = login()
x = session.xenapi
host = hosts[master]
token = session._session
sr = x.SR.get_by_uuid(pool["shared_sr"])
template = x.VM.get_by_uuid(pool["template"])
MIB = 1 << 20


def new_task(label):
    return x.task.create(label, "")


def export(vm, **parts):
    reference = new_task("export")
    status, headers, body = get(host, "/export/", ref=vm, session_id=token, task_id=reference, **parts)
    assert status == 200 and headers["task-id"] == reference, (status, headers)
    assert headers["content-disposition"] == 'attachment; filename="export.xva"', headers
    ended(x, reference)
    return body


def imported(body, **parts):
    reference = new_task("import")
    assert put(host, "/import/", body, sr_id=sr, session_id=token, task_id=reference, **parts) == 200
    record = ended(x, reference)
    assert record["other_config"]["object_creation"] == "complete", record
    return re.findall(r"<value>(OpaqueRef:[^<]*)</value>", record["result"])


def refused(body, **parts):
    """The error of an import that fails, which leaves nothing."""
    before = left(x)
    reference = new_task("import")
    assert put(host, "/import/", body, sr_id=sr, session_id=token, task_id=reference, **parts) in (200, None)
    error = ended(x, reference, "failure")["error_info"]
    x.SR.scan(sr)
    assert left(x) == before, (error, left(x) ^ before)
    return error


def contents(vm):
    found = {}
    for device, vdi in drives(x, vm).items():
        status, _, body = get(host, "/export_raw_vdi", vdi=vdi, session_id=token)
        assert status == 200
        found[device] = hashlib.sha256(body).hexdigest()
    return found


def boots(vm, label):
    x.VM.start(vm, False, True)
    wait_for(label, lambda: "TARN-UP" in testbed("serial", label))
    x.VM.hard_shutdown(vm)


vm = x.VM.clone(template, "traveller")
x.VM.provision(vm)
random.seed(11)
extra = x.VDI.create({
    "SR": sr, "virtual_size": str(13 * MIB), "type": "user", "sharable": False, "read_only": False,
    "name_label": "extra", "name_description": "", "other_config": {"k": "v"}, "sm_config": {}, "xenstore_data": {},
    "tags": [],
})
data = bytearray(13 * MIB)
for block in [2, 3, 9]:
    data[block * MIB:(block + 1) * MIB] = random.randbytes(MIB)
assert put(host, "/import_raw_vdi", bytes(data), vdi=extra, session_id=token) == 200
x.VBD.create({
    "VM": vm, "VDI": extra, "userdevice": "5", "bootable": False, "mode": "RW", "type": "Disk", "unpluggable": True,
    "empty": False, "other_config": {}, "qos_algorithm_type": "", "qos_algorithm_params": {},
})
x.VM.set_name_description(vm, "has <been> & will be")
whole = contents(vm)
macs = {x.VIF.get_device(v): x.VIF.get_MAC(v) for v in x.VM.get_VIFs(vm)}
uuid = x.VM.get_uuid(vm)

archive = export(vm)
members = tarfile.open(fileobj=io.BytesIO(archive)).getmembers()
names = [m.name for m in members]
assert names[0] == "ova.xml"
folders = list(dict.fromkeys(n.split("/")[0] for n in names[1:]))
assert folders == sorted(folders) and len(folders) == len(whole), folders
assert all(a + ".xxhash" == b for a, b in zip(names[1::2], names[2::2])), names[:6]
assert len(archive) < 200 * MIB
records = xmlrpc.client.loads(
    b"<params><param>" + tarfile.open(fileobj=io.BytesIO(archive)).extractfile("ova.xml").read() + b"</param></params>")[0][0]
assert int(records["version"]["export_vsn"]) == 2
assert {o["class"] for o in records["objects"]} >= {"VM", "VBD", "VDI", "SR"}, records["objects"]
assert b"OpaqueRef:" not in repr(records).encode().replace(b"OpaqueRef:NULL", b"")
say(f"exported: {len(names)} members, {len(archive) >> 20} MiB")

[twin] = imported(archive)
assert x.VM.get_uuid(twin) != uuid and x.VM.get_name_label(twin) == "traveller"
assert x.VM.get_name_description(twin) == "has <been> & will be"
assert contents(twin) == whole
assert {x.VIF.get_device(v): x.VIF.get_MAC(v) for v in x.VM.get_VIFs(twin)} != macs or not macs
x.VM.set_name_label(twin, "twin")
boots(twin, "twin")
remove(x, twin)
say("imported: every byte of every disk, and it boots")

for packing in ["zstd", "true"]:
    packed = export(vm, use_compression=packing)
    assert len(packed) < len(archive)
    [twin] = imported(packed)
    assert contents(twin) == whole
    remove(x, twin)
say("packed with zstd and gzip it is the same")

remove(x, vm)
[vm] = imported(archive, restore="true")
assert x.VM.get_uuid(vm) == uuid and contents(vm) == whole
assert {x.VIF.get_device(v): x.VIF.get_MAC(v) for v in x.VM.get_VIFs(vm)} == macs
assert refused(archive, restore="true")[0] == "VM_TO_IMPORT_IS_NOT_NEWER_VERSION"
boots(vm, "traveller")
say("restored: the same uuid and addresses, and it boots")

# Of a running VM nothing is sent.
x.VM.start(vm, False, True)
reference = new_task("export")
status, _, _ = get(host, "/export", uuid=uuid, session_id=token, task_id=reference)
assert status == 500, status
assert ended(x, reference, "failure")["error_info"] == ["VM_BAD_POWER_STATE", vm, "halted, suspended", "running"]
x.VM.hard_shutdown(vm)

# An independent writer: Python's tar, SHA-1, last piece filled up, zeros left out.
source = {m.name: tarfile.open(fileobj=io.BytesIO(archive)).extractfile(m).read() for m in members[:1]}["ova.xml"]
disk = next(o for o in records["objects"] if o["class"] == "VDI" and o["snapshot"]["name_label"] == "extra")


def pieces(change=lambda name, content: (name, content), folder=None, checksum=None):
    """An archive of the VM with all disks as they are, by an independent writer."""
    out = io.BytesIO()
    tar = tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT)

    def add(name, content):
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))

    add(*change("ova.xml", source))
    reader = tarfile.open(fileobj=io.BytesIO(archive))
    for name in names[1:]:
        if not name.endswith(".xxhash"):
            content = reader.extractfile(name).read()
            name, content = change(name, content.ljust(MIB, b"\0"))
            add(name, content)
            add(name + ".checksum", (checksum or hashlib.sha1(content).hexdigest()).encode())
    tar.close()
    return out.getvalue()


foreign = pieces()
[twin] = imported(foreign)
assert contents(twin) == whole
remove(x, twin)
say("an archive of an independent writer comes in")

assert refused(b"") == ["IMPORT_ERROR_PREMATURE_EOF"]
assert refused(foreign[:len(foreign) // 2]) == ["IMPORT_ERROR_PREMATURE_EOF"]
assert refused(pieces(checksum="0" * 40))[0] == "IMPORT_ERROR"
assert refused(pieces(lambda n, c: (n if n == "ova.xml" else "../../etc/00000000", c)))[0] == "IMPORT_ERROR"
assert refused(pieces(lambda n, c: ("not.xml" if n == "ova.xml" else n, c))) == [
    "IMPORT_ERROR_UNEXPECTED_FILE", "ova.xml", "not.xml"]
size = str(13 * MIB).encode()
absurd = pieces(lambda n, c: (n, c.replace(b">" + size + b"<", b">9000000000000000000<") if n == "ova.xml" else c))
assert refused(absurd)[0] == "IMPORT_ERROR"
huge = bytearray(foreign)
huge[124:136] = b"\x80" + b"\0" * 3 + b"\x7f" * 8
huge[148:156] = b"        "
huge[148:156] = b"%06o\0 " % sum(huge[:512])
assert refused(bytes(huge))[0] == "IMPORT_ERROR"
wrong = bytearray(archive)
wrong[archive.index(folders[0].encode() + b"/00000000\0") + 4096] ^= 1
assert refused(bytes(wrong))[0] == "IMPORT_ERROR"
say("archives that are cut, wrong, absurd, or lead elsewhere are refused and leave nothing")

reference = new_task("chunked")
status = put(host, "/import", [b"a"], {"Transfer-Encoding": "chunked"}, sr_id=sr, session_id=token, task_id=reference)
assert status == 403 and ended(x, reference, "failure")["error_info"] == ["IMPORT_ERROR_CANNOT_HANDLE_CHUNKED"]

# A probe, as Xen Orchestra sends it; then a stream of unknown length, dropped after its last byte.
assert put(host, "/import/", b"", session_id=token, sr_id=sr) == 200
reference = new_task("dropped")
wire = stuttering(host, "/import/", 1125899906842624, foreign, sr_id=sr, session_id=token, task_id=reference)
assert wire.getresponse().status == 200
record = ended(x, reference)
remove(x, re.search(r"OpaqueRef:[^<]*", record["result"]).group())
say("the answer comes before the body, which may be of any announced length")

# Cut off and cancelled in the middle: nothing stays.
for cut in [True, False]:
    before = left(x)
    reference = new_task("broken")
    wire = stuttering(host, "/import/", len(foreign), foreign[:len(foreign) // 2], sr_id=sr, session_id=token, task_id=reference)
    wait_for("progress", lambda: x.task.get_progress(reference) > 0 or x.task.get_status(reference) != "pending")
    x.SR.scan(sr)
    assert left(x) == before, "a scan lists no disk that is half made"
    if cut:
        wire.sock.shutdown(socket.SHUT_RDWR)
        assert ended(x, reference, "failure")["error_info"] == ["IMPORT_ERROR_PREMATURE_EOF"]
    else:
        x.task.cancel(reference)
        assert ended(x, reference, "cancelled")["error_info"] == ["TASK_CANCELLED", reference]
    x.SR.scan(sr)
    assert left(x) == before
say("an upload that breaks off or is cancelled leaves nothing behind")

# Records alone.
status, headers, body = get(host, "/export_metadata", ref=vm, session_id=token)
assert status == 200 and int(headers["content-length"]) == len(body)
assert tarfile.open(fileobj=io.BytesIO(body)).getnames() == ["ova.xml"]
disks = drives(x, vm)
x.VM.destroy(vm)
reference = new_task("dry")
assert put(host, "/import_metadata", body, session_id=token, task_id=reference, restore="true", dry_run="true") == 200
ended(x, reference)
try:
    x.VM.get_by_uuid(uuid)
    raise SystemExit("a dry run made a VM")
except XenAPI.Failure as failure:
    assert failure.details[0] == "UUID_INVALID", failure.details
reference = new_task("metadata")
assert put(host, "/import_metadata", body, session_id=token, task_id=reference, restore="true") == 200
ended(x, reference)
vm = x.VM.get_by_uuid(uuid)
assert drives(x, vm) == disks
remove(x, vm)
say("records alone go out and come in, and find their disks again")
