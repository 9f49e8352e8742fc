#!/usr/bin/env python3
"""Prints what changes in a pool, one JSON object a line, and goes on when another host becomes the master.

    watch.py USER PASSWORD CLASSES https://HOST [https://HOST ...]

CLASSES are names of classes with commas between, or * for all. The first lines tell what there is; each later one that
something was added, changed or deleted. A token stays good on every master, so that nothing is missed and nothing is
told twice. Needs the package XenAPI from PyPI; SSL_CERT_FILE names the file with the pool's authority.
"""

import http.client
import itertools
import json
import socket
import sys
import time
import xmlrpc.client

import XenAPI

# Longest wait in one call, and then for the answer itself: a host that lost its power says nothing at all.
WAIT = 5.0
socket.setdefaulttimeout(15)
BROKEN = (OSError, http.client.HTTPException, xmlrpc.client.Error)


def sessions(user, password, urls):
    """Sessions on the master, a new one each time that one is asked for."""
    for url in itertools.cycle(urls):
        while url:
            session = XenAPI.Session(url)
            try:
                session.login_with_password(user, password, "1.0", "watch.py")
                yield session
                break
            except XenAPI.Failure as failure:
                # A slave names the master. One that knows none yet is asked again later.
                is_slave = failure.details[0] == "HOST_IS_SLAVE"
                if not is_slave and failure.details[0] != "HOST_STILL_BOOTING":
                    raise
                url = "https://" + failure.details[1] if is_slave else None
            except BROKEN:
                break
        time.sleep(0.2)


def events(user, password, classes, urls):
    """All that happens, for ever."""
    token = ""
    for session in sessions(user, password, urls):
        try:
            while True:
                batch = getattr(session.xenapi.event, "from")(classes, token, WAIT)
                token = batch["token"]
                yield from batch["events"]
        except XenAPI.Failure as failure:
            if failure.details[0] not in ("HOST_IS_SLAVE", "HOST_STILL_BOOTING", "SESSION_INVALID"):
                raise
        except BROKEN:
            pass


def main(user, password, classes, *urls):
    for event in events(user, password, classes.split(","), urls):
        told = {name: event[name] for name in ("class", "operation", "ref", "id")}
        record = event.get("snapshot") or {}
        if "name_label" in record:
            told["name_label"] = record["name_label"]
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        pass
