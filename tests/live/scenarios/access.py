"""Users with roles, seen by themselves: what they may on any master, what becomes of their sessions, and what the trail tells."""

import subprocess
from pathlib import Path

from tarn import *

root, master = login()
x = root.xenapi
names = list(hosts)
secrets = {"reader": "look-only", "operator": "start-stop"}
folder = Path(os.environ["TARN_DIR"])


def user_command(host, *words):
    """`tarn user ...` within a host; its exit code and what it prints."""
    command = [os.environ["TARN_XTASK"], "pool", "--dir", str(folder), "exec", host, *tarn("user", *words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    return done.returncode, done.stdout


def add(host, name, role, password):
    file = folder / f"{name}.password"
    file.write_text(password)
    file.chmod(0o600)
    return user_command(host, "add", name, "--role", role, "--password-file", str(file))


def log_in(host, name, password):
    return raw(hosts[host], "session.login_with_password", name, password, "1.0", "access", timeout=20)


def as_user(name):
    """The official client, logged in as a user."""
    session = XenAPI.Session(hosts[master]["https"])
    session.login_with_password(name, secrets[name], "1.0", "access")
    return session


def denied(permission, call, *params):
    assert refused("RBAC_PERMISSION_DENIED", call, *params)[0] == permission


def xe(host, name, *words):
    """xe on a host, as a user over the network."""
    command = [os.environ["TARN_XTASK"], "pool", "--dir", str(folder), "exec", host, "xe"]
    command += ["-s", hosts[master]["address"], "-u", name, "-pw", secrets[name], *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    return done.returncode, done.stdout


def trail(session=None, query=""):
    """What /audit_log answers on the master: status and text."""
    wire = connection(hosts[master])
    wire.request("GET", "/audit_log" + query, headers={"Cookie": f"session_id={session}"} if session else {})
    answer = wire.getresponse()
    return answer.status, answer.read().decode()


# Made on a host that does not lead: any member will do.
elsewhere = next(name for name in names if name != master)
assert add(elsewhere, "reader", "read-only", secrets["reader"]) == (0, "")
assert add(names[0], "operator", "vm-operator", secrets["operator"]) == (0, "")
code, text = add(names[0], "reader", "read-only", "other")
assert code == 1 and "SUBJECT_ALREADY_EXISTS" in text, text
code, text = add(names[0], "third", "no-such-role", "other")
assert code == 1 and "ROLE_NOT_FOUND" in text, text
code, text = user_command(elsewhere, "list")
listed = [line.split() for line in text.splitlines()]
assert ["operator", "vm-operator"] in listed and ["reader", "read-only"] in listed and [user, "local-root"] in listed, text

vm = x.VM.clone(x.VM.get_by_uuid(pool["template"]), "access")
x.VM.provision(vm)
reader, operator = as_user("reader"), as_user("operator")
assert vm in reader.xenapi.VM.get_all_records()
for call, permission in [
    (lambda: reader.xenapi.VM.start(vm, False, True), "vm.start"),
    (lambda: reader.xenapi.Async.VM.start(vm, False, True), "vm.start"),
    (lambda: reader.xenapi.VM.set_name_label(vm, "mine"), "vm.set_name_label"),
    (lambda: reader.xenapi.VM.add_to_other_config(vm, "folder", "/"), "vm.add_to_other_config/key:folder"),
    (lambda: reader.xenapi.secret.get_all_records(), "secret.get_all_records"),
    (lambda: operator.xenapi.VM.destroy(vm), "vm.destroy"),
    (lambda: operator.xenapi.VM.add_to_other_config(vm, "mac_seed", "x"), "vm.add_to_other_config"),
    (lambda: operator.xenapi.host.disable(x.host.get_all()[0]), "host.disable"),
]:
    denied(permission, call)
operator.xenapi.VM.start(vm, False, True)
operator.xenapi.VM.add_to_other_config(vm, "folder", "/")
assert reader.xenapi.VM.get_power_state(vm) == "Running"
task = operator.xenapi.task.create("work", "of the operator's")
denied("task.destroy/any", reader.xenapi.task.cancel, task)
permissions = reader.xenapi.session.get_rbac_permissions(reader._session)
assert "vm.get_record" in permissions and "vm.start" not in permissions

# xe with a user's name and password.
code, text = xe(elsewhere, "reader", "vm-list", "name-label=access", "params=power-state", "--minimal")
assert (code, text.strip()) == (0, "running"), text
code, text = xe(elsewhere, "reader", "vm-shutdown", "vm=access", "--force")
assert code == 1 and "vm.hard_shutdown" in text, text
code, text = xe(elsewhere, "operator", "vm-shutdown", "vm=access", "--force")
assert code == 0, text

# The master dies: sessions, roles and users are the pool's, not the host's.
old = master
testbed("kill", old)
_, master = login()
assert master != old
here = hosts[master]
assert vm in ok(raw(here, "VM.get_all_records", reader._session))
answer = raw(here, "VM.start", reader._session, vm, False, True)
assert answer["ErrorDescription"][:2] == ["RBAC_PERMISSION_DENIED", "vm.start"], answer
# Until the pool knows that the old master is away, a guest might be placed there.
reference = ok(raw(here, "host.get_by_uuid", reader._session, hosts[old]["uuid"]))
metrics = ok(raw(here, "host.get_metrics", reader._session, reference))
wait_for("the old master's silence", lambda: not ok(raw(here, "host_metrics.get_live", reader._session, metrics)))
ok(raw(here, "VM.start", operator._session, vm, False, True, timeout=60))
fresh = ok(log_in(master, "reader", secrets["reader"]))
ok(raw(here, "session.logout", fresh))
testbed("start", old)
wait_for("three members", lambda: len(statuses()) == 3, 90)
wait_for("three that follow", lambda: all(s.get("leader") for s in statuses().values()), 60)
root, master = login()
x, here = root.xenapi, hosts[master]

# A role that is given counts at once in sessions that there are; with the last one they end.
subject = x.session.get_subject(reader._session)
assert x.subject.get_other_config(subject)["subject-name"] == "reader"
role = x.role.get_by_name_label("vm-operator")[0]
x.subject.add_to_roles(subject, role)
ok(raw(here, "VM.hard_shutdown", reader._session, vm, timeout=30))
x.subject.remove_from_roles(subject, role)
answer = raw(here, "VM.start", reader._session, vm, False, True)
assert answer["ErrorDescription"][0] == "RBAC_PERMISSION_DENIED", answer
assert sorted(x.session.get_all_subject_identifiers()) == ["local:operator", "local:reader"]

# The trail: both masters' parts, in order, for whoever may look; nothing of what must stay secret.
assert trail()[0] == 401
status, text = trail(reader._session)
lines = text.splitlines()
assert status == 200 and lines == sorted(lines, key=lambda line: line.split("|")[0]), text
starts = [line for line in lines if "'API' 'VM.start'" in line]
by = {name: [line for line in starts if f"'{name}'" in line] for name in ("reader", "operator")}
assert any(f"|{old}|" in line and "'ALLOWED' 'OK'" in line for line in by["operator"]), starts
assert any(f"|{old}|" not in line and "'ALLOWED' 'OK'" in line for line in by["operator"]), starts
assert by["reader"] and all("'DENIED' 'ERROR:RBAC_PERMISSION_DENIED'" in line for line in by["reader"]), starts
assert all("'vm' 'access'" in line for line in by["operator"]), starts
assert any("'CLI' 'user add'" in line and "'operator'" in line for line in lines)
for secret in [*secrets.values(), password, reader._session, operator._session]:
    assert secret not in text, "the trail tells a secret"
assert trail(reader._session, "?since=29990101T00:00:00Z") == (200, "")
assert trail(reader._session, "?since=yesterday")[0] == 400
code, text = xe(elsewhere, "reader", "audit-log-get", f"filename={folder}/audit.txt")
assert code == 0 and "'VM.start'" in (folder / "audit.txt").read_text(), text

# Gone is gone.
assert user_command(names[-1], "remove", "operator") == (0, "")
answer = raw(here, "VM.get_all", operator._session)
assert answer["ErrorDescription"] == ["SESSION_INVALID", operator._session], answer
assert log_in(master, "operator", secrets["operator"])["ErrorDescription"][0] == "SESSION_AUTHENTICATION_FAILED"
x.subject.destroy(subject)
assert raw(here, "VM.get_all", reader._session)["ErrorDescription"][0] == "SESSION_INVALID"
assert log_in(master, "reader", secrets["reader"])["ErrorDescription"][0] == "SESSION_AUTHORIZATION_FAILED"
assert user_command(names[0], "remove", "reader") == (0, "")
code, text = user_command(names[0], "remove", user)
assert code == 1 and "OPERATION_NOT_ALLOWED" in text, text
x.VM.destroy(vm)
for name in [*secrets, "third"]:
    (folder / f"{name}.password").unlink()
(folder / "audit.txt").unlink()
say(f"two users on two masters, {len(lines)} lines in the trail of both")
