"""What the scenarios share: the pool's description, sessions, and the testbed's switches."""

import json
import os
import subprocess
import sys
import time

import XenAPI

pool = json.load(open(sys.argv[1]))
hosts = {h["name"]: h for h in pool["hosts"]}
user, password = pool["username"], pool["password"]


def testbed(*words):
    """Runs `xtask pool ...` on this pool and returns what it prints."""
    command = [os.environ["TARN_XTASK"], "pool", "--dir", os.environ["TARN_DIR"], *words]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


def wait_for(what, holds, seconds=60):
    """Polls until something holds, and returns it."""
    deadline = time.monotonic() + seconds
    while True:
        found = holds()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.05)


def raw(host, method, *params, timeout=5):
    """One raw call: the answer's struct, or None if the host gives none."""
    try:
        import http.client
        import ssl
        import xmlrpc.client

        body = xmlrpc.client.dumps(params, method)
        context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
        connection = http.client.HTTPSConnection(host["address"], 443, timeout=timeout, context=context)
        connection.request("POST", "/", body, {"Content-Type": "text/xml"})
        return xmlrpc.client.loads(connection.getresponse().read())[0][0]
    except OSError:
        return None


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


def say(text):
    print(text, flush=True)
