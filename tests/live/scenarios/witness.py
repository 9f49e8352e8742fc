"""What shows that a guest never runs twice: its own clock on its serial port, and the list of processes of the machine that
all hosts are on."""

import os
import re
import subprocess
import threading
import time

from tarn import hosts, testbed, wait_for


class Watch(threading.Thread):
    """Looks ten times a second for the QEMUs of all hosts together."""

    def __init__(self):
        super().__init__(daemon=True)
        self.looks, self.twice = 0, set()

    def run(self):
        while True:
            found = qemus()
            self.twice |= {vm for vm in found if found.count(vm) > 1}
            self.looks += 1
            time.sleep(0.1)

    def begin(self):
        """From here on nothing migrates: each guest is one process at most."""
        self.looks, self.twice = 0, set()

    def end(self, uuids):
        assert self.looks > 10, "nobody looked"
        assert not self.twice & set(uuids), f"two processes at once: {self.twice}"


def qemus():
    """The uuid of every guest that runs anywhere on this machine, once for each process."""
    return [vm for vm in map(guest_of, filter(str.isdigit, os.listdir("/proc"))) if vm]


def guest_of(pid):
    """The VM that a process runs; a process that is ending has no words any more."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().decode(errors="replace").split("\0")
    except OSError:
        return None
    is_guest = os.path.basename(words[0]).startswith("qemu-system") and "-uuid" in words
    return words[words.index("-uuid") + 1] if is_guest else None


def process(name, pattern):
    """The oldest process of a host with such a command line."""
    return testbed("exec", name, "pgrep", "-o", "-f", pattern).split()[0]


def gone(name):
    """No QEMU is left on a host."""
    try:
        testbed("exec", name, "pgrep", "-f", "qemu-system.* -uuid")
        return False
    except subprocess.CalledProcessError:
        return True


def said(uuid):
    """All that a guest has said on all hosts. By its uuid: its name needs a master."""
    return testbed("serial", uuid, "--lines", "100000")


def lives(uuid):
    """Each life of a guest by its boot id: the first and the last second at which it counted, by its own clock."""
    found = {}
    for boot, at in re.findall(r"TARN-AT \d+ ([0-9a-f]{8}) (\d{10})", said(uuid)):
        found.setdefault(boot, []).append(int(at))
    return sorted((min(at), max(at)) for at in found.values())


def never_twice(uuid, expected=None):
    """The lives of a guest follow one another; the seconds between each two."""
    spans = lives(uuid)
    assert expected is None or len(spans) == expected, (uuid, spans)
    gaps = [begins - ended for (_, ended), (begins, _) in zip(spans, spans[1:])]
    assert all(gap > 0 for gap in gaps), f"{uuid} ran twice at once: {spans}"
    return gaps


def protected(x, template, label, on):
    """A guest that must run, once it counts; and its uuid."""
    vm = x.VM.clone(template, label)
    x.VM.provision(vm)
    x.VM.set_ha_restart_priority(vm, "restart")
    x.VM.start_on(vm, on, False, True)
    uuid = x.VM.get_uuid(vm)
    wait_for(label, lambda: "TARN-COUNT 3" in said(uuid), 120)
    return vm, uuid
