"""A watcher lives through the death of the master and misses nothing: what it printed holds every write that the audit trail
tells of, and none twice. The watcher is the sample that the pool itself offers."""

import threading

from samples import fetch, kept

from tarn import *

VMS = 60
session, master = login()
x = session.xenapi
reference = session._session
template = x.VM.get_by_name_label("Other install media")[0]
vms = [x.VM.clone(template, f"watched {n}") for n in range(VMS)]

printed = open(os.path.join(os.environ["TARN_DIR"], "watched.jsonl"), "w+")
urls = [h["https"] for h in hosts.values()]
watcher = subprocess.Popen([sys.executable, str(kept("watch.py")), user, password, "vm", *urls], stdout=printed)


def seen():
    """What the watcher has printed so far; a line may not be whole yet."""
    text = open(printed.name).read()
    return [json.loads(line) for line in text.split("\n")[:-1]]


try:
    wait_for("what there is", lambda: {e["ref"] for e in seen()} >= set(vms))
    began = len(seen())
    acknowledged, stop = {}, threading.Event()

    def write():
        """Renames one VM after another, each once, wherever the master is, and notes which were acknowledged."""
        names, at = list(hosts), list(hosts).index(master)
        for number, vm in enumerate(vms):
            for _ in range(400):
                answer = raw(hosts[names[at]], "VM.set_name_label", reference, vm, f"renamed {number}", timeout=1)
                if answer and answer["Status"] == "Success":
                    acknowledged[vm] = f"renamed {number}"
                    break
                if answer and answer["ErrorDescription"][0] == "HOST_IS_SLAVE":
                    at = next(i for i, n in enumerate(names) if hosts[n]["address"] == answer["ErrorDescription"][1])
                else:
                    at = (at + 1) % len(names)
                time.sleep(0.05)
            time.sleep(0.05)

    writer = threading.Thread(target=write)
    writer.start()
    wait_for("some writes", lambda: len(acknowledged) > VMS // 4)
    testbed("kill", master)
    writer.join()
    assert len(acknowledged) == VMS, f"{VMS - len(acknowledged)} writes were never acknowledged"
    testbed("start", master)
    wait_for("three members", lambda: len(statuses()) == 3, 90)
    # One made and one destroyed at the end: when these are seen, all before is.
    session, new = login()
    assert new != master
    last = session.xenapi.VM.clone(template, "the last")
    session.xenapi.VM.destroy(vms[0])
    wait_for("the last words", lambda: {("add", last), ("del", vms[0])} <= {(e["operation"], e["ref"]) for e in seen()}, 30)
    told = seen()[began:]
finally:
    watcher.kill()
    watcher.wait()

status, _, trail = fetch(f"/audit_log?session_id={session._session}", hosts[new])
assert status == 200
lines = [l for l in trail.split("\n") if "'VM.set_name_label'" in l and "'ALLOWED' 'OK'" in l]
in_trail = {vm for vm in vms if any(f"'{vm}'" in line for line in lines)}
renamed = {(e["ref"], e["name_label"]) for e in told if e["operation"] == "mod" and e["name_label"].startswith("renamed")}
missed = {(vm, name) for vm, name in acknowledged.items()} - renamed
assert not missed, f"acknowledged and not told: {missed}"
assert in_trail <= {vm for vm, _ in renamed}, "in the trail and not told"
# The trail of a host that lost its power may have lost its last lines, no more.
assert len(in_trail) > VMS * 3 // 4, len(in_trail)
twice = [(e["ref"], e["id"]) for e in told]
assert len(set(twice)) == len(twice), "the same change was told twice"
for vm in [*vms[1:], last]:
    session.xenapi.VM.destroy(vm)
say(f"{VMS} writes over the death of {master}, {len(in_trail)} in the trail: all told, none twice, {len(told)} events")
