"""Screens and serial ports through /console on every host, wherever the VM runs."""

import base64
import os
import socket
import ssl
import struct

from tarn import *

session, master = login()
x = session.xenapi
template = x.VM.get_by_uuid(pool["template"])
refs = host_refs(x)


class Wire:
    """One TLS connection and what has come over it."""

    def __init__(self, host):
        context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
        plain = socket.create_connection((host["address"], 443), timeout=30)
        self.sock = context.wrap_socket(plain, server_hostname=host["address"])
        self.rest = b""

    def send(self, data):
        self.sock.sendall(data)

    def some(self):
        try:
            data = self.sock.recv(65536)
        except (ConnectionError, ssl.SSLError):
            data = b""
        self.rest += data
        return data

    def take(self, count):
        while len(self.rest) < count:
            assert self.some(), f"closed after {self.rest!r}"
        found, self.rest = self.rest[:count], self.rest[count:]
        return found

    def until(self, mark):
        while mark not in self.rest:
            assert self.some(), f"closed after {self.rest[-400:]!r}"
        found, self.rest = self.rest.split(mark, 1)
        return found

    def head(self):
        """Status and headers of an answer; nothing if the connection closes without one."""
        while b"\r\n\r\n" not in self.rest:
            if not self.some():
                return None, {}
        lines = self.until(b"\r\n\r\n").decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        return int(lines[0].split()[1]), headers


def connect(host, query, cookie=True):
    """CONNECT as XenCenter and the command line do it."""
    wire = Wire(host)
    secret = f"Cookie: session_id={session._session}\r\n" if cookie else ""
    wire.send(f"CONNECT /console?{query} HTTP/1.0\r\n{secret}\r\n".encode())
    return wire, *wire.head()


def look(wire):
    """An RFB handshake and one whole picture: the screen's size and how many colours are on it."""
    version = wire.take(12)
    assert version == b"RFB 003.008\n", version
    wire.send(version)
    kinds = wire.take(wire.take(1)[0])
    assert 1 in kinds, kinds
    wire.send(b"\x01")
    assert wire.take(4) == bytes(4), "refused"
    wire.send(b"\x01")
    width, height = struct.unpack(">HH", wire.take(4))
    depth = wire.take(16)[0] // 8
    name = wire.take(struct.unpack(">I", wire.take(4))[0])
    wire.send(struct.pack(">BBHI", 2, 0, 1, 0))
    wire.send(struct.pack(">BBHHHH", 3, 0, 0, 0, width, height))
    seen = set()
    area = 0
    while area < width * height:
        kind, count = struct.unpack(">BxH", wire.take(4))
        assert kind == 0, kind
        for _ in range(count):
            _, _, w, h, encoding = struct.unpack(">HHHHi", wire.take(12))
            assert encoding == 0, encoding
            pixels = wire.take(w * h * depth)
            seen.update(pixels[i:i + depth] for i in range(0, len(pixels), depth))
            area += w * h
    return width, height, len(seen), name


def consoles(vm):
    return {r["protocol"]: r for r in map(x.console.get_record, x.VM.get_consoles(vm))}


vm = x.VM.clone(template, "seen")
x.VM.provision(vm)
home = list(hosts)[1]
x.VM.start_on(vm, refs[home], False, True)
wait_for("the guest", lambda: "TARN-UP" in testbed("serial", "seen"))

screen, serial = consoles(vm)["rfb"], consoles(vm)["vt100"]
assert screen["location"] == f"https://{hosts[home]['address']}/console?uuid={screen['uuid']}", screen
for name, host in hosts.items():
    for query in [f"uuid={screen['uuid']}", f"ref={vm}"]:
        wire, status, _ = connect(host, query)
        assert status == 200, (name, query, status)
        width, height, colours, _ = look(wire)
        assert width >= 640 and height >= 350, (width, height)
        assert colours > 1, "a blank screen"
say(f"every host shows the screen of the guest: {width} x {height}, {colours} colours")

for name, host in hosts.items():
    wire, status, _ = connect(host, f"uuid={serial['uuid']}")
    assert status == 200, (name, status)
    wire.until(b"TARN-COUNT")
    word = f"typed-on-{name}"
    wire.send(f"read {word}\n".encode())
    wire.until(f"TARN-READ {word}".encode())
say("what is typed on the serial port comes back, through every host")

for name, host in hosts.items():
    wire = Wire(host)
    key = base64.b64encode(os.urandom(16)).decode()
    wire.send((
        f"GET /console?ref={vm}&session_id={session._session} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
        "Sec-WebSocket-Protocol: binary\r\n\r\n"
    ).encode())
    status, headers = wire.head()
    assert status == 101 and headers["sec-websocket-protocol"] == "binary", (status, headers)
    kind, length = wire.take(2)
    assert kind == 0x82 and wire.take(length) == b"RFB 003.008\n"
say("the same over WebSocket")

host = hosts[master]
_, status, headers = connect(host, f"ref={vm}", cookie=False)
assert status == 401 and headers["www-authenticate"].startswith("basic realm="), (status, headers)
_, status, _ = connect(host, "ref=OpaqueRef:00000000-0000-4000-8000-000000000000")
assert status is None, status

# It moves: the old rows go, the new ones name the new host.
away = list(hosts)[2]
x.VM.pool_migrate(vm, refs[away], {"live": "true"})
moved = consoles(vm)["rfb"]
assert hosts[away]["address"] in moved["location"] and moved["uuid"] != screen["uuid"], moved
wire, status, _ = connect(hosts[home], f"uuid={moved['uuid']}")
assert status == 200
look(wire)
say("a guest that has moved is seen through the host it has left")

x.VM.hard_shutdown(vm)
assert consoles(vm) == {}
_, status, _ = connect(host, f"ref={vm}")
assert status is None, status

# The guide's chapter on guests without VNC.
x.VM.add_to_other_config(vm, "disable_pv_vnc", "1")
x.VM.start(vm, False, True)
assert list(consoles(vm)) == ["vt100"]
wire, status, _ = connect(host, f"ref={vm}")
assert status == 200
wire.until(b"TARN-")
x.VM.hard_shutdown(vm)
x.VM.destroy(vm)
say("a guest without VNC has its serial port alone")
