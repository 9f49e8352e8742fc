"""High availability on simulated hosts: the plan, refusals, a host that dies, one that is cut off, and one that comes back."""

from tarn import *

session, master = login()
x = session.xenapi
template = x.VM.get_by_uuid(pool["template"])
me = x.pool.get_all()[0]
refs = host_refs(x)
names = {ref: name for name, ref in refs.items()}
# Short, so that the test is: the node acts three seconds before it is over.
LEASE = 8


def guest(label, on, priority):
    vm = x.VM.clone(template, label)
    x.VM.provision(vm)
    x.VM.set_ha_restart_priority(vm, priority)
    if on:
        x.VM.start_on(vm, on, False, True)
    return vm


def again():
    """A session with whoever leads now."""
    global session, master, x
    session, master = login()
    x = session.xenapi


def running(vm, other_than=None):
    """The host where a VM runs, once it is another one."""
    try:
        record = x.VM.get_record(vm)
    except (XenAPI.Failure, OSError):
        again()
        return None
    home = names.get(record["resident_on"])
    return record["power_state"] == "Running" and home != other_than and home


def here(name):
    """The uuids of the guests that a host really runs, by its own word."""
    text = x.host.call_plugin(refs[name], "tarn-drill", "guests", {})
    return set(text.split())


def messages(kind):
    return [m for m in x.message.get_all_records().values() if m["name"] == kind]


def lives(vms):
    """Where each VM runs, and in which of its lives: each start on a host has a number of its own."""
    records = {vm: x.VM.get_record(vm) for vm in vms}
    return {vm: (r["power_state"], r["resident_on"], r["domid"]) for vm, r in records.items()}


slaves = [name for name in hosts if name != master]
victim, other = slaves
first = guest("first", refs[victim], "restart")
second = guest("second", refs[victim], "restart")
x.VM.set_order(first, "1")
x.VM.set_start_delay(first, "2")
x.VM.set_order(second, "2")
plain = guest("plain", refs[victim], "")
maybe = guest("maybe", refs[victim], "best-effort")

refused("HA_NOT_ENABLED", x.pool.disable_ha)
refused("INVALID_VALUE", x.VM.set_ha_restart_priority, first, "always")
refused("INVALID_VALUE", x.pool.enable_ha, [], {"timeout": "2"})
x.pool.enable_ha([], {"timeout": str(LEASE)})
refused("HA_IS_ENABLED", x.pool.enable_ha, [], {})
refused("HA_IS_ENABLED", x.pool.designate_new_master, refs[other])
record = x.pool.get_record(me)
assert record["ha_enabled"] and record["ha_configuration"]["timeout"] == str(LEASE), record
assert record["allowed_operations"][0] == "ha_disable"
# One of three may fail: with two gone there is no majority, whatever room there is.
assert x.pool.ha_compute_max_host_failures_to_tolerate() == "1"
refused("HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN", x.pool.set_ha_host_failures_to_tolerate, me, "2")
assert refused("INVALID_VALUE", x.pool.set_ha_host_failures_to_tolerate, me, "-1") == [
    "ha_host_failures_to_tolerate", "-1"]
x.pool.set_ha_host_failures_to_tolerate(me, "1")
record = x.pool.get_record(me)
assert record["ha_plan_exists_for"] == "1" and not record["ha_overcommitted"], record
assert x.pool.ha_failover_plan_exists("1") and not x.pool.ha_failover_plan_exists("2")
assert x.pool.ha_compute_hypothetical_max_host_failures_to_tolerate({first: "restart"}) == "1"
plan = x.pool.ha_compute_vm_failover_plan([refs[victim]], [first, second])
assert plan.keys() == {first, second} and all(p["host"] != refs[victim] for p in plan.values()), plan

# VMs as large as what is left take the room of those that must run.
large = x.VM.clone(template, "large")
x.VM.provision(large)
started = []
for ref in refs.values():
    copy = x.VM.clone(large, "large too")
    free = int(x.host.compute_free_memory(ref))
    size = str((free - (64 << 20)) // (1 << 20) * (1 << 20))
    x.VM.set_memory_limits(copy, size, size, size, size)
    started.append(copy)
    try:
        x.VM.start_on(copy, ref, False, False)
    except XenAPI.Failure as failure:
        assert failure.details == ["HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN"], failure.details
        x.pool.set_ha_allow_overcommit(me, True)
        x.VM.start_on(copy, ref, False, False)
        wait_for("the word of it", lambda: x.pool.get_ha_overcommitted(me) and messages("HA_POOL_OVERCOMMITTED"), 20)
        break
else:
    raise SystemExit("no start was refused")
for copy in started:
    x.VM.hard_shutdown(copy)
x.pool.set_ha_allow_overcommit(me, False)
wait_for("the plan again", lambda: x.pool.get_ha_plan_exists_for(me) == "1", 20)
assert not x.pool.get_ha_overcommitted(me)
say("the plan, its limits and its refusals are as they should be")

# A cut that is shorter than the lease: nothing happens.
guests = (first, second, plain, maybe)
uuid_of = {vm: x.VM.get_uuid(vm) for vm in guests}
before = lives(guests)
assert {(state, home) for state, home, _ in before.values()} == {("Running", refs[victim])}, before
testbed("cut", victim)
# As long as the cut is to last.
time.sleep(2)
testbed("heal", victim)
stays("the guests where they are", lambda: lives(guests) == before, LEASE + 1)
assert not messages("HA_HOST_FAILED")
assert set(uuid_of.values()) <= here(victim)
say("a cut of two seconds ends nothing")

# A host loses its power.
began = time.monotonic()
testbed("kill", victim)
home = wait_for("the first VM elsewhere", lambda: running(first, victim), LEASE + 20)
took = time.monotonic() - began
early = x.VM.get_power_state(second)
wait_for("the second VM elsewhere", lambda: running(second, victim), 20)
later = time.monotonic() - began
wait_for("the best effort", lambda: running(maybe, victim), 20)
assert x.VM.get_power_state(plain) == "Halted"
assert early == "Halted" and later - took >= 1.5, (early, took, later)
failed = messages("HA_HOST_FAILED")
assert [m["obj_uuid"] for m in failed] == [hosts[victim]["uuid"]] and failed[0]["priority"] == "3", failed
assert took >= LEASE - 1, f"started elsewhere after {took:.1f} s"
say(f"a host died: its VM ran elsewhere after {took:.1f} s (lease {LEASE} s), the next in order at {later:.1f} s")
testbed("start", victim)
wait_for("the host again", lambda: x.host_metrics.get_live(x.host.get_metrics(refs[victim])), 60)
assert not here(victim) & set(uuid_of.values())

# A host is cut off: it ends its guests before anybody starts them elsewhere, and has none when it is back.
now = wait_for("where the first runs", lambda: running(first))
if now == master:
    x.VM.pool_migrate(first, refs[other], {"live": "true"})
    now = other
x.VM.pool_migrate(second, refs[now], {"live": "true"}) if running(second) != now else None
testbed("cut", now)
wait_for("the first VM elsewhere", lambda: running(first, now), LEASE + 20)
wait_for("the second VM elsewhere", lambda: running(second, now), 20)
testbed("heal", now)
wait_for("the host again", lambda: x.host_metrics.get_live(x.host.get_metrics(refs[now])), 60)
assert not here(now) & {uuid_of[first], uuid_of[second]}, "runs twice"
say("a host that was cut off came back without the guests that run elsewhere by then")

# The master dies: the new one waits out what the old one had granted, and starts its VMs.
again()
old = master
x.VM.pool_migrate(first, refs[old], {"live": "true"}) if running(first) != old else None
began = time.monotonic()
testbed("kill", old)
again()
wait_for("the first VM elsewhere", lambda: running(first, old), LEASE + 30)
say(f"the master died: its VM ran elsewhere after {time.monotonic() - began:.1f} s")
testbed("start", old)
wait_for("three that follow", lambda: len([s for s in statuses().values() if s.get("leader")]) == 3, 90)

# A clean shutdown is meant; a restart that is held back waits.
again()
wait_for("the second VM", lambda: running(second), 60)
x.VM.hard_shutdown(second)
assert not x.VM.get_ha_always_run(second)
stays("halted", lambda: x.VM.get_power_state(second) == "Halted", 3)
x.pool.disable_ha()
assert not x.pool.get_ha_enabled(me)
wait_for("all hosts live", lambda: all(
    x.host_metrics.get_live(x.host.get_metrics(ref)) for ref in refs.values()), 60)
home = running(first)
testbed("cut", home if home != master else next(n for n in hosts if n != master))
stays("running", lambda: x.VM.get_power_state(first) == "Running", LEASE + 2)
for name in hosts:
    testbed("heal", name)
wait_for("one digest", same_digest, 90)
assert x.VM.get_power_state(first) == "Running" and uuid_of[first] in here(running(first))
say("with high availability off a cut ends nothing")
for vm in (first, second, plain, maybe, large, *started):
    if x.VM.get_power_state(vm) != "Halted":
        x.VM.hard_shutdown(vm)
