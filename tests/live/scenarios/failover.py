"""The master dies again and again under a load of writes: no acknowledged write is lost, sessions go on."""

import threading

from tarn import *

rounds = int(sys.argv[2])
session, master = login()
reference = session._session
template = session.xenapi.VM.get_by_uuid(pool["template"])
vms = [session.xenapi.VM.clone(template, f"written to {n}") for n in range(40)]
acknowledged = []
stop = threading.Event()


def write(worker):
    """Adds keys one after another, wherever the master is, and notes those that were acknowledged."""
    target, number = master, 0
    while not stop.is_set():
        key = f"w{worker}-{number}"
        answer = raw(hosts[target], "VM.add_to_other_config", reference, vms[number % 40], key, "x", timeout=0.5)
        if answer and answer["Status"] == "Success":
            acknowledged.append(key)
            number += 1
        elif answer and answer["ErrorDescription"][0] == "HOST_IS_SLAVE":
            target = next(n for n, h in hosts.items() if h["address"] == answer["ErrorDescription"][1])
        elif answer and answer["ErrorDescription"][0] == "MAP_DUPLICATE_KEY":
            # Its answer was lost with the master: it has been written.
            number += 1
        else:
            assert answer is None or answer["ErrorDescription"][0] in ("HOST_STILL_BOOTING", "INTERNAL_ERROR"), answer
            target = list(hosts)[(list(hosts).index(target) + 1) % len(hosts)]
            time.sleep(0.02)


workers = [threading.Thread(target=write, args=(w,)) for w in range(4)]
for worker in workers:
    worker.start()
times = []
for number in range(rounds):
    wait_for("writes", lambda: len(acknowledged) > 20 * (number + 1))
    _, old = login()
    known = len(acknowledged)
    began = time.monotonic()
    testbed("kill", old)
    wait_for("a write on the new master", lambda: len(acknowledged) > known + 8)
    times.append(time.monotonic() - began)
    testbed("start", old)
    wait_for("three members", lambda: len(statuses()) == 3, 90)
    wait_for("three that follow", lambda: all(s.get("leader") for s in statuses().values()), 60)
stop.set()
for worker in workers:
    worker.join()
_, master = login()
config = {k for vm in vms for k in ok(raw(hosts[master], "VM.get_other_config", reference, vm))}
lost = [key for key in acknowledged if key not in config]
assert not lost, lost
wait_for("one digest", same_digest, 90)
say(f"{rounds} masters killed, {len(acknowledged)} acknowledged writes, none lost, the same session throughout")
say("seconds to writes on the successor: " + ", ".join(f"{t:.1f}" for t in times))
