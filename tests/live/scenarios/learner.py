"""A machine that is no host of the pool takes its log in: it has every row, votes on nothing, and the pool comes back from what
it knows when no host is left."""

import ssl
import xmlrpc.client

from tarn import *

session, master = login()
x = session.xenapi
where = next(name for name in hosts if name != master)
address = hosts[where]["address"]
state, settings = "/run/learner", "/run/learner.toml"
listening = f"""[node]
name = "far"
address = "{address}"
state_dir = "{state}"
hypervisor = "qemu"
libvirt_uri = "qemu:///nowhere"
[listen]
https = "{address}:8443"
http = "{address}:8080"
grpc = "{address}:8444"
socket = ["{state}/api.sock"]
"""
testbed("exec", where, "sh", "-c", f"mkdir -p {state} && cat > {settings} <<'END'\n{listening}END")
program = tarn("x")[0]


def own(*words):
    return testbed("exec", where, program, *words, "--config", settings)


def begin():
    testbed("exec", where, "sh", "-c", f"setsid {program} node --config {settings} > {state}/log 2>&1 & echo $! > {state}/pid")


def end():
    testbed("exec", where, "sh", "-c", f"kill -9 $(cat {state}/pid)")


def known():
    try:
        return json.loads(own("status", "--json").strip().splitlines()[-1])
    except (subprocess.CalledProcessError, ValueError, IndexError):
        return None


def same():
    """The learner holds what the master holds."""
    there, here = known(), statuses().get(master)
    return there and here and there["digest"] == here["digest"] and there["digest"]


token = testbed("exec", master, *tarn("pool", "token")).strip()
own("pool", "learn", "--token", token)
begin()
wait_for("the same rows", same, 60)
uuid = testbed("exec", where, "cat", f"{state}/host-uuid").strip()
members = statuses()[master]["members"]
assert {m["host"]: m["standing"] for m in members}[uuid] == "Learner", members
assert len(x.host.get_all()) == 3, "it is no host"
assert uuid in testbed("exec", master, *tarn("status"))
try:
    own("pool", "recover", "--i-know-what-this-risks")
    raise SystemExit("a learner went on alone")
except subprocess.CalledProcessError as failure:
    assert "only learns" in failure.stderr, failure.stderr
say("a machine that only learns has the pool's rows, and is none of its hosts")

vm = x.VM.clone(x.VM.get_by_uuid(pool["template"]), "known far away")
vm_uuid = x.VM.get_uuid(vm)
wait_for("the same rows", same, 30)
end()
x.VM.set_name_description(vm, "written while it was away")
begin()
wait_for("the same rows again", same, 60)
say("what was written while it was away it learns when it is back")

# It does not count: of three hosts two must be there, learner or not.
others = [name for name in hosts if name not in (master, where)]
testbed("kill", others[0])
x.VM.set_name_description(vm, "two hosts go on")
wait_for("the same rows", same, 30)
testbed("cut", master)
assert raw(hosts[where], "session.login_with_password", user, password, "1.0", "test")["Status"] != "Success"
time.sleep(5)
assert not any(s["is_leader"] for name, s in statuses().items() if name != master), "a learner's vote made a master"
assert not known()["is_leader"]
testbed("heal", master)
testbed("start", others[0])
session, master = login()
wait_for("one digest", same_digest, 90)
say("it does not vote")

# No host is left: what it knows comes back on one that is new.
x = session.xenapi
wait_for("the same rows", same, 30)
for name in hosts:
    if name != where:
        testbed("kill", name)
own("backup", "--own", f"{state}/own.backup")
fresh, fresh_settings = "/run/fresh", "/run/fresh.toml"
text = listening.replace(state, fresh).replace('"qemu"', '"sim"').replace(":84", ":94").replace(":80", ":90")
testbed("exec", where, "sh", "-c", f"mkdir -p {fresh} && cat > {fresh_settings} <<'END'\n{text}END")
place = ("--host", hosts[where]["uuid"], "--config", fresh_settings)
assert "restored" in testbed("exec", where, program, "restore", f"{state}/own.backup", *place)
testbed("exec", where, "sh", "-c", f"setsid {program} node --config {fresh_settings} > {fresh}/log 2>&1 & echo $! > {fresh}/pid")
context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])


def restored():
    """A session with the pool that came back."""
    try:
        there = xmlrpc.client.ServerProxy(f"https://{address}:9443", context=context)
        answer = there.session.login_with_password(user, password, "1.0", "test")
    except OSError:
        return None
    return answer["Status"] == "Success" and (there, answer["Value"])


there, lone = wait_for("the restored pool", restored, 60)
again = ok(there.VM.get_by_uuid(lone, vm_uuid))
assert ok(there.VM.get_name_description(lone, again)) == "two hosts go on"
assert len(ok(there.host.get_all(lone))) == 3
testbed("exec", where, "sh", "-c", f"kill -9 $(cat {fresh}/pid)")
say("when no host is left, what it knows brings the pool back")
for name in hosts:
    if name != where:
        testbed("start", name)
session, master = login()
wait_for("one digest", same_digest, 90)
testbed("exec", master, program, "pool", "forget-learner", uuid, "--config", "/etc/tarn/tarn.toml")
wait_for("the end of its place", lambda: uuid not in str(statuses()[master]["members"]), 30)
assert uuid not in testbed("exec", master, *tarn("status"))
end()
session.xenapi.VM.destroy(session.xenapi.VM.get_by_uuid(vm_uuid))
say("and it is sent away")
