"""Transfers over plain HTTP, as http.client does them."""

import http.client
import socket
import ssl
import urllib.parse

from tarn import *


def query(**parts):
    return urllib.parse.urlencode({k: v for k, v in parts.items() if v is not None})


def get(host, path, **parts):
    """Status, headers and body; the body is cut where the connection breaks."""
    wire = connection(host)
    wire.request("GET", f"{path}?{query(**parts)}")
    answer = wire.getresponse()
    try:
        body = answer.read()
    except (http.client.IncompleteRead, ConnectionError, ssl.SSLError):
        body = None
    return answer.status, dict((k.lower(), v) for k, v in answer.getheaders()), body


def put(host, path, body, headers=None, **parts):
    """The status, after the answer has ended; nothing if the server stops reading before the body has ended."""
    wire = connection(host)
    try:
        wire.request("PUT", f"{path}?{query(**parts)}", body, headers or {})
        answer = wire.getresponse()
    except (http.client.HTTPException, ConnectionError, ssl.SSLError):
        return None
    try:
        answer.read()
    except (http.client.HTTPException, ConnectionError, ssl.SSLError):
        pass
    return answer.status


def stuttering(host, path, length, first, **parts):
    """Announces a body of some length and sends only its beginning; the connection stays open."""
    wire = connection(host)
    wire.putrequest("PUT", f"{path}?{query(**parts)}")
    wire.putheader("Content-Length", str(length))
    wire.endheaders()
    wire.send(first)
    return wire


def ended(x, reference, status="success"):
    """The record of a task once it has ended as it should; the task is gone then."""
    wait_for(reference, lambda: x.task.get_status(reference) != "pending")
    record = x.task.get_record(reference)
    assert record["status"] == status and record["progress"] == 1.0, record
    x.task.destroy(reference)
    return record


def left(x):
    """All that a transfer that failed could leave behind."""
    return set(x.VM.get_all()) | set(x.VDI.get_all()) | set(x.VBD.get_all()) | set(x.VIF.get_all())


def drives(x, vm):
    """A VM's disks by the position of their drives."""
    records = [x.VBD.get_record(v) for v in x.VM.get_VBDs(vm)]
    return {r["userdevice"]: r["VDI"] for r in records if r["type"] == "Disk"}


def remove(x, vm):
    """Destroys a VM with its disks."""
    disks = drives(x, vm).values()
    x.VM.destroy(vm)
    for vdi in disks:
        x.VDI.destroy(vdi)
