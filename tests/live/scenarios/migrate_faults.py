"""Migrations of a real guest that a fault cuts off, in each phase once: in the end it runs on exactly one host.

    migrate_faults.py POOL.JSON [PHASE]

Run by hand; not among the tests, since a row takes a minute and more.
"""

import glob
import signal
import socket
import sys

from tarn import *
from witness import *

# A master that loses its power says no word of it, and a client would wait for as long as TCP does.
socket.setdefaulttimeout(30)
session, master = login()
x = session.xenapi
template = x.VM.get_by_uuid(pool["template"])
refs = {name: x.host.get_by_uuid(h["uuid"]) for name, h in hosts.items()}
names = {ref: name for name, ref in refs.items()}
LEASE = 12
# Slow enough to be met under way.
SLOW = {"live": "true", "bandwidth_mib": "2"}
# The phase, what holds the migration there until the fault comes, and the fault with its victim.
ROWS = [
    ("planned", "destination", "kill", "destination"),
    ("prepared", "source", "kill", "source"),
    ("copying", None, "kill", "destination"),
    ("copying", None, "kill", "master"),
    ("copying", None, "cut", "source"),
    ("switched_over", None, "kill", "master"),
    # What is left at the source is cleaned once it is back.
    ("switched_over", None, "cut", "source"),
]


def again():
    """A session with whoever leads now."""
    global session, master, x
    session, master = login()
    x = session.xenapi


def whole():
    """All hosts are live, and the session is with whoever leads."""
    again()
    wait_for("all hosts live", lambda: all(
        x.host_metrics.get_live(x.host.get_metrics(ref)) for ref in refs.values()), 120)


def logs():
    return glob.glob(os.path.join(os.environ["TARN_DIR"], "hosts", "*", "log", "node.log"))


class Phases:
    """The phases of the guest's migrations, as the nodes' logs tell them from now on."""

    def __init__(self, uuid):
        self.uuid, self.seen = uuid, []
        self.files = [open(file) for file in logs()]
        for file in self.files:
            file.seek(0, os.SEEK_END)

    def last(self):
        for file in self.files:
            for line in file.read().splitlines():
                if "migration" in line and self.uuid in line and ' to="' in line:
                    self.seen.append(line.split(' to="')[1].split('"')[0])
        return self.seen[-1] if self.seen else "planned"


def init_of(name):
    """The first process of a host: its end is the host's, at once."""
    bed = json.load(open(os.path.join(os.environ["TARN_DIR"], "testbed.json")))
    return next(h["process"]["pid"] for h in bed["hosts"] if h["name"] == name)


def settled():
    """The host where the guest runs, once it is one, by the records and by the machine's processes."""
    try:
        record = x.VM.get_record(vm)
    except (XenAPI.Failure, OSError):
        again()
        return None
    home = names.get(record["resident_on"])
    if record["power_state"] != "Running" or record["current_operations"] or qemus().count(uuid) != 1:
        return None
    return None if gone(home) else home


def play(phase, held, fault, role):
    """One row of the table."""
    source = names[x.VM.get_resident_on(vm)]
    others = [name for name in hosts if name not in (source, master)]
    if source == master:
        # The three parts are to be played by three hosts.
        x.VM.pool_migrate(vm, refs[others[0]], {"live": "true"})
        source, others = others[0], others[1:]
    destination = others[0]
    victim = {"source": source, "destination": destination, "master": master}[role]
    killer, phases = init_of(victim), Phases(uuid)
    if held:
        frozen = source if held == "source" else destination
        testbed("exec", frozen, "kill", "-STOP", process(frozen, "node --config"))
    x.Async.VM.pool_migrate(vm, refs[destination], SLOW if phase == "copying" else {"live": "true"})
    deadline = time.monotonic() + 60
    while phases.last() != phase:
        assert phase not in phases.seen[:-1] and time.monotonic() < deadline, (phase, phases.seen)
        time.sleep(0.002)
    if phase in ("planned", "copying"):
        # Well into it.
        time.sleep(1.5)
    met = phases.last()
    if fault == "kill":
        os.kill(killer, signal.SIGKILL)
    testbed(fault, victim)
    wait_for("the guest on one host", settled, LEASE + 90)
    never_twice(uuid)
    # It must hold also once the host is back.
    testbed("heal" if fault == "cut" else "start", victim)
    whole()
    home = wait_for("the guest on one host still", settled, LEASE + 60)
    # One that was started anew says nothing while it boots.
    heard = wait_for("it to count", lambda: lives(uuid), 60)[-1]
    wait_for("its counter", lambda: lives(uuid)[-1] > heard)
    never_twice(uuid)
    where = {source: "the source", destination: "the destination"}.get(home, "the third host")
    phases.last()
    then = phases.seen[phases.seen.index(met) + 1:] if met in phases.seen else phases.seen
    say(f"{met:14} {fault} {role:12} runs on {where} ({', '.join(then) or 'done'})")


for name in hosts:
    settings = "/etc/tarn/tarn.toml"
    testbed("exec", name, "sed", "-i", 's/^log = .*/log = "info,pool_ops::vm::migrate=debug"/', settings)
    testbed("exec", name, "kill", "-HUP", process(name, "node --config"))
vm, uuid = protected(x, template, "under faults", refs[next(name for name in hosts if name != master)])
x.pool.enable_ha([], {"timeout": str(LEASE)})
say("phase          fault        the guest")
for row in ROWS:
    if len(sys.argv) < 3 or row[0] == sys.argv[2]:
        play(*row)
x.pool.disable_ha()
x.VM.hard_shutdown(vm)
