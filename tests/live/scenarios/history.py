"""The pool's past: who wrote what, one rename taken back, and the database as it was a while ago; on every host in turn."""

import glob
import tempfile

from tarn import *


def kept(name):
    return glob.glob(os.path.join(os.environ["TARN_DIR"], "hosts", name, "var-lib-tarn", "raft", "history", "*.state"))


# From these all is told; a node makes the first within a minute of its start.
wait_for("a kept state on every host", lambda: all(kept(name) for name in hosts), 90)
session, master = login()
x = session.xenapi
vm = x.VM.clone(x.VM.get_by_uuid(pool["template"]), "named before")
uuid = x.VM.get_uuid(vm)


def ask(*words):
    return testbed("exec", master, *tarn(*words))


def entries(*words):
    return [json.loads(line) for line in ask("history", "--json", "--object", uuid, *words).splitlines()]


def renames():
    found = []
    for entry in entries():
        for change in entry["changes"]:
            if change.get("field") == "name_label":
                found.append((entry["entry"], entry["user"], entry["call"], change["old"], change["new"]))
    return found


assert any(c["what"] == "made" for e in entries() for c in e["changes"])
quiet = int(time.time())
wait_for("the second to pass", lambda: time.time() >= quiet + 2)
x.VM.set_name_label(vm, "named after")
x.VM.set_name_description(vm, "described since")
[(entry, who, call, old, new)] = [r for r in renames() if r[4] == "named after"]
assert (who, call, old) == (user, "VM.set_name_label", "named before"), (who, call, old)
assert not any(c.get("new") == "named after" for e in entries("--until", "1h") for c in e["changes"])
page = ask("history", "--object", uuid)
assert f'name_label: "named before" -> "named after"' in page, page
everything = ask("history", "--all") + ask("history", "--all", "--json")
assert "session" in everything and "VM.set_name_label" in everything
assert password not in everything and session._session not in everything

with tempfile.TemporaryDirectory() as folder:
    file = os.path.join(folder, "then.backup")
    moment = time.strftime("%Y%m%dT%H:%M:%SZ", time.gmtime(quiet + 1))
    ask("backup", "--at", moment, file)
    held = open(file, "rb").read()
    assert b"named before" in held and b"named after" not in held
    assert os.stat(file).st_mode & 0o777 == 0o600
    assert "can be restored" in testbed("exec", master, tarn("x")[0], "restore", file, "--dry-run")
say("the database as it was before a rename is written as a backup, which restores")

assert "would be set back" in ask("history", "undo", str(entry), "--dry-run")
assert x.VM.get_name_label(vm) == "named after"
ask("history", "undo", str(entry))
assert x.VM.get_name_label(vm) == "named before"
assert x.VM.get_name_description(vm) == "described since"
for number, why in [(entry, "has been set again"), (1, "does not reach back"), (10**12, "changed nothing")]:
    try:
        ask("history", "undo", str(number))
        raise SystemExit(f"entry {number} was undone")
    except subprocess.CalledProcessError as failure:
        assert why in failure.stderr, failure.stderr
assert x.VM.get_name_label(vm) == "named before"
say("a rename is undone by its entry's number, once; what was set since stays")

# The next master tells the same past: every member keeps it.
told = renames()
testbed("kill", master)
dead = master
session, master = login()
wait_for("the same past", lambda: renames() == told, 30)
testbed("start", dead)
wait_for("one digest", same_digest, 90)
say(f"the next master tells the same {len(told)} renames")

# The objects as one document, as backup tools of XenServer pools keep them, and put back.
x = session.xenapi
document = "/run/objects.xml"


def xe(*words):
    return testbed("exec", master, "xe", *words)


def refuses_to_restore(why, *words):
    try:
        xe("pool-restore-database", f"file-name={document}", *words)
        raise SystemExit("it was restored")
    except subprocess.CalledProcessError as failure:
        assert why in failure.stderr + failure.stdout, (failure.stdout, failure.stderr)


xe("pool-dump-database", f"file-name={document}")
text = testbed("exec", master, "cat", document)
assert text.count("<table ") > 50 and "named before" in text and password not in text and session._session not in text
x.VM.set_name_label(vm, "named too late")
late = x.VM.clone(x.VM.get_by_uuid(pool["template"]), "made too late")
gone = x.VM.clone(x.VM.get_by_uuid(pool["template"]), "lives")
x.VM.provision(gone)
x.VM.start(gone, False, False)
refuses_to_restore("force")
refuses_to_restore("not in a power state", "--dry-run")
refuses_to_restore("not in a power state", "--force")
assert x.VM.get_name_label(vm) == "named too late" and x.VM.get_name_label(late) == "made too late"
x.VM.hard_shutdown(gone)
x.VM.destroy(vm)
xe("pool-restore-database", f"file-name={document}", "--dry-run")
refused("HANDLE_INVALID", x.VM.get_record, vm)
xe("pool-restore-database", f"file-name={document}", "--force")
assert x.VM.get_uuid(vm) == uuid and x.VM.get_name_label(vm) == "named before"
for other in (late, gone):
    refused("HANDLE_INVALID", x.VM.get_record, other)
wait_for("one digest", same_digest, 30)
x.VM.provision(vm)
x.VM.start(vm, False, False)
x.VM.hard_shutdown(vm)
testbed("exec", master, "sh", "-c", f"head -c 20000 {document} > {document}.half && mv {document}.half {document}")
refuses_to_restore("not closed", "--force")
x.VM.destroy(vm)
say("objects go into one document, and are put back while the pool goes on")
