"""What the scenarios share: the pool's description, sessions, and the testbed's switches."""

import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import time
import xmlrpc.client

import XenAPI

from waiting import *

pool = json.load(open(sys.argv[1]))
hosts = {h["name"]: h for h in pool["hosts"]}
user, password = pool["username"], pool["password"]


def testbed(*words):
    """Runs `xtask pool ...` on this pool and returns what it prints."""
    command = [os.environ["TARN_XTASK"], "pool", "--dir", os.environ["TARN_DIR"], *words]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


def connection(host, timeout=120):
    """A connection to a host's API that verifies it by the pool's authority."""
    context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    return http.client.HTTPSConnection(host["address"], 443, timeout=timeout, context=context)


def raw(host, method, *params, timeout=5):
    """One raw call: the answer's struct, or None if the host gives none."""
    try:
        wire = connection(host, timeout)
        wire.request("POST", "/", xmlrpc.client.dumps(params, method), {"Content-Type": "text/xml"})
        return xmlrpc.client.loads(wire.getresponse().read())[0][0]
    except OSError:
        return None


class UnixTransport(xmlrpc.client.Transport):
    """XML-RPC over a Unix socket."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def make_connection(self, host):
        wire = http.client.HTTPConnection("localhost")
        wire.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        wire.sock.connect(self.path)
        return wire


def over_socket(host):
    """The API by a host's own socket."""
    return xmlrpc.client.ServerProxy("http://localhost/", transport=UnixTransport(host["socket"]))


def login():
    """A session on whichever host is the master, and that host's name."""

    def attempt():
        for name, host in hosts.items():
            answer = raw(host, "session.login_with_password", user, password, "1.0", "test")
            if answer and answer["Status"] == "Success":
                session = XenAPI.Session(host["https"])
                session.login_with_password(user, password, "1.0", "test")
                raw(host, "session.logout", answer["Value"])
                return session, name
        return None

    return wait_for("a master", attempt)


def ok(answer):
    """The value of a raw answer that must be a success."""
    assert answer and answer["Status"] == "Success", answer
    return answer["Value"]


def refused(code, call, *params):
    """The parameters of the error that a call must end with."""
    try:
        call(*params)
    except XenAPI.Failure as failure:
        assert failure.details[0] == code, failure.details
        return failure.details[1:]
    raise SystemExit(f"{code} was not raised")


def refuses(call, code, *expected):
    """The call ends with exactly this error; `...` stands for any parameter."""
    told = refused(code, call)
    assert len(told) == len(expected) and all(e is ... or e == t for e, t in zip(expected, told)), (told, expected)


def host_refs(x):
    """The hosts' references, by name."""
    return {name: x.host.get_by_uuid(h["uuid"]) for name, h in hosts.items()}


def new_network(x, label, mtu="1500"):
    return x.network.create({
        "name_label": label, "name_description": "", "MTU": mtu, "other_config": {}, "bridge": "",
        "managed": True, "tags": [],
    })


def card(x, host, device):
    """The interface of a host, given by reference, that is hardware of that name."""
    return next(
        ref for ref, p in x.PIF.get_all_records().items()
        if p["host"] == host and p["device"] == device and p["physical"]
    )


def disk_record(sr, **changes):
    return {
        "SR": sr, "virtual_size": str(8 << 20), "type": "user", "sharable": False, "read_only": False,
        "name_label": "disk", "name_description": "", "other_config": {}, "sm_config": {}, "xenstore_data": {},
        "tags": [], **changes,
    }


def new_drive(x, vm, **changes):
    return x.VBD.create({
        "VM": vm, "VDI": "OpaqueRef:NULL", "userdevice": "autodetect", "bootable": False, "mode": "RW",
        "type": "Disk", "unpluggable": True, "empty": False, "other_config": {}, "qos_algorithm_type": "",
        "qos_algorithm_params": {}, **changes,
    })


def statuses():
    """`tarn status` of every host that answers."""
    found = {}
    for name in hosts:
        try:
            config = testbed("exec", name, *tarn("status", "--json"))
            found[name] = json.loads(config.strip().splitlines()[-1])
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired, ValueError, IndexError):
            pass
    return found


def tarn(*words):
    """The node's own command, as run within a host."""
    return [os.path.join(os.environ["TARN_DIR"], "bin", "tarn"), *words, "--config", "/etc/tarn/tarn.toml"]


def same_digest():
    """All hosts have applied the same entries and hold the same rows; the digest, or nothing yet."""
    seen = statuses()
    digests = {s["digest"]["sha256"] for s in seen.values() if s.get("digest")}
    return digests.pop() if len(seen) == len(hosts) and len(digests) == 1 else None
