"""The guide's fourth chapter: guests of one host move to another all at once, by the sample that the pool itself offers, while
a client of the old calls for events watches the tasks."""

import threading

from samples import sample
from serial import *

NUMBER = 3
session, master = login()
x = session.xenapi
away = [h for name, h in hosts.items() if name != master]
source, target = (h["name"] for h in away)
refs = {name: x.host.get_by_name_label(name)[0] for name in (source, target)}
labels = [f"chapter four {n}" for n in range(NUMBER)]
vms = []
for label in labels:
    vm = x.VM.clone(x.VM.get_by_uuid(pool["template"]), label)
    x.VM.provision(vm)
    x.VM.start_on(vm, refs[source], False, True)
    vms.append(vm)
for label in labels:
    wait_for(label, lambda: len(counts(label)) > 2)

# As the guide has it: register for tasks, then take what comes, one batch after another.
old, _ = login()
old.xenapi.event.register(["task"])
seen, over = [], threading.Event()


def take():
    while not over.is_set():
        for event in old.xenapi.event.next():
            if event["operation"] == "del":
                if any(ref == event["ref"] for ref, *_ in seen):
                    seen.append((event["ref"], "del", "gone", int(event["id"])))
                continue
            record = event["snapshot"]
            if record["name_label"] == "Async.VM.pool_migrate":
                seen.append((event["ref"], event["operation"], record["status"], int(event["id"])))


watcher = threading.Thread(target=take, daemon=True)
watcher.start()
said = sample("migrate_all.py", hosts[master]["https"], user, password, source, target)
assert sorted(said.split("\n")) == sorted(f"{label}: moved" for label in labels), said
for vm in vms:
    assert x.VM.get_resident_on(vm) == refs[target] and x.VM.get_power_state(vm) == "Running"
for label in labels:
    before = count(label)
    wait_for(label, lambda: count(label) > before + 2)
    whole_count(label)

# The sample takes its tasks away as soon as they have ended, and the old calls tell a row's latest state: a task that ends
# and goes between two batches is told of once.
ORDER = ["pending", "success", "gone"]


def watched(refs, last):
    """What was told of tasks, in its order, once the last of it is there: never an earlier state after a later one."""

    def told(ref):
        return [(operation, status) for r, operation, status, _ in list(seen) if r == ref]

    wait_for(f"{last} of all tasks", lambda: all(told(ref) and told(ref)[-1][1] == last for ref in refs))
    for ref in refs:
        states = [status for _, status in told(ref)]
        assert told(ref)[0][0] == "add" and states == sorted(states, key=ORDER.index), told(ref)


wait_for("word of the sample's tasks", lambda: len({ref for ref, *_ in seen}) == NUMBER)
watched({ref for ref, *_ in seen}, "gone")

# Tasks that nobody takes away are seen to begin and to succeed, every one.
back = [x.Async.VM.pool_migrate(vm, refs[source], {"live": "true"}) for vm in vms]
watched(back, "success")
for task in back:
    x.task.destroy(task)
watched(back, "gone")
assert len({ref for ref, *_ in seen}) == 2 * NUMBER, seen
over.set()
for vm in vms:
    assert x.VM.get_resident_on(vm) == refs[source] and x.VM.get_power_state(vm) == "Running"
assert len({(ref, number) for ref, _, _, number in seen}) == len(seen), "an event came twice"
# Whoever did not register is told so.
assert refused("SESSION_NOT_REGISTERED", x.event.next) == [session._session]

# A task can be taken back while it works: the guest stays.
task = x.Async.VM.pool_migrate(vms[0], refs[target], {"live": "true"})
x.task.cancel(task)
wait_for("the task's end", lambda: x.task.get_status(task) not in ("pending", "cancelling"))
ended = x.task.get_status(task)
home_now = x.VM.get_resident_on(vms[0])
assert (ended, home_now) in (("cancelled", refs[source]), ("success", refs[target])), (ended, home_now)
for vm in vms:
    x.VM.hard_shutdown(vm)
    remaining = [x.VBD.get_VDI(v) for v in x.VM.get_VBDs(vm) if x.VBD.get_type(v) == "Disk"]
    x.VM.destroy(vm)
    for vdi in remaining:
        x.VDI.destroy(vdi)
session.logout()
say(f"{NUMBER} guests moved at once from {source} to {target}, by tasks and events; a cancelled move ended as {ended}")
