"""Disks that come and go as raw bytes, VHD, qcow2 and tar, compared by qemu-img."""

import base64
import io
import random
import struct
import tarfile

from scratch import *
from wire import *

session, master = login()
x = session.xenapi
host = hosts[master]
token = session._session
sr = x.SR.get_by_uuid(pool["shared_sr"])
SIZE = 24 << 20


def new(label, size=SIZE):
    return x.VDI.create(disk_record(sr, virtual_size=str(size), name_label=label))


def task(label):
    return x.task.create(label, "")


def upload(vdi, body, status="success", **parts):
    """Puts a body on a disk; what the task says of it."""
    reference = task("upload")
    answer = put(host, "/import_raw_vdi", body, vdi=vdi, session_id=token, task_id=reference, **parts)
    assert answer == 200 or (answer is None and status == "failure"), answer
    return ended(x, reference, status)["error_info"]


def download(vdi, **parts):
    reference = task("download")
    status, headers, body = get(host, "/export_raw_vdi/", vdi=vdi, session_id=token, task_id=reference, **parts)
    assert status == 200 and "content-length" not in headers, (status, headers)
    ended(x, reference)
    return headers, body


random.seed(7)
content = bytearray(SIZE)
for block in [0, 3, 4, 11, 23]:
    content[block << 20:(block + 1) << 20] = random.randbytes(1 << 20)
content[9 << 20] = 1
content = bytes(content)
open(at("raw"), "wb").write(content)
before = set(x.VDI.get_all())

one = new("one")
upload(one, content)
headers, body = download(one)
assert body == content and headers["content-type"] == "application/octet-stream", headers
assert headers["content-disposition"] == f'attachment; filename="{x.VDI.get_uuid(one)}.raw"', headers
say("raw bytes come back")

for form, kind, mime in [("vhd", "vpc", "application/vhd"), ("qcow2", "qcow2", "application/x-qemu-disk")]:
    headers, body = download(one, format=form)
    assert headers["content-type"] == mime and len(body) < SIZE
    open(at("ours"), "wb").write(body)
    qemu_img("compare", "-f", kind, "-F", "raw", at("ours"), at("raw"))
    if kind == "qcow2":
        qemu_img("check", "-f", kind, at("ours"))
    back = new("back")
    upload(back, random.randbytes(SIZE))
    upload(back, body, format=form)
    assert download(back)[1] == content, form
    x.VDI.destroy(back)
say("VHD and qcow2 of ours are sound to qemu-img and come back, also over old content")

for form, kind, options in [
    ("vhd", "vpc", ["-o", "subformat=dynamic,force_size=on"]),
    ("vhd", "vpc", ["-o", "subformat=fixed,force_size=on"]),
    ("qcow2", "qcow2", []),
    ("qcow2", "qcow2", ["-c"]),
]:
    qemu_img("convert", "-f", "raw", "-O", kind, *options, at("raw"), at("theirs"))
    back = new("back")
    upload(back, open(at("theirs"), "rb").read(), format=form)
    assert download(back)[1] == content, (form, options)
    x.VDI.destroy(back)
say("VHD and qcow2 of qemu-img come in")

headers, body = download(one, format="tar")
names = tarfile.open(fileobj=io.BytesIO(body)).getnames()
assert names[:2] == ["vdi/00000000", "vdi/00000000.xxhash"] and "vdi/00000001" not in names, names
back = new("back")
upload(back, body, format="tar")
assert download(back)[1] == content

# Packets, and what differs from a snapshot.
snapshot = x.VDI.snapshot(one)
packets = b""
changed = bytearray(content)
for offset, data in [(5 << 20, b"a" * 4096), ((23 << 20) + 512, b"b" * 100_000)]:
    packets += struct.pack("<QI", offset, len(data)) + data
    changed[offset:offset + len(data)] = data
upload(one, packets + bytes(12), chunked="true")
assert download(one)[1] == bytes(changed)
_, delta = download(one, format="vhd", base=snapshot)
assert len(delta) < 6 << 20, len(delta)
upload(back, delta, format="vhd")
assert download(back)[1] == bytes(changed)
say(f"packets land where they say; a difference of {len(delta)} bytes makes the whole again")

# Over a disk that is there: all of it, or only what differs from a third one.
local = x.SR.create(host_refs(x)[master], {"location": "/var/lib/tarn/other"}, "0", "other", "", "file", "user", False, {})
null = "OpaqueRef:NULL"
for home in [sr, local]:
    larger = x.VDI.create(disk_record(home, virtual_size=str(SIZE + (2 << 20)), name_label="larger"))
    upload(larger, random.randbytes(SIZE + (2 << 20)))
    end = download(larger)[1][SIZE:]
    assert x.VDI.copy(one, null, null, larger) == larger
    assert download(larger)[1] == bytes(changed) + end
    assert int(x.VDI.get_physical_utilisation(larger)) > 0 and not x.VDI.get_current_operations(one)
    noise = random.randbytes(SIZE)
    upload(larger, noise)
    x.VDI.copy(one, sr, snapshot, larger)
    mixed = download(larger)[1][:SIZE]
    for offset, length in [(5 << 20, 4096), ((23 << 20) + 512, 100_000)]:
        assert mixed[offset:offset + length] == changed[offset:offset + length]
    touched = {at // 65536 for at in range(0, SIZE, 65536) if mixed[at:at + 65536] != noise[at:at + 65536]}
    assert touched == {(5 << 20) // 65536, (23 << 20) // 65536, (23 << 20) // 65536 + 1}, touched
    fresh = x.VDI.copy(one, home, snapshot, null)
    assert fresh not in before and x.VDI.get_SR(fresh) == home and x.VDI.get_name_label(fresh) == "one"
    only = bytearray(SIZE)
    for block in touched:
        only[block * 65536:(block + 1) * 65536] = changed[block * 65536:(block + 1) * 65536]
    assert download(fresh)[1] == bytes(only)
    x.VDI.destroy(fresh)
    x.VDI.destroy(larger)
small = new("small", SIZE - (1 << 20))
assert refused("VDI_TOO_SMALL", x.VDI.copy, one, null, null, small) == [small, str(SIZE)]
assert refused("HANDLE_INVALID", x.VDI.copy, one, null, null, sr)[0] == "VDI"
assert refused("OTHER_OPERATION_IN_PROGRESS", x.VDI.copy, one, null, null, one)[:2] == ["VDI", one]
x.VDI.destroy(small)
for plug in x.SR.get_PBDs(local):
    x.PBD.unplug(plug)
x.SR.forget(local)
say("a disk is copied over another one, whole or where it differs")

# qcow2 children, and changes that are told and sent though the earlier snapshot has given up its data.
uuids = [x.VDI.get_uuid(disk) for disk in (snapshot, one)]
for uuid, disk, parts in [(uuids[0], snapshot, {}), (uuids[1], one, {"base": snapshot})]:
    headers, body = download(disk, format="qcow2", **parts)
    assert headers["content-disposition"] == f'attachment; filename="{uuid}.qcow2"', headers
    open(at(f"{uuid}.qcow2"), "wb").write(body)
open(at("changed"), "wb").write(changed)
qemu_img("check", "-f", "qcow2", at(f"{uuids[1]}.qcow2"))
qemu_img("compare", "-f", "qcow2", "-F", "raw", at(f"{uuids[1]}.qcow2"), at("changed"))
assert os.path.getsize(at(f"{uuids[1]}.qcow2")) < 1 << 20

x.VDI.enable_cbt(one)
first = x.VDI.snapshot(one)
spots = [(3 << 20, b"c" * 70_000), (12 << 20, b"d")]
upload(one, b"".join(struct.pack("<QI", o, len(d)) + d for o, d in spots) + bytes(12), chunked="true")
second = x.VDI.snapshot(one)
x.VDI.data_destroy(first)
bits = base64.b64decode(x.VDI.list_changed_blocks(first, second))
assert len(bits) == SIZE >> 19, len(bits)
found = [i for i in range(len(bits) * 8) if bits[i // 8] & (0x80 >> i % 8)]
assert found == [48, 49, 192], found
for offset, data in spots:
    changed[offset:offset + len(data)] = data
for form in ["vhd", "qcow2"]:
    _, delta = download(second, format=form, base=first)
    assert len(delta) < 6 << 20, (form, len(delta))
    if form == "vhd":
        upload(back, delta, format="vhd")
        assert download(back)[1] == bytes(changed)
reference = task("no data")
assert get(host, "/export_raw_vdi", vdi=first, session_id=token, task_id=reference)[0] != 200
assert ended(x, reference, "failure")["error_info"] == ["VDI_INCOMPATIBLE_TYPE", first, "cbt_metadata"]
x.VDI.destroy(first)
x.VDI.destroy(second)
x.VDI.disable_cbt(one)
say(f"a snapshot without data still tells the {len(found)} blocks that were written since, and they suffice")

# A disk made for what comes.
reference = task("made")
assert put(host, "/import_raw_vdi", content[:4 << 20], sr_id=sr, session_id=token, task_id=reference) == 200
wait_for("the task", lambda: x.task.get_status(reference) == "success")
made = x.task.get_result(reference)[len("<value>"):-len("</value>")]
assert x.VDI.get_name_label(made) == "Imported VDI" and download(made)[1] == content[:4 << 20]
for disk in [made, back, snapshot, one]:
    x.VDI.destroy(disk)

# What is refused, and when.
bad = new("bad", 4 << 20)
assert upload(bad, content, "failure")[0] == "VDI_IO_ERROR"
assert upload(bad, b"conectix" + bytes(600), "failure", format="vhd")[0] == "IMPORT_ERROR"
leads = bytearray(open(at("theirs"), "rb").read())
leads[8:16] = struct.pack(">Q", 200)
assert upload(bad, bytes(leads), "failure", format="qcow2")[0] == "IMPORT_ERROR"
reference = task("unknown format")
assert get(host, "/export_raw_vdi", vdi=bad, format="ova", session_id=token, task_id=reference)[0] == 404
assert ended(x, reference, "failure")["error_info"][0] == "INTERNAL_ERROR"
assert put(host, "/import_raw_vdi", b"", session_id=token) == 400
assert put(host, "/import_raw_vdi", b"", vdi=bad, session_id=token, format="vhd", chunked="1") == 404
assert put(host, "/import_raw_vdi", [b"a"], {"Transfer-Encoding": "chunked"}, vdi=bad, session_id=token) == 404
assert get(host, "/export_raw_vdi", vdi="OpaqueRef:00000000-0000-4000-8000-000000000000", session_id=token)[0] == 500
assert get(host, "/export_raw_vdi", vdi=bad, session_id=token, task_id="OpaqueRef:00000000-0000-4000-8000-000000000000")[0] == 500
status, headers, _ = get(host, "/export_raw_vdi", vdi=bad)
assert status == 401 and headers["www-authenticate"] == 'Basic realm="VDI.export_raw"', headers

# Name and password do as well as a session; another host sends the client on.
wire = connection(host)
basic = base64.b64encode(f"{user}:{password}".encode()).decode()
wire.request("GET", f"/export_raw_vdi?vdi={bad}", headers={"Authorization": f"Basic {basic}"})
assert len(wire.getresponse().read()) == 4 << 20
slave = next(h for n, h in hosts.items() if n != master)
status, headers, _ = get(slave, "/export_raw_vdi", vdi=bad, session_id=token)
assert status == 302, status
assert headers["location"] == f"https://{host['address']}/export_raw_vdi?{query(vdi=bad, session_id=token)}", headers
say("what cannot be is refused with its status, and by name in the task")

# Cancelled, and cut off: the disk is free again. Meanwhile no VM can open it.
owner = x.VM.clone(x.VM.get_by_uuid(pool["template"]), "owner")
x.VM.set_is_a_template(owner, False)
for drive in x.VM.get_VBDs(owner):
    x.VBD.destroy(drive)
x.VBD.create(dict(VM=owner, VDI=bad, userdevice="0", bootable=True, mode="RW", type="Disk", unpluggable=False,
                  empty=False, other_config={}, qos_algorithm_type="", qos_algorithm_params={}))
for cut in [True, False]:
    reference = task("cancelled")
    wire = stuttering(host, "/import_raw_vdi", 4 << 20, content[:1 << 20], vdi=bad, session_id=token, task_id=reference)
    wait_for("the upload", lambda: x.VDI.get_current_operations(bad))
    assert refused("OTHER_OPERATION_IN_PROGRESS", x.VM.start, owner, False, False)[:2] == ["VDI", bad]
    if cut:
        wire.sock.shutdown(socket.SHUT_RDWR)
        wire.close()
        assert ended(x, reference, "failure")["error_info"][0] == "IMPORT_ERROR_PREMATURE_EOF"
    else:
        assert x.task.get_allowed_operations(reference) == ["cancel"]
        x.task.cancel(reference)
        assert ended(x, reference, "cancelled")["error_info"] == ["TASK_CANCELLED", reference]
    wait_for("the disk", lambda: not x.VDI.get_current_operations(bad))
x.VM.destroy(owner)
# What an update in the old form would be looked for in: a hand-made ISO image with one file at its top.


def iso(name, content):
    """An image with a file in its root directory, by ECMA-119."""
    def record(name, sector, size, flags=0):
        body = bytes([0, 0]) + struct.pack("<I4xI4x", sector, size) + bytes(7) + bytes([flags]) + bytes(6)
        body += bytes([len(name)]) + name.encode() + bytes((33 + len(name)) % 2)
        return bytes([len(body)]) + body[1:]
    described = b"\x01CD001\x01" + bytes(149) + record("\0", 20, 2048, 2)
    sectors = {16: described, 17: b"\xffCD001\x01", 20: record(name, 21, len(content)), 21: content}
    return b"".join(sectors.get(number, b"").ljust(2048, b"\0") for number in range(512))


vendors = b"<update name-label='a' uuid='6fa5a1c6-1a5b-4b6e-9d25-0d9a3f7a1f10'/>"
for wanted, image in [("no ISO image", bytes(1 << 20)), ("no update.xml", iso("OTHER.TXT;1", b"")),
                      ("describes no update", iso("UPDATE.XML;1", b"<other/>")),
                      ("signed by its vendor", iso("UPDATE.XML;1", vendors))]:
    update = new("update", len(image))
    upload(update, image)
    [why] = refused("INVALID_UPDATE", x.pool_update.introduce, update)
    assert wanted in why, why
    x.VDI.destroy(update)
say("a disk is looked at for an update, and what is wrong with it is said")
x.VDI.destroy(bad)
assert set(x.VDI.get_all()) == before
say("an upload that is cut off or cancelled ends its task and frees the disk")
