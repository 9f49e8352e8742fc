"""Transfers over plain HTTP, as http.client does them."""

import http.client
import os
import socket
import ssl
import urllib.parse

from tarn import *


def connection(host, timeout=120):
    context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    return http.client.HTTPSConnection(host["address"], 443, timeout=timeout, context=context)


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
