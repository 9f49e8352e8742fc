"""The majority is lost: one host goes on alone, is not disturbed by those it left behind, and takes them in again."""

import subprocess

from tarn import *

session, master = login()
x = session.xenapi
refs = host_refs(x)
template = x.VM.get_by_uuid(pool["template"])
vm = x.VM.clone(template, "known to all")
me = x.pool.get_all()[0]
survivor, second = [name for name in hosts if name != master]


def code(name, method, *params, timeout=5):
    """The code of a host's refusal, "Success", or nothing."""
    answer = raw(hosts[name], method, *params, timeout=timeout)
    return answer and (answer["ErrorDescription"][0] if answer["Status"] == "Failure" else "Success")


def local(name):
    """A session with a host alone."""
    return wait_for("a session with " + name, lambda: (
        raw(hosts[name], "session.slave_local_login_with_password", user, password) or {}).get("Value"))


def alone():
    """The survivor's own pool, once it serves."""
    answer = raw(hosts[survivor], "session.login_with_password", user, password, "1.0", "test")
    if not answer or answer["Status"] != "Success":
        return None
    found = XenAPI.Session(hosts[survivor]["https"])
    found.login_with_password(user, password, "1.0", "test")
    return found


def follows(name):
    status = statuses().get(name)
    return status and status.get("leader") == hosts[survivor]["uuid"] and len(status["members"])


# While there is a master nothing of this is done.
assert code(second, "pool.emergency_transition_to_master", local(second)) == "OPERATION_NOT_ALLOWED"
assert code(second, "pool.emergency_reset_master", local(second), hosts[survivor]["address"]) == "OPERATION_NOT_ALLOWED"

testbed("kill", master)
testbed("kill", second)
key = local(survivor)
wait_for("the loss of the master", lambda: ok(raw(hosts[survivor], "host.is_in_emergency_mode", key)))
assert code(survivor, "pool.get_all", session._session) == "HOST_STILL_BOOTING"
assert code(survivor, "pool.emergency_transition_to_master", key, timeout=20) == "Success"
x = wait_for("the survivor's own pool", alone).xenapi
assert x.VM.get_name_label(vm) == "known to all"
assert x.pool.get_master(me) == refs[survivor]
live = {name: x.host_metrics.get_live(x.host.get_metrics(ref)) for name, ref in refs.items()}
assert live[survivor] and not live[master] and not live[second], live
x.pool.add_to_other_config(me, "written-alone", "yes")
assert len(statuses()[survivor]["members"]) == 1
say(f"{survivor} goes on alone with all it knew")

# Those it left behind have a majority of the old pool and elect: the survivor does not listen to them.
testbed("start", master, "--no-wait")
testbed("start", second, "--no-wait")
wait_for("a leader of the old pool", lambda: {s.get("leader") for n, s in statuses().items() if n != survivor}
         & {hosts[master]["uuid"], hosts[second]["uuid"]}, 60)
x = wait_for("the survivor", alone).xenapi
stays("the survivor its own master", lambda: x.pool.get_other_config(me)["written-alone"] == "yes"
      and x.pool.get_master(me) == refs[survivor], 3)
assert x.pool.recover_slaves() == [], "hosts with a leader do not follow another"
say("the old majority came back and did not disturb it")

# One of them is lost again: the other has no leader, and follows when it is told.
testbed("kill", master)
wait_for("a host that follows", lambda: x.pool.recover_slaves() == [refs[second]], 60)
wait_for("two members", lambda: follows(second) == 2 and follows(survivor) == 2, 90)
wait_for("the second host live", lambda: x.host_metrics.get_live(x.host.get_metrics(refs[second])), 60)
say(f"{second} gave its copy up and follows")

# The last one is told on the spot.
testbed("start", master, "--no-wait")
key = local(master)
assert code(master, "pool.emergency_reset_master", key, "192.0.2.9", timeout=20) == "OPERATION_NOT_ALLOWED"
wait_for("its word", lambda: code(
    master, "pool.emergency_reset_master", key, hosts[survivor]["address"], timeout=20) == "Success", 60)
wait_for("three members", lambda: follows(master) == 3, 90)
wait_for("one digest", same_digest, 90)
session, now = login()
assert now == survivor, now
assert session.xenapi.pool.get_other_config(me)["written-alone"] == "yes"
say("all three are one pool again, with what was written alone")

# The same by the operator's command, on a node that is stopped.
testbed("kill", master)
testbed("kill", second)
pid = testbed("exec", survivor, "pgrep", "-o", "-f", "node --config").split()[0]
try:
    testbed("exec", survivor, *tarn("pool", "recover", "--i-know-what-this-risks"))
    raise SystemExit("done on a node that runs")
except subprocess.CalledProcessError:
    pass
testbed("exec", survivor, "kill", "-KILL", pid)
wait_for("the node's end", lambda: survivor not in statuses(), 60)
try:
    testbed("exec", survivor, *tarn("pool", "recover"))
    raise SystemExit("done without being told that it is known what it risks")
except subprocess.CalledProcessError as refusal:
    assert "LOST" in refusal.stdout and "nothing was done" in refusal.stderr, (refusal.stdout, refusal.stderr)
said = testbed("exec", survivor, *tarn("pool", "recover", "--i-know-what-this-risks"))
assert hosts[master]["uuid"] in said and hosts[second]["uuid"] in said, said
testbed("exec", survivor, "kill", "-USR1", "1")
x = wait_for("the survivor's own pool", alone).xenapi
assert x.pool.get_other_config(me)["written-alone"] == "yes"
for name in (master, second):
    testbed("start", name, "--no-wait")
    # One at a time: two of them would be a majority of the pool that was.
    wait_for("a host that follows", lambda: refs[name] in x.pool.recover_slaves(), 60)
    wait_for("a member more", lambda: follows(name), 90)
wait_for("one digest", same_digest, 90)
say("the same by `tarn pool recover`")
