"""The master dies while it migrates a guest between two other hosts: the task ends, one host has the guest, which counts on."""

from serial import *

session, master = login()
reference = session._session
x = session.xenapi
away = [h for name, h in hosts.items() if name != master]
source, destination = away
refs = host_refs(x)
label = f"outlives-{sys.argv[2]}"
vm = x.VM.clone(x.VM.get_by_uuid(pool["template"]), label)
x.VM.provision(vm)
x.VM.start_on(vm, refs[source["name"]], False, True)
uuid = x.VM.get_uuid(vm)


def running_on():
    """The hosts whose hypervisor runs the guest, whatever the records say."""
    found = []
    for host in away:
        listed = testbed("exec", host["name"], "virsh", "list", "--uuid", "--state-running")
        if uuid in listed.split():
            found.append(host["name"])
    return found


wait_for("the guest", lambda: len(counts(label)) > 3)
task = x.Async.VM.pool_migrate(vm, refs[destination["name"]], {"live": "true"})
time.sleep(float(sys.argv[2]))
status = x.task.get_status(task)
# Asked before: without a master nobody says which guest has this name.
seen = count(label)
testbed("kill", master)


def answer(method, *params):
    """The same session reference, wherever the master is now."""
    for host in away:
        found = raw(host, method, reference, *params)
        if found and found["Status"] == "Success":
            return found["Value"]
    return None


ended = wait_for(
    "the task's end",
    lambda: (record := answer("task.get_record", task)) and record["status"] in ("success", "failure") and record,
    90,
)
assert ended["status"] == "success" or ended["error_info"], ended
wait_for("one home", lambda: len(running_on()) == 1, 60)
home = running_on()[0]
wait_for("the record", lambda: answer("VM.get_resident_on", vm) == refs[home], 60)
assert answer("VM.get_power_state", vm) == "Running"
wait_for("the counter", lambda: count(label) > seen + 3)
number = whole_count(label)
assert answer("VM.get_current_operations", vm) == {}
testbed("start", master)
wait_for("one digest", same_digest, 120)
assert ok(next(a for h in hosts.values() if (a := raw(h, "VM.hard_shutdown", reference, vm, timeout=60)) and a["Status"] == "Success")) == ""
say(
    f"the master died {sys.argv[2]} s into a migration (task then {status}): the task ended as {ended['status']}, "
    f"the guest runs on {home} alone, {number} counts without gap"
)
