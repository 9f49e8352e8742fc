"""The master is cut off: it stops serving, the others elect, and afterwards all hold the same rows."""

from tarn import *

session, old = login()
reference = session._session
pool_ref = session.xenapi.pool.get_all()[0]
testbed("cut", old)


def serves_within(host):
    """What the cut-off master answers to itself, since nobody else hears it."""
    script = (
        "import socket,sys,time\n"
        "s=socket.socket(socket.AF_UNIX);s.settimeout(5);s.connect(sys.argv[1])\n"
        "body=sys.argv[2].encode()\n"
        "s.sendall(b'POST / HTTP/1.0\\r\\nContent-Length: %d\\r\\n\\r\\n'%len(body)+body)\n"
        "data=b''\n"
        "while True:\n"
        "    more=s.recv(65536)\n"
        "    if not more: break\n"
        "    data+=more\n"
        "print(data.decode())\n"
    )
    import xmlrpc.client

    body = xmlrpc.client.dumps((reference, pool_ref), "pool.get_record")
    return "<name>Status</name><value>Success</value>" in testbed(
        "exec", host, "python3", "-c", script, "/var/xapi/xapi", body)


wait_for("the old master's silence", lambda: not serves_within(old), 15)
say(f"{old} is cut off and serves no more")


def attempt():
    for name, host in hosts.items():
        if name == old:
            continue
        answer = raw(host, "pool.add_to_other_config", reference, pool_ref, "while-cut", "yes", timeout=3)
        if answer and answer["Status"] == "Success":
            return name
    return None


new = wait_for("a write on the new master", attempt)
testbed("heal", old)
wait_for("the old master as a slave", lambda: (raw(hosts[old], "pool.get_all", reference) or {}).get(
    "ErrorDescription", [None])[0] == "HOST_IS_SLAVE", 60)
digest = wait_for("one digest", same_digest, 60)
say(f"{new} took over, {old} is a slave again, all three have digest {digest[:12]}")
