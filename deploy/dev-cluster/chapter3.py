"""The XenServer guide's first session, with the official client (XenAPI from PyPI), unmodified.

Called by `cargo xtask demo` with the path of pool.json; SSL_CERT_FILE names the pool's CA.
"""

import json
import sys
import time

import XenAPI


def say(text):
    print("    " + text, flush=True)


pool = json.load(open(sys.argv[1]))
hosts = pool["hosts"]
user, password = pool["username"], pool["password"]

for host in hosts:
    session = XenAPI.Session(host["https"])
    try:
        session.login_with_password(user, password, "1.0", "tarn-demo")
        master = host
        break
    except XenAPI.Failure as failure:
        assert failure.details[0] == "HOST_IS_SLAVE", failure.details
        say(f"{host['name']} is a slave and names its master: {failure.details[1]}")
say(f"logged in to the master, {master['name']} ({master['https']})")

records = session.xenapi.VM.get_all_records()
templates = [r["name_label"] for r in records.values() if r["is_a_template"]]
say(f"{len(templates)} templates, among them {', '.join(sorted(templates)[:3])}")

template = next(ref for ref, r in records.items() if r["uuid"] == pool["template"])
vm = session.xenapi.VM.clone(template, "chapter three")
session.xenapi.VM.set_name_description(vm, "made by XenAPI.py")
session.xenapi.VM.provision(vm)
say("cloned and provisioned " + session.xenapi.VM.get_name_label(vm))


def call(verb, *args):
    before = time.monotonic()
    getattr(session.xenapi.VM, verb)(vm, *args)
    state = session.xenapi.VM.get_power_state(vm)
    say(f"VM.{verb}: {state} after {time.monotonic() - before:.1f} s")
    return state


assert call("start", False, True) == "Running"
if pool["hypervisor"] == "qemu":
    time.sleep(float(sys.argv[2]) if len(sys.argv) > 2 else 15)  # until it listens to its power button
assert call("suspend") == "Suspended"
assert call("resume", False, True) == "Running"
assert call("clean_shutdown") == "Halted"

for vbd in session.xenapi.VM.get_VBDs(vm):
    if session.xenapi.VBD.get_type(vbd) == "Disk":
        session.xenapi.VDI.destroy(session.xenapi.VBD.get_VDI(vbd))
session.xenapi.VM.destroy(vm)

# The client forgets its session at log-out; keep the reference to show that the pool has forgotten it too.
reference = session._session
session.xenapi.session.logout()
# A raw call: the client's own layer would try to log in again.
answer = XenAPI.Session(master["https"]).VM.get_all(reference)
assert answer["ErrorDescription"] == ["SESSION_INVALID", reference], answer
say("logged out; the dead session gets SESSION_INVALID")
