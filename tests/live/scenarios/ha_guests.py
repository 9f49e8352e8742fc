"""High availability with real guests: two witnesses say that none ever ran twice at once, their own clocks on their serial
ports and the list of processes of the machine that all hosts are on.

Run by hand; not among the tests, since it takes three minutes.
"""

from tarn import *
from witness import *

session, master = login()
x = session.xenapi
template = x.VM.get_by_uuid(pool["template"])
refs = host_refs(x)
names = {ref: name for name, ref in refs.items()}
LEASE = 12


def elsewhere(guest, than, life):
    """Where a guest runs, once that is another host and it counts in another life, the so manieth."""
    vm, uuid = guest

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

    home = wait_for("the guest on another host", moved, LEASE + 60)
    wait_for("its counter", lambda: len(lives(uuid)) >= life, 120)
    return home


def move(guest, to):
    """Moves a guest live. The pool may change its master meanwhile: then the call ends, and the migration goes on."""
    vm = guest[0]

    def there():
        global session, master, x
        try:
            record = x.VM.get_record(vm)
            if record["current_operations"]:
                return False
            if record["resident_on"] != refs[to]:
                x.VM.pool_migrate(vm, refs[to], {"live": "true"})
            return x.VM.get_resident_on(vm) == refs[to]
        except XenAPI.Failure as failure:
            assert failure.details[0] in ("HOST_STILL_BOOTING", "HOST_IS_SLAVE"), failure.details
        except OSError:
            pass
        session, master = login()
        x = session.xenapi
        return False

    wait_for("the guest on " + to, there, 120)


def back(name):
    def live():
        global session, master, x
        try:
            return x.host_metrics.get_live(x.host.get_metrics(refs[name]))
        except (XenAPI.Failure, OSError):
            session, master = login()
            x = session.xenapi
            return False

    wait_for(f"{name} again", live, 120)
    assert gone(name), "a guest was left behind"


victim, other = [name for name in hosts if name != master]
one, two = (protected(x, template, label, refs[victim]) for label in ("guest one", "guest two"))
uuids = [one[1], two[1]]
watch = Watch()
watch.start()
x.pool.enable_ha([], {"timeout": str(LEASE)})

watch.begin()
testbed("cut", victim)
# As long as the cut is to last.
time.sleep(4)
testbed("heal", victim)
stays(
    "the guests where they are",
    lambda: x.VM.get_resident_on(one[0]) == x.VM.get_resident_on(two[0]) == refs[victim],
    LEASE,
)
assert never_twice(one[1], 1) == [] and not gone(victim)
say("a cut of four seconds ends nothing")

testbed("cut", victim)
began = time.monotonic()
wait_for("the host ends its guests itself", lambda: gone(victim), LEASE + 5)
ended = time.monotonic() - began
assert x.VM.get_resident_on(one[0]) == refs[victim], "given up before it had ended them"
home = elsewhere(one, victim, 2)
elsewhere(two, victim, 2)
gaps = never_twice(one[1], 2) + never_twice(two[1], 2)
watch.end(uuids)
testbed("heal", victim)
back(victim)
say(f"cut off: it ended its guests itself after {ended:.1f} s; seconds of silence between their two lives: {gaps}")

# The node is killed, its QEMU is not: the watchdog ends it.
move(one, victim)
assert not gone(victim)
watch.begin()
testbed("exec", victim, "kill", "-KILL", process(victim, "node --config"))
wait_for("the watchdog ends the guest", lambda: gone(victim), LEASE + 5)
home = elsewhere(one, victim, 3)
gaps = never_twice(one[1], 3)
watch.end(uuids)
testbed("exec", victim, "kill", "-USR1", "1")
back(victim)
say(f"node killed: the watchdog ended its guest; seconds between the two lives: {gaps[-1]}")

# The watchdog is killed: its node gives the guest up, since nobody would end it if the node could not.
move(one, victim)
watch.begin()
testbed("exec", victim, "kill", "-KILL", process(victim, "tarn watchdog"))
wait_for("the node ends the guest", lambda: gone(victim), LEASE + 10)
home = elsewhere(one, victim, 4)
gaps = never_twice(one[1], 4)
watch.end(uuids)
say(f"watchdog killed: the node gave its guest up; seconds between the two lives: {gaps[-1]}")
testbed("kill", victim)
testbed("start", victim)
back(victim)

# What was said on a host that was switched on again is gone.
known = len(lives(one[1]))
watch.begin()
began = time.monotonic()
testbed("kill", home)
elsewhere(one, home, known + 1)
watch.end(uuids)
say(f"host {home} lost its power: its guest counted elsewhere after {time.monotonic() - began:.1f} s")
testbed("start", home)
back(home)
x.pool.disable_ha()
for vm, _ in (one, two):
    x.VM.hard_shutdown(vm)
