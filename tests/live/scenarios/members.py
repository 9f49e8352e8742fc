"""A member is sent away, lives alone, and joins again with what it has; then leadership is handed over."""

import http.client
import ssl
import subprocess
import xmlrpc.client

from tarn import *

session, master = login()
reference = session._session
x = session.xenapi
away = next(name for name in hosts if name != master)
other = next(name for name in hosts if name not in (master, away))


refused("INTERNAL_ERROR", x.pool.eject, x.host.get_by_uuid(hosts[master]["uuid"]))
x.pool.eject(x.host.get_by_uuid(hosts[away]["uuid"]))
assert len(x.host.get_all()) == 2
assert len(statuses()[master]["members"]) == 2


def lone_session():
    """A session with the host's own pool, whose certificates are of an authority of its own."""
    try:
        # The file is away for a moment, between the old pool and the new one.
        authority = testbed("exec", away, "cat", "/var/lib/tarn/pool-ca.pem")
        context = ssl.create_default_context(cadata=authority)
        proxy = xmlrpc.client.ServerProxy(hosts[away]["https"], context=context)
        answer = proxy.session.login_with_password(user, password, "1.0", "test")
    except (OSError, http.client.HTTPException, subprocess.CalledProcessError):
        return None
    return answer["Status"] == "Success" and (proxy, answer["Value"])


proxy, lone = wait_for("the host's own pool", lone_session)
assert len(ok(proxy.host.get_all(lone))) == 1
assert ok(proxy.host.get_by_uuid(lone, hosts[away]["uuid"]))
me = ok(proxy.host.get_all(lone))[0]
template = ok(proxy.VM.get_by_name_label(lone, "Other install media"))[0]
vm = ok(proxy.VM.clone(lone, template, "made while alone"))
ok(proxy.VM.provision(lone, vm))
vm_uuid = ok(proxy.VM.get_uuid(lone, vm))
testbed("exec", away, "mkdir", "-p", "/var/lib/tarn/own-storage")
sr = ok(
    proxy.SR.create(
        lone, me, {"location": "/var/lib/tarn/own-storage"}, "0", "its own", "", "file", "user", False, {}
    )
)
sr_uuid = ok(proxy.SR.get_uuid(lone, sr))
say("a host that was sent away is the master of its own pool, with the same password")

bad = proxy.pool.join(lone, hosts[master]["address"], user, "wrong")
assert bad["ErrorDescription"][0] == "SESSION_AUTHENTICATION_FAILED", bad
bad = proxy.pool.join(lone, hosts[other]["address"], user, password)
assert bad["ErrorDescription"] == ["HOST_IS_SLAVE", hosts[master]["address"]], bad
bad = proxy.pool.join(lone, "192.0.2.77", user, password)
assert bad["ErrorDescription"] == ["JOINING_HOST_CONNECTION_FAILED"], bad
bad = proxy.pool.join(lone, hosts[away]["address"], user, password)
assert bad["ErrorDescription"][0] == "OPERATION_NOT_ALLOWED", bad
ok(proxy.pool.join(lone, hosts[master]["address"], user, password))

wait_for("three hosts", lambda: len(x.host.get_all()) == 3)
back = x.host.get_by_uuid(hosts[away]["uuid"])
wait_for("the host's life", lambda: x.host_metrics.get_live(x.host.get_metrics(back)) and x.host.get_enabled(back))
assert x.VM.get_name_label(x.VM.get_by_uuid(vm_uuid)) == "made while alone"
own_sr = x.SR.get_by_uuid(sr_uuid)
[pbd] = x.SR.get_PBDs(own_sr)
assert x.PBD.get_host(pbd) == back
wait_for("its storage", lambda: x.PBD.get_currently_attached(pbd))
shared = x.SR.get_by_uuid(pool["shared_sr"])
wait_for(
    "the shared storage",
    lambda: sum(x.PBD.get_currently_attached(p) for p in x.SR.get_PBDs(shared)) == 3,
)
wait_for(
    "three that vote",
    lambda: [m["standing"] for m in statuses()[master]["members"]] == ["Voter"] * 3,
)
wait_for("one digest", same_digest, 60)
say("it joined again with its VM and its storage, and the shared storage is plugged in there")

began = time.monotonic()
x.pool.designate_new_master(x.host.get_by_uuid(hosts[other]["uuid"]))
taken = time.monotonic() - began
answer = raw(hosts[master], "pool.get_all", reference)
assert answer["ErrorDescription"] == ["HOST_IS_SLAVE", hosts[other]["address"]], answer
[row] = ok(raw(hosts[other], "pool.get_all", reference))
at = ok(raw(hosts[other], "pool.get_master", reference, row))
assert ok(raw(hosts[other], "host.get_uuid", reference, at)) == hosts[other]["uuid"]
say(f"leadership was handed over in {taken:.2f} s, the session went along")
