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

repo, programs, kind = sys.argv[1:4]
bed = os.environ["TARN_DIR"]
ansible = os.environ["TARN_ANSIBLE"]
here = os.path.dirname(os.path.abspath(__file__))
work = tempfile.mkdtemp(prefix="tarn-ansible-")
PASSWORD = "a secret, with 'quotes'"
REPORT = {}


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


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


def package(revision):
    out = run(os.environ["TARN_XTASK"], "package", "--quick", "--programs", programs, "--out", work, "--revision", str(revision))
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
            "tarn_node_settings": {"node": {"hypervisor": kind, "accelerator": "tcg"}, "session": {"most": 300}},
            "tarn_pool_storage": [
                {"name": "Shared storage", "type": "file", "default": True, "device_config": {"location": "/srv/shared/sr"}}
            ],
            "tarn_pool_networks": [{"name": "Inner"}, {"name": "Guests", "device": "eth1", "vlan": 77}],
            **more,
        },
    }
    with open(f"{work}/inventory.json", "w") as file:
        json.dump({"tarn": group}, file)


def environment():
    os.makedirs(f"{work}/collections/ansible_collections/tarn", exist_ok=True)
    link = f"{work}/collections/ansible_collections/tarn/pool"
    if not os.path.lexists(link):
        os.symlink(f"{repo}/deploy/ansible", link)
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


def play(book, *more, **facts):
    """Runs a playbook; what changed, by host."""
    extra = ["--extra-vars", json.dumps(facts)] if facts else []
    began = time.monotonic()
    out = run(f"{ansible}/ansible-playbook", "-i", f"{work}/inventory.json",
              f"{repo}/deploy/ansible/playbooks/{book}.yml", *extra, *more, env=environment())
    assert PASSWORD not in out, "a secret was printed"
    changed = {host: int(n) for host, n in re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", out, re.M)}
    say(f"{book} {' '.join(more)}: {changed} in {time.monotonic() - began:.0f} s")
    return changed, out


def master():
    for host in hosts().values():
        if not host["process"]:
            continue
        try:
            session = XenAPI.Session(f"https://{host['address']}", ignore_ssl=True)
            session.login_with_password("root", PASSWORD, "1.0", "test")
            return session, host["address"]
        except (XenAPI.Failure, OSError):
            pass
    return None


def wait_for(what, holds, seconds=90):
    deadline = time.monotonic() + seconds
    while True:
        found = holds()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.2)


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

    return wait_for(f"{count} hosts", look)


# The rules of Ansible itself, first.
run(f"{ansible}/ansible-lint", "--offline", "--profile", "production", "--nocolor", ".",
    cwd=f"{repo}/deploy/ansible", env={**environment(), "ANSIBLE_LINT_SKIP_SCHEMA_UPDATE": "1"})
say("ansible-lint has nothing to say")

for name in hosts():
    inside(name, "install", "-m", "755", f"{here}/../ansible/systemctl", "/usr/local/sbin/systemctl")
first, second = package(1), package(2)
trio = ["h1", "h2", "h3"]
inventory(trio, first)

# Nothing happens when it is only looked at.
play("site", "--check")
assert subprocess.run(["nsenter", "-t", str(hosts()["h1"]["process"]["pid"]), "-m", "test", "-e", "/usr/bin/tarn"]).returncode

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

# A fourth host, by naming it.
inventory([*trio, "h4"], first)
changed, _ = play("site")
assert changed["h4"] and not changed["h2"] and not changed["h3"], changed
session, _ = whole(4)

# The third dies; the fifth takes its place.
third = session.xenapi.host.get_by_name_label("h3")[0]
uuid = session.xenapi.host.get_uuid(third)
if session.xenapi.VM.get_resident_on(guest) == third:
    other = [h for h in session.xenapi.host.get_all() if h != third][0]
    session.xenapi.VM.pool_migrate(guest, other, {"live": "true"})
run(os.environ["TARN_XTASK"], "pool", "--dir", bed, "kill", "h3")
inventory(["h1", "h2", "h4", "h5"], first)
wait_for("the loss to be known", lambda: "AWAY" in inside("h2", "tarn", "status"))
play("replace_host", tarn_dead_host="h3", tarn_new_host="h5")
session, _ = whole(4)
again = session.xenapi.host.get_by_uuid(uuid)
assert again == third and session.xenapi.host.get_address(again) == hosts()["h5"]["address"]
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
    play("rolling_upgrade", tarn_upgrade_force=True)
finally:
    stop.set()
    worker.join()
session, _ = whole(4)
written = session.xenapi.VM.get_other_config(guest)
lost = [n for n in acknowledged if f"load-{n}" not in written]
assert len(acknowledged) > 50 and not lost, (len(acknowledged), lost[:5])
assert session.xenapi.VM.get_power_state(guest) == "Running"
assert session.xenapi.VM_metrics.get_start_time(session.xenapi.VM.get_metrics(guest)) == born
for name in ["h1", "h2", "h4", "h5"]:
    assert "-2" in inside(name, "dpkg-query", "-W", "-f", "${Version}", "tarn")
say(f"upgraded under load: {len(acknowledged)} writes, none lost, {len(refused)} refused and made again; the guest never ended")
changed, _ = play("rolling_upgrade")
assert set(changed.values()) == {0}, changed

play("backup", tarn_backup_folder=f"{work}/backups")
backup = os.path.join(f"{work}/backups", os.listdir(f"{work}/backups")[0])
assert os.stat(backup).st_mode & 0o777 == 0o600
assert "can be restored" in inside("h1", "tarn", "restore", backup, "--dry-run")

# It does not go by accident; it goes when it is meant, and takes no disk along.
refusal = subprocess.run([f"{ansible}/ansible-playbook", "-i", f"{work}/inventory.json",
                          f"{repo}/deploy/ansible/playbooks/teardown.yml"], capture_output=True, env=environment())
assert refusal.returncode != 0
play("teardown", tarn_teardown_confirm="the pool may go")
for name in ["h1", "h2", "h4", "h5"]:
    inside(name, "sh", "-c", "test ! -e /usr/bin/tarn && test ! -e /var/lib/tarn/host-cert.pem")
say("the pool has gone")
