"""High availability with real guests: their own clocks on their serial ports say that none ever ran twice at once."""

import re
import subprocess

from tarn import *

session, master = login()
x = session.xenapi
template = x.VM.get_by_uuid(pool["template"])
refs = host_refs(x)
names = {ref: name for name, ref in refs.items()}
LEASE = 20


def guest(label, on):
    vm = x.VM.clone(template, label)
    x.VM.provision(vm)
    x.VM.set_ha_restart_priority(vm, "restart")
    x.VM.start_on(vm, on, False, True)
    wait_for(label, lambda: "TARN-COUNT 3" in testbed("serial", label), 120)
    return vm


def lives(label):
    """Each life of a guest by its boot id: the seconds at which it counted, by its own clock."""
    found = {}
    for boot, at in re.findall(r"TARN-AT \d+ (\S+) (\d+)", testbed("serial", label, "--lines", "100000")):
        found.setdefault(boot, []).append(int(at))
    return found


def never_twice(label, expected):
    """The lives of a guest follow one another, with the seconds between each two."""
    spans = sorted((min(at), max(at)) for at in lives(label).values())
    assert len(spans) == expected, (label, spans)
    gaps = [begins - ended for (_, ended), (begins, _) in zip(spans, spans[1:])]
    assert all(gap > 0 for gap in gaps), f"{label} ran twice at once: {spans}"
    return gaps


def elsewhere(label, vm, than):
    """Where a VM runs and counts, once that is another host and another life."""
    global session, master, x
    known = len(lives(label))

    def moved():
        global session, master, x
        try:
            record = x.VM.get_record(vm)
        except (XenAPI.Failure, OSError):
            session, master = login()
            x = session.xenapi
            return None
        home = names.get(record["resident_on"])
        return record["power_state"] == "Running" and home != than and home

    home = wait_for(f"{label} on another host", moved, LEASE + 60)
    wait_for(f"{label} counting", lambda: len(lives(label)) > known, 120)
    return home


def gone(name):
    """No QEMU is left on a host."""
    try:
        testbed("exec", name, "pgrep", "-f", "qemu-system.* -uuid")
        return False
    except subprocess.CalledProcessError:
        return True


def back(name):
    wait_for(f"{name} again", lambda: x.host_metrics.get_live(x.host.get_metrics(refs[name])), 120)
    assert gone(name), "a guest was left behind"


victim, other = [name for name in hosts if name != master]
one, two = guest("guest one", refs[victim]), guest("guest two", refs[victim])
x.pool.enable_ha([], {"timeout": str(LEASE)})

testbed("cut", victim)
# As long as the cut is to last.
time.sleep(6)
testbed("heal", victim)
stays("the guests where they are", lambda: x.VM.get_resident_on(one) == x.VM.get_resident_on(two) == refs[victim], LEASE)
assert never_twice("guest one", 1) == [] and not gone(victim)
say("a cut of six seconds ends nothing")

testbed("cut", victim)
began = time.monotonic()
wait_for("the host ends its guests itself", lambda: gone(victim), LEASE + 5)
ended = time.monotonic() - began
assert x.VM.get_resident_on(one) == refs[victim], "given up before it had ended them"
home = elsewhere("guest one", one, victim)
elsewhere("guest two", two, victim)
gaps = never_twice("guest one", 2) + never_twice("guest two", 2)
testbed("heal", victim)
back(victim)
say(f"cut off: it ended its guests itself after {ended:.1f} s; seconds of silence between their two lives: {gaps}")

# The node is killed, its QEMU is not: the watchdog ends it.
x.VM.pool_migrate(one, refs[victim], {"live": "true"})
node = testbed("exec", victim, "pgrep", "-o", "-f", "node --config").split()[0]
assert not gone(victim)
testbed("exec", victim, "kill", "-KILL", node)
wait_for("the watchdog ends the guest", lambda: gone(victim), LEASE + 5)
home = elsewhere("guest one", one, victim)
gaps = never_twice("guest one", 3)
testbed("exec", victim, "kill", "-USR1", "1")
back(victim)
say(f"node killed: the watchdog ended its guest; seconds between the two lives: {gaps[-1]}")

began = time.monotonic()
testbed("kill", home)
elsewhere("guest one", one, home)
gaps = never_twice("guest one", 4)
say(f"host {home} lost its power: its guest counted elsewhere after {time.monotonic() - began:.1f} s")
testbed("start", home)
back(home)
x.pool.disable_ha()
for vm in (one, two):
    x.VM.hard_shutdown(vm)
