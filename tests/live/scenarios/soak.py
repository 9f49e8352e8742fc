"""Guests that write to a disk, remember in memory what they wrote, and read it back, are moved live again and again, three at
a time: no block is another than they remember, no count is missing, none boots again, none is lost.

    soak.py POOL.JSON [MOVES]

Run by hand; not among the tests, since 120 moves take nine minutes on two processors.
"""

import sys
import threading
import time

from serial import *

NUMBER = 3
MOVES = int(sys.argv[2]) if len(sys.argv) > 2 else 200

session, master = login()
x = session.xenapi
sr = x.SR.get_by_uuid(pool["shared_sr"])
refs = [x.host.get_by_uuid(h["uuid"]) for h in pool["hosts"]]
began = time.monotonic()


class Guest:
    """One guest, and what it has said."""

    def __init__(self, number):
        self.label = f"soak {number}"
        self.at = number % len(refs)
        self.vm = x.VM.clone(x.VM.get_by_uuid(pool["template"]), self.label)
        x.VM.provision(self.vm)
        disk = x.VDI.create(disk_record(sr, virtual_size=str(64 << 20), name_label=f"{self.label} data"))
        new_drive(x, self.vm, VDI=disk)
        x.VM.start_on(self.vm, refs[self.at], False, True)
        self.counts, self.boots, self.writes, self.moves = set(), set(), 0, 0

    def note(self):
        """Keeps what it has said, before a host forgets it."""
        text = said(self.label)
        for number, boot in counted(text):
            self.counts.add(int(number))
            self.boots.add(boot)
        for write, bad in re.findall(r"TARN-CHURN vdb (\d+) (\d+)", text):
            assert bad == "0", f"{self.label}: {bad} blocks are not what it wrote"
            self.writes = max(self.writes, int(write))
        assert "TARN-IO-ERROR" not in text, self.label
        assert "Kernel panic" not in text, f"{self.label} is damaged"
        return self.writes

    def goes_on(self):
        """It writes, and reads back what it has written."""
        before = self.note()
        wait_for(f"{self.label} writes", lambda: self.note() > before, 180)

    def move(self, client):
        """To the next host."""
        self.at = (self.at + 1) % len(refs)
        client.VM.pool_migrate(self.vm, refs[self.at], {"live": "true"})
        assert client.VM.get_resident_on(self.vm) == refs[self.at]
        self.moves += 1
        self.note()


guests = [Guest(number) for number in range(NUMBER)]
for guest in guests:
    wait_for(guest.label, lambda: "TARN-UP" in said(guest.label), 240)
    tell(x, guest.vm, "churn vdb", r"TARN-CHURN vdb (\d+)", 180)
say(f"{NUMBER} guests write and read back")

left, lock, broken = [MOVES], threading.Lock(), []


def roam(guest):
    try:
        own, _ = login()
        while not broken:
            with lock:
                if left[0] == 0:
                    return
                left[0] -= 1
                if left[0] % 20 == 0:
                    say(f"{left[0]} moves are left")
            guest.move(own.xenapi)
            if guest.moves % 10 == 0:
                guest.goes_on()
    except BaseException as error:
        broken.append(f"{guest.label} after {guest.moves} moves: {error!r}")


roaming = [threading.Thread(target=roam, args=[guest]) for guest in guests]
for thread in roaming:
    thread.start()
for thread in roaming:
    thread.join()
assert not broken, broken
assert sum(guest.moves for guest in guests) == MOVES

for guest in guests:
    guest.goes_on()
    whole, wrong, last = (int(n) for n in tell(x, guest.vm, "still", r"TARN-CHECKED vdb (\d+ \d+ \d+)", 180).split())
    assert wrong == 0 and whole > 0, (guest.label, whole, wrong, last)
    guest.note()
    assert len(guest.boots) == 1, f"{guest.label} booted again"
    missing = set(range(min(guest.counts), max(guest.counts) + 1)) - guest.counts
    assert not missing, f"{guest.label} lost counts {sorted(missing)[:5]}"
    assert x.VM.get_power_state(guest.vm) == "Running"
    say(f"{guest.label}: {guest.moves} moves, {len(guest.counts)} counts, {last - 10_000_000} writes, {whole} blocks are whole")
say(f"{MOVES} moves in {time.monotonic() - began:.0f} s: nothing is lost and nothing is another")
