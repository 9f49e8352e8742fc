"""The collection of deploy/ansible on clean hosts: from nothing to a pool, through its life, and away again."""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time

import XenAPI

from waiting import *

repo, programs, kind = sys.argv[1:4]
bed = os.environ["TARN_DIR"]
ansible = os.environ["TARN_ANSIBLE"]
here = os.path.dirname(os.path.abspath(__file__))
# It holds passwords and a backup: it goes when this ends, however it ends.
folder = tempfile.TemporaryDirectory(prefix="tarn-ansible-")
work = folder.name
PASSWORD = "a secret, with 'quotes'"
USERS = [
    {"name": "prometheus", "role": "read-only", "password": "sees, 'changes' nothing"},
    {"name": "operator", "role": "vm-admin", "password": "starts and stops"},
]


SETTINGS = {"node": {"hypervisor": kind, "accelerator": "tcg"}, "session": {"most": 300}}


def testbed(*words):
    run(os.environ["TARN_XTASK"], "pool", "--dir", bed, *words)


def run(*words, **more):
    done = subprocess.run(words, capture_output=True, text=True, **more)
    assert done.returncode == 0, f"{words}: {done.stdout[-6000:]}{done.stderr[-3000:]}"
    return done.stdout


def hosts():
    with open(f"{bed}/testbed.json") as file:
        return {host["name"]: host for host in json.load(file)["hosts"]}


def inside(name, *words):
    pid = hosts()[name]["process"]["pid"]
    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return run("nsenter", "-t", str(pid), "-m", "-u", "-n", "-p", "--", "env", "-i", path, "HOME=/root", *words)


def package(release):
    out = run(os.environ["TARN_XTASK"], "package", "--quick", "--programs", programs, "--out", work, "--release", release)
    return [line.strip() for line in out.splitlines() if line.strip().endswith(".deb")][-1]


def inventory(names, deb, **more):
    known = hosts()
    group = {
        "hosts": {name: {"ansible_host": name, "tarn_node_address": known[name]["address"]} for name in names},
        "vars": {
            "ansible_connection": "testbed",
            "ansible_python_interpreter": "/usr/bin/python3",
            "tarn_node_package": deb,
            "tarn_pool_name": "lab",
            "tarn_pool_password": PASSWORD,
            "tarn_node_settings": SETTINGS,
            "tarn_pool_storage": [
                {"name": "Shared storage", "type": "file", "default": True, "device_config": {"location": "/srv/shared/sr"}}
            ],
            "tarn_pool_networks": [{"name": "Inner"}, {"name": "Guests", "device": "eth1", "vlan": 77}],
            "tarn_pool_users": USERS,
            **more,
        },
    }
    with open(f"{work}/inventory.json", "w") as file:
        json.dump({"tarn": group}, file)


def environment():
    return {
        **os.environ,
        "PATH": f"{ansible}:{os.environ['PATH']}",
        "HOME": work,
        "ANSIBLE_COLLECTIONS_PATH": f"{work}/collections:{os.environ['TARN_COLLECTIONS']}",
        "ANSIBLE_CONNECTION_PLUGINS": f"{here}/../ansible/connection_plugins",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_NOCOWS": "1",
        "ANSIBLE_FORCE_COLOR": "false",
        "ANSIBLE_HOST_KEY_CHECKING": "false",
    }


def attempt(book, *more, **facts):
    """Runs a playbook: whether it ends well, and what it says."""
    extra = ["--extra-vars", json.dumps(facts)] if facts else []
    done = subprocess.run([f"{ansible}/ansible-playbook", "-i", f"{work}/inventory.json",
                           f"tarn.pool.{book}", *extra, *more],
                          capture_output=True, text=True, env=environment())
    out = done.stdout + done.stderr
    for secret in [PASSWORD, *(user["password"] for user in USERS)]:
        assert secret not in out, "a secret was printed"
    return done.returncode == 0, out


def fails(why, book, **facts):
    """Runs a playbook that must end with these words."""
    well, out = attempt(book, **facts)
    assert not well and why in " ".join(out.split()), out[-6000:]


def play(book, *more, **facts):
    """Runs a playbook; what changed, by host."""
    began = time.monotonic()
    well, out = attempt(book, *more, **facts)
    assert well, f"{book}: {out[-9000:]}"
    changed = {host: int(n) for host, n in re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", out, re.M)}
    say(f"{book} {' '.join(more)}: {changed} in {time.monotonic() - began:.0f} s")
    return changed, out


def changes(out):
    """The tasks of a play that changed something."""
    found, task = set(), None
    for line in out.splitlines():
        if begins := re.match(r"TASK \[(?:[\w.]+ : )?(.*?)\] \*", line):
            task = begins[1]
        elif line.startswith("changed: ["):
            found.add(task)
    return found


def as_user(address, name, password):
    session = XenAPI.Session(f"https://{address}", ignore_ssl=True)
    session.login_with_password(name, password, "1.0", "test")
    return session


def master():
    for host in hosts().values():
        if not host["process"]:
            continue
        try:
            return as_user(host["address"], "root", PASSWORD), host["address"]
        except (XenAPI.Failure, OSError):
            pass
    return None


def started(name):
    """The processes of a host's node and of its watchdog."""
    return inside(name, "cat", "/run/unit-tarn", "/run/unit-tarn-watchdog")


def restarts(names):
    """When each node was stopped and had started again for the last time, in order."""
    found = []
    for name in names:
        log = [line.split() for line in inside(name, "cat", "/run/units.log").splitlines()]
        times = {what: float(at) for at, what, unit in log if unit == "tarn"}
        found.append((times["stop"], times["start"], name))
    return sorted(found)


def whole(count):
    """Every host is live and enabled."""

    def look():
        found = master()
        if not found:
            return None
        session = found[0]
        records = session.xenapi.host.get_all_records().values()
        live = [h for h in records if h["enabled"] and session.xenapi.host_metrics.get_live(h["metrics"])]
        return found if len(records) == len(live) == count else None

    return wait_for(f"{count} hosts", look, 90)


# Installed as its README says.
run(f"{ansible}/ansible-galaxy", "collection", "install", "--offline", f"{repo}/deploy/ansible", "-p", f"{work}/collections",
    env=environment())

# The rules of Ansible itself.
run(f"{ansible}/ansible-lint", "--offline", "--profile", "production", "--nocolor", ".",
    cwd=f"{repo}/deploy/ansible", env={**environment(), "ANSIBLE_LINT_SKIP_SCHEMA_UPDATE": "1"})
say("ansible-lint has nothing to say")

for name in hosts():
    inside(name, "install", "-m", "755", f"{here}/../ansible/systemctl", "/usr/local/sbin/systemctl")
first, second, third = package("0.1.0"), package("0.1.1"), package("0.2.0")
trio = ["h1", "h2", "h3"]
inventory(trio, first)

# Nothing happens when it is only looked at.
play("site", "--check")
for name in trio:
    inside(name, "sh", "-c", "test ! -e /usr/bin/tarn && test ! -e /etc/tarn/tarn.toml")

changed, _ = play("site")
assert all(changed.values()), changed
session, address = whole(3)
changed, _ = play("site")
assert set(changed.values()) == {0}, changed
changed, _ = play("site", "--check")
assert set(changed.values()) == {0}, changed

pool = list(session.xenapi.pool.get_all_records().values())[0]
assert pool["name_label"] == "lab", pool
repositories = [s for s in session.xenapi.SR.get_all_records().values() if s["name_label"] == "Shared storage"]
assert len(repositories) == 1 and len(repositories[0]["PBDs"]) == 3, repositories
assert session.xenapi.SR.get_uuid(pool["default_SR"]) == repositories[0]["uuid"]
networks = [n["name_label"] for n in session.xenapi.network.get_all_records().values()]
assert "Inner" in networks and "Guests" in networks, networks
assert len([p for p in session.xenapi.PIF.get_all_records().values() if p["VLAN"] == "77"]) == 3
assert "300" in inside("h2", "tarn", "config", "show")
for user in USERS:
    mine = as_user(address, user["name"], user["password"])
    label = mine.xenapi.pool.get_name_label(mine.xenapi.pool.get_all()[0])
    assert label == "lab", label
    mine.xenapi.session.logout()
said = {line.split()[0]: line for line in inside("h1", "tarn", "user", "list").splitlines()}
for user in USERS:
    assert user["role"] in said[user["name"]], said

# What an earlier run left half done is gone on with.
null = "OpaqueRef:NULL"
row = session.xenapi.pool.get_all()[0]
session.xenapi.pool.set_default_SR(row, null)
for vlan in session.xenapi.VLAN.get_all():
    session.xenapi.VLAN.destroy(vlan)
inside("h1", "tarn", "user", "remove", "operator")
_, out = play("site")
assert changes(out) == {"Make it the default", "Lay it on a VLAN of every host", "Add users"}, changes(out)
assert session.xenapi.SR.get_uuid(session.xenapi.pool.get_default_SR(row)) == repositories[0]["uuid"]
assert len([p for p in session.xenapi.PIF.get_all_records().values() if p["VLAN"] == "77"]) == 3
as_user(address, "operator", USERS[1]["password"]).xenapi.session.logout()
say("what was half done has been done")

# Other settings: each node in its turn, and none while the pool lacks a host.
inventory(trio, first, tarn_node_settings={**SETTINGS, "session": {"most": 301}})
before = {name: started(name) for name in trio}
testbed("cut", "h3")
wait_for("the loss to be known", lambda: "AWAY" in inside("h1", "tarn", "status"))
fails("Wait until the pool can spare", "site", tarn_node_patience=4)
assert {name: started(name) for name in trio} == before, "a node was restarted while the pool lacked a host"
assert "301" not in inside("h1", "tarn", "config", "show")
testbed("heal", "h3")
session, address = whole(3)
play("site")
after = {name: started(name) for name in trio}
assert all(set(after[name].split()).isdisjoint(before[name].split()) for name in trio), (before, after)
spans = restarts(trio)
assert all(up < down for (_, up, _), (down, _, _) in zip(spans, spans[1:])), spans
assert all("301" in inside(name, "tarn", "config", "show") for name in trio)
session, address = whole(3)
changed, _ = play("site")
assert set(changed.values()) == {0}, changed
inventory(trio, first, tarn_node_settings={"node": {"state_dir": "/srv/tarn"}})
fails("expects the state in /var/lib/tarn", "site")
inventory(trio, first)
play("site")
session, address = whole(3)
say("settings reach one host after the other")

# A guest starts and moves.
template = session.xenapi.VM.get_by_name_label("Other install media")[0]
guest = session.xenapi.VM.clone(template, "mover")
session.xenapi.VM.remove_from_other_config(guest, "disks")
session.xenapi.VM.provision(guest)
session.xenapi.VM.start(guest, False, False)
target = [h for h in session.xenapi.host.get_all() if h != session.xenapi.VM.get_resident_on(guest)][0]
session.xenapi.VM.pool_migrate(guest, target, {"live": "true"})
assert session.xenapi.VM.get_resident_on(guest) == target
born = session.xenapi.VM_metrics.get_start_time(session.xenapi.VM.get_metrics(guest))
say("a guest runs and moves")

# The modules that community.general has for XenServer.
model = session.xenapi.VM.clone(template, "Example template")
session.xenapi.VM.remove_from_other_config(model, "disks")
play("example_vms", tarn_api_host=f"https://{address}", tarn_api_password=PASSWORD, tarn_api_validate=False,
     tarn_api_template="Example template")
assert not session.xenapi.VM.get_by_name_label("example-vm")

# A fourth host, by naming it; not while high availability is on.
inventory([*trio, "h4"], first)
session.xenapi.pool.enable_ha([], {})
fails("High availability is on, and a pool takes no host in then", "site")
assert len(session.xenapi.host.get_all()) == 3
session.xenapi.pool.disable_ha()
changed, _ = play("site")
assert changed["h4"] and not changed["h2"] and not changed["h3"], changed
session, _ = whole(4)

# The third dies; the fifth takes its place.
dead = session.xenapi.host.get_by_name_label("h3")[0]
uuid = session.xenapi.host.get_uuid(dead)
if session.xenapi.VM.get_resident_on(guest) == dead:
    other = [h for h in session.xenapi.host.get_all() if h != dead][0]
    session.xenapi.VM.pool_migrate(guest, other, {"live": "true"})
testbed("kill", "h3")
inventory(["h1", "h2", "h4", "h5"], first)
wait_for("the loss to be known", lambda: "AWAY" in inside("h2", "tarn", "status"))
play("replace_host", tarn_dead_host="h3", tarn_new_host="h5")
session, _ = whole(4)
again = session.xenapi.host.get_by_uuid(uuid)
assert again == dead and session.xenapi.host.get_name_label(again) == "h5" and session.xenapi.host.get_address(again) == hosts()["h5"]["address"]
changed, _ = play("replace_host", tarn_dead_host="h3", tarn_new_host="h5")
assert set(changed.values()) == {0}, changed
say("a dead host has been replaced")

# Another release, host by host, under load.
acknowledged, stop, refused = [], threading.Event(), []


def load():
    number = 0
    mine = None
    while not stop.is_set():
        number += 1
        try:
            mine = mine or master()[0]
            mine.xenapi.VM.add_to_other_config(guest, f"load-{number}", "x")
            acknowledged.append(number)
        except (XenAPI.Failure, OSError, TypeError, Exception) as error:
            refused.append(repr(error)[:80])
            mine = None
            time.sleep(0.05)


worker = threading.Thread(target=load)
worker.start()
inventory(["h1", "h2", "h4", "h5"], second)
try:
    play("rolling_upgrade")
finally:
    stop.set()
    worker.join()
session, _ = whole(4)
releases = {h["software_version"]["tarn"] for h in session.xenapi.host.get_all_records().values()}
assert releases == {"0.1.1"}, releases
written = session.xenapi.VM.get_other_config(guest)
lost = [n for n in acknowledged if f"load-{n}" not in written]
assert len(acknowledged) > 50 and not lost, (len(acknowledged), lost[:5])
assert session.xenapi.VM.get_power_state(guest) == "Running"
assert session.xenapi.VM_metrics.get_start_time(session.xenapi.VM.get_metrics(guest)) == born
for name in ["h1", "h2", "h4", "h5"]:
    assert inside(name, "dpkg-query", "-W", "-f", "${Version}", "tarn") == "0.1.1-1"
say(f"upgraded under load: {len(acknowledged)} writes, none lost, {len(refused)} refused and made again; the guest never ended")
changed, _ = play("rolling_upgrade")
assert set(changed.values()) == {0}, changed

# One more with high availability on: a protected guest is led round the hosts, and never ends.
inventory(["h1", "h2", "h4", "h5"], third)
session.xenapi.VM.set_ha_restart_priority(guest, "restart")
# Longer than a node takes to start where five hosts share one machine.
session.xenapi.pool.enable_ha([], {"timeout": "60"})
fails("High availability is on. Turn it off", "rolling_upgrade", tarn_upgrade_evacuate=False)
watchdogs = {name: inside(name, "cat", "/run/unit-tarn-watchdog") for name in ["h1", "h2", "h4", "h5"]}
play("rolling_upgrade")
session, _ = whole(4)
releases = {h["software_version"]["tarn"] for h in session.xenapi.host.get_all_records().values()}
assert releases == {"0.2.0"}, releases
assert session.xenapi.pool.get_ha_enabled(session.xenapi.pool.get_all()[0])
assert session.xenapi.VM.get_power_state(guest) == "Running"
assert session.xenapi.VM_metrics.get_start_time(session.xenapi.VM.get_metrics(guest)) == born
assert all(inside(name, "cat", "/run/unit-tarn-watchdog") != pid for name, pid in watchdogs.items())
session.xenapi.pool.disable_ha()
say("upgraded with high availability on: the protected guest never ended")

play("backup", tarn_backup_folder=f"{work}/backups")
assert os.stat(f"{work}/backups").st_mode & 0o777 == 0o700
backup = os.path.join(f"{work}/backups", os.listdir(f"{work}/backups")[0])
assert os.stat(backup).st_mode & 0o777 == 0o600
assert "can be restored" in inside("h1", "tarn", "restore", backup, "--dry-run")

# It does not go by accident; it goes when it is meant, and takes no disk along.
fails("Set tarn_teardown_confirm", "teardown")
play("teardown", tarn_teardown_confirm="the pool may go")
for name in ["h1", "h2", "h4", "h5"]:
    inside(name, "sh", "-c", "test ! -e /usr/bin/tarn && test ! -e /var/lib/tarn/host-cert.pem")
say("the pool has gone")
