"""Images of disks become VMs, sent by a client or fetched from a URL, as do archives that are fetched."""

import gzip
import hashlib
import http.server
import io
import random
import re
import subprocess
import tarfile
import threading

from scratch import *
from wire import *

session, master = login()
x = session.xenapi
host = hosts[master]
token = session._session
sr = x.SR.get_by_uuid(pool["shared_sr"])
SIZE = 9 << 20


def vms(record):
    return re.findall(r"<value>(OpaqueRef:[^<]*)</value>", record["result"])


def imported(body, status="success", **parts):
    reference = x.task.create("import", "")
    answer = put(host, "/import", body, sr_id=sr, session_id=token, task_id=reference, **parts)
    assert answer == 200 or (answer is None and status == "failure"), answer
    record = ended(x, reference, status)
    return vms(record) if status == "success" else record["error_info"]


def contents(vm):
    [drive] = [v for v in x.VM.get_VBDs(vm) if x.VBD.get_type(v) == "Disk"]
    status, _, body = get(host, "/export_raw_vdi", vdi=x.VBD.get_VDI(drive), session_id=token)
    assert status == 200
    return body


random.seed(5)
content = bytearray(SIZE)
for block in [0, 3, 8]:
    content[block << 20:(block + 1) << 20] = random.randbytes(1 << 20)
content[510:512] = b"\x55\xaa"
content = bytes(content)
open(at("raw.img"), "wb").write(content)
qemu_img("convert", "-f", "raw", "-O", "qcow2", at("raw.img"), at("cloud.qcow2"))
qcow2 = open(at("cloud.qcow2"), "rb").read()
before = left(x)

for label, body in [("of-qcow2", qcow2), ("packed", gzip.compress(qcow2)), ("plain", content)]:
    [vm] = imported(body, name_label=label)
    record = x.VM.get_record(vm)
    assert record["name_label"] == label and not record["is_a_template"] and record["power_state"] == "Halted", record
    assert record["memory_static_max"] == str(1 << 30) and record["HVM_boot_policy"] == "BIOS order", record
    assert len(record["VIFs"]) == 1 and x.VIF.get_MAC(record["VIFs"][0]), record
    assert contents(vm) == content, label
    [drive] = record["VBDs"]
    assert x.VBD.get_bootable(drive) and x.VBD.get_userdevice(drive) == "0"
    assert x.VDI.get_name_label(x.VBD.get_VDI(drive)) == label
    x.VM.start(vm, True, True)
    x.VM.hard_shutdown(vm)
    remove(x, vm)
[vm] = imported(qcow2)
assert x.VM.get_name_label(vm) == "Imported VM"
remove(x, vm)
say("qcow2, packed too, and plain images become VMs")

# xe names the VM by the file, and gives it a disk with what cloud-init reads.
open(at("words"), "w").write("#cloud-config\nhostname: cloud\n")
words = ["vm-import", f"filename={at('cloud.qcow2')}", f"sr-uuid={pool['shared_sr']}", f"user-data={at('words')}"]
vm = x.VM.get_by_uuid(testbed("exec", master, "xe", *words).strip())
assert x.VM.get_name_label(vm) == "cloud"
drives = {x.VBD.get_userdevice(v): x.VBD.get_VDI(v) for v in x.VM.get_VBDs(vm)}
assert len(drives) == 2 and x.VDI.get_name_label(drives["1"]) == "cidata", drives
open(at("seed"), "wb").write(get(host, "/export_raw_vdi", vdi=drives["1"], session_id=token)[2])
for name, said in [("user-data", open(at("words")).read()), ("meta-data", f"instance-id: {x.VM.get_uuid(vm)}\n")]:
    assert subprocess.run(["mtype", "-i", at("seed"), f"::{name}"], capture_output=True, text=True).stdout == said
x.VM.destroy(vm)
for vdi in drives.values():
    x.VDI.destroy(vdi)
say("xe does the same, with a seed for cloud-init")

qemu_img("create", "-f", "qcow2", "-F", "qcow2", "-b", at("cloud.qcow2"), at("leads.qcow2"))
assert imported(open(at("leads.qcow2"), "rb").read(), "failure")[0] == "IMPORT_ERROR"
assert imported(gzip.compress(content), "failure")[0] == "IMPORT_ERROR", "its size is not known"
assert imported(qcow2[:len(qcow2) // 2], "failure") == ["IMPORT_ERROR_PREMATURE_EOF"]
x.SR.scan(sr)
assert left(x) == before
say("images that lead elsewhere, or are cut, leave nothing")

# An appliance: a VM for each machine, its disks in whichever form they come, and a manifest that is believed only if it fits.
DESCRIPTOR = f"""<?xml version="1.0"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
  xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData">
  <References><File ovf:href="a-disk1.vmdk" ovf:id="f1"/><File ovf:href="a-disk2.img" ovf:id="f2"/></References>
  <DiskSection><Info/>
    <Disk ovf:capacity="{SIZE >> 20}" ovf:capacityAllocationUnits="byte * 2^20" ovf:diskId="d1" ovf:fileRef="f1"/>
    <Disk ovf:capacity="{SIZE}" ovf:diskId="d2" ovf:fileRef="f2"/>
    <Disk ovf:capacity="4" ovf:capacityAllocationUnits="byte * 2^20" ovf:diskId="d3"/>
  </DiskSection>
  <VirtualSystem ovf:id="a"><Info/><Name>appliance</Name>
    <VirtualHardwareSection><Info/>
      <Item><rasd:ResourceType>3</rasd:ResourceType><rasd:VirtualQuantity>2</rasd:VirtualQuantity></Item>
      <Item><rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits><rasd:ResourceType>4</rasd:ResourceType>
        <rasd:VirtualQuantity>256</rasd:VirtualQuantity></Item>
      <Item><rasd:AddressOnParent>2</rasd:AddressOnParent><rasd:HostResource>ovf:/disk/d3</rasd:HostResource>
        <rasd:ResourceType>17</rasd:ResourceType></Item>
      <Item><rasd:AddressOnParent>0</rasd:AddressOnParent><rasd:HostResource>ovf:/disk/d1</rasd:HostResource>
        <rasd:ResourceType>17</rasd:ResourceType></Item>
      <Item><rasd:AddressOnParent>1</rasd:AddressOnParent><rasd:HostResource>ovf:/disk/d2</rasd:HostResource>
        <rasd:ResourceType>17</rasd:ResourceType></Item>
      <Item><rasd:ResourceType>10</rasd:ResourceType></Item><Item><rasd:ResourceType>10</rasd:ResourceType></Item>
    </VirtualHardwareSection>
  </VirtualSystem>
</Envelope>""".encode()
qemu_img("convert", "-f", "raw", "-O", "vmdk", "-o", "subformat=streamOptimized", at("raw.img"), at("a.vmdk"))
vmdk = open(at("a.vmdk"), "rb").read()


def appliance(files, says=None):
    """An archive of these files, with a manifest that says this of them or what is true."""
    said = "".join(f"SHA256({name})= {hashlib.sha256(body).hexdigest()}\n" for name, body in (says or files).items())
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, body in [*files.items(), ("a.mf", said.encode())]:
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return packed.getvalue()


parts = {"a.ovf": DESCRIPTOR, "a-disk1.vmdk": vmdk, "a-disk2.img": gzip.compress(content)}
open(at("a.ova"), "wb").write(appliance(parts))
for body in [appliance(parts), gzip.compress(appliance(parts))]:
    [vm] = imported(body)
    record = x.VM.get_record(vm)
    assert record["name_label"] == "appliance" and record["memory_static_max"] == str(256 << 20), record
    assert record["VCPUs_max"] == record["VCPUs_at_startup"] == "2" and len(record["VIFs"]) == 2, record
    drives = {x.VBD.get_userdevice(v): x.VBD.get_VDI(v) for v in record["VBDs"]}
    assert sorted(drives) == ["0", "1", "2"] and x.VDI.get_virtual_size(drives["2"]) == str(4 << 20), drives
    for number, wanted in [("0", content), ("1", content), ("2", bytes(4 << 20))]:
        assert get(host, "/export_raw_vdi", vdi=drives[number], session_id=token)[2] == wanted, number
    x.VM.start(vm, True, True)
    x.VM.hard_shutdown(vm)
    remove(x, vm)
vm = x.VM.get_by_uuid(testbed("exec", master, "xe", "vm-import", f"filename={at('a.ova')}").strip())
assert x.VM.get_name_label(vm) == "appliance"
remove(x, vm)
for body, why in [
    (appliance(parts, parts | {"a-disk1.vmdk": b"other"}), "SHA256 of a-disk1.vmdk is wrong"),
    (appliance({name: body for name, body in parts.items() if name != "a-disk2.img"}), "a-disk2.img is not in the archive"),
    (appliance(parts | {"a-disk1.vmdk": vmdk[:8] + bytes(4) + vmdk[12:]}), "streamOptimized"),
    (appliance(parts | {"a.ovf": DESCRIPTOR.replace(b"/disk/d3", b"/disk/d9")}), "d9 is missing"),
]:
    code, text = imported(body, "failure")
    assert code == "IMPORT_ERROR" and why in text, (code, text)
assert imported(appliance(parts)[:len(vmdk) // 2], "failure") == ["IMPORT_ERROR_PREMATURE_EOF"]
x.SR.scan(sr)
assert left(x) == before
say("appliances become VMs with their disks, and one that is not what it says leaves nothing")


# What a host fetches.
class Files(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/files/cloud.qcow2")
            self.end_headers()
            return
        name = at(os.path.basename(self.path))
        if not os.path.exists(name):
            self.send_error(404)
            return
        body = open(name, "rb").read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
probe.connect((host["address"], 9))
server = http.server.ThreadingHTTPServer((probe.getsockname()[0], 0), Files)
threading.Thread(target=server.serve_forever, daemon=True).start()
# The message's name is a word of Python's own.
fetch, fetch_async = getattr(x.VM, "import"), getattr(x.Async.VM, "import")
base = f"http://{server.server_address[0]}:{server.server_address[1]}"

[vm] = fetch(f"{base}/moved", sr, False, False)
assert x.VM.get_name_label(vm) == "cloud.qcow2" and contents(vm) == content
_, _, archive = get(host, "/export", ref=vm, session_id=token)
open(at("vm.xva"), "wb").write(archive)
uuid = x.VM.get_uuid(vm)
remove(x, vm)
reference = fetch_async(f"{base}/vm.xva", sr, True, False)
[vm] = vms(ended(x, reference))
assert x.VM.get_uuid(vm) == uuid and contents(vm) == content
remove(x, vm)
for url in [f"{base}/none", "ftp://host/x", f"https://{host['address']}/export?uuid={uuid}"]:
    assert refused("IMPORT_ERROR", fetch, url, sr, False, False)[0].startswith("the URL cannot be read")
    assert ended(x, fetch_async(url, sr, False, False), "failure")["error_info"][0] == "IMPORT_ERROR"
refused("HANDLE_INVALID", fetch, base, "OpaqueRef:NULL", False, False)
library = [s for s in x.SR.get_all() if x.SR.get_type(s) == "iso"]
for s in library:
    assert refused("SR_OPERATION_NOT_SUPPORTED", fetch, base, s, False, False) == [s]
x.SR.scan(sr)
assert left(x) == before
say("a host fetches images and archives, and says why where it cannot")
