"""The guide's third chapter, and what a slave says."""

from tarn import *

session, master = login()
say(f"the master is {master}")
records = session.xenapi.VM.get_all_records()
assert any(r["name_label"] == "Debian Etch 4.0" for r in records.values())
template = next(ref for ref, r in records.items() if r["uuid"] == pool["template"])
assert session.xenapi.VM.get_by_name_label(records[template]["name_label"]) == [template]
vm = session.xenapi.VM.clone(template, "chapter three")
session.xenapi.VM.provision(vm)
session.xenapi.VM.start(vm, False, True)
assert session.xenapi.VM.get_power_state(vm) == "Running"
record = session.xenapi.VM.get_record(vm)
assert "suspend" in record["allowed_operations"] and "start" not in record["allowed_operations"]
assert len(record["consoles"]) == 2
wait_for("the guest", lambda: "TARN-UP" in testbed("serial", "chapter three"))
session.xenapi.VM.suspend(vm)
assert session.xenapi.VM.get_power_state(vm) == "Suspended"
session.xenapi.VM.resume(vm, False, True)
assert session.xenapi.VM.get_power_state(vm) == "Running"
session.xenapi.VM.clean_shutdown(vm)
assert session.xenapi.VM.get_power_state(vm) == "Halted"
say("cloned, provisioned, started, suspended, resumed, shut down")

# An asynchronous call: a task with a result as XML-RPC text.
task = session.xenapi.Async.VM.clone(vm, "a copy")
wait_for("the task", lambda: session.xenapi.task.get_status(task) == "success")
result = session.xenapi.task.get_result(task)
assert result.startswith("<value>OpaqueRef:") and result.endswith("</value>"), result
assert session.xenapi.task.get_progress(task) == 1.0
copy = result[len("<value>"):-len("</value>")]
assert session.xenapi.VM.get_name_label(copy) == "a copy"
failing = session.xenapi.Async.VM.resume(copy, False, False)
wait_for("the failing task", lambda: session.xenapi.task.get_status(failing) == "failure")
assert session.xenapi.task.get_error_info(failing) == ["VM_BAD_POWER_STATE", copy, "suspended", "halted"]
try:
    session.xenapi.VM.suspend(vm)
    raise SystemExit("a halted VM was suspended")
except XenAPI.Failure as failure:
    assert failure.details == ["VM_BAD_POWER_STATE", vm, "running", "halted"], failure.details

# Over the Unix socket of a slave: any credentials, the same records.
slave = next(h for n, h in hosts.items() if n != master)
proxy = over_socket(slave)
reference = ok(proxy.session.login_with_password("nobody", "nothing"))
assert ok(proxy.VM.get_all_records(reference)).keys() == session.xenapi.VM.get_all_records().keys()
ok(proxy.session.logout(reference))
say("the slave's socket reads what the master has")

reference = session._session
session.xenapi.session.logout()
dead = raw(hosts[master], "VM.get_all", reference)
assert dead["ErrorDescription"] == ["SESSION_INVALID", reference], dead
dead = raw(slave, "VM.get_all", reference)
assert dead["ErrorDescription"] == ["SESSION_INVALID", reference], dead
answer = raw(slave, "session.login_with_password", user, "wrong")
assert answer["ErrorDescription"] == ["HOST_IS_SLAVE", hosts[master]["address"]], answer
began = time.monotonic()
answer = raw(hosts[master], "session.login_with_password", user, "wrong", timeout=20)
assert time.monotonic() - began >= 5, "guessing is slow"
assert answer["ErrorDescription"][:2] == ["SESSION_AUTHENTICATION_FAILED", user], answer
say("a dead session, a slave and a wrong password are told apart")
