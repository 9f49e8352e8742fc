"""All hosts go down at once and come back with everything."""

from tarn import *

session, _ = login()
reference = session._session
before = session.xenapi.VM.get_all_records()
for name in hosts:
    testbed("kill", name)
for name in hosts:
    # Alone a host answers no call: there is no quorum yet.
    testbed("start", name, "--no-wait")
session, master = login()
after = session.xenapi.VM.get_all_records()
assert before.keys() == after.keys()
assert all(before[ref]["name_label"] == after[ref]["name_label"] for ref in before)
assert raw(hosts[master], "pool.get_all", reference)["Status"] == "Success", "the old session"
wait_for("one digest", same_digest, 60)
say(f"all three went down and came back with {len(after)} VMs and the session")
