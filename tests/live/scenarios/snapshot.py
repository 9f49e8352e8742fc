"""A host is away until the log it would need has been cut off: it comes back by snapshot, with the same rows."""

import threading

from tarn import *

session, master = login()
reference = session._session
vm = session.xenapi.VM.clone(session.xenapi.VM.get_by_uuid(pool["template"]), "written while one was away")
away = next(name for name in hosts if name != master)
applied = statuses()[away]["applied"]
testbed("kill", away)


def write(worker):
    mine = XenAPI.Session(hosts[master]["https"])
    mine._session = reference
    for number in range(400):
        mine.xenapi.VM.set_name_description(vm, f"{worker}-{number}")


workers = [threading.Thread(target=write, args=(w,)) for w in range(10)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
testbed("exec", master, *tarn("compact"))
first = wait_for(
    "the log to be cut off", lambda: (s := statuses()[master]["log_from"]) > applied + 1 and s, 60
)
testbed("start", away)
wait_for("one digest", same_digest, 90)
assert statuses()[away]["applied"] > first
say(f"a host that had stopped at {applied} came back by snapshot: the log began at {first}")
