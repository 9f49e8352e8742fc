"""A leader whose followers do not answer for most of a second: nobody notices, and its reign goes on."""

import glob
import re
import signal
import threading

from tarn import *

ROUNDS, SILENCE = 6, 0.9


def node(host):
    """The host's node, as the machine numbers its processes."""
    network = os.readlink(f"/proc/{host['pid']}/ns/net")
    for file in glob.glob("/proc/[0-9]*"):
        try:
            words = open(f"{file}/cmdline").read().split("\0")
            if words[1:3] == ["node", "--config"] and os.readlink(f"{file}/ns/net") == network:
                return int(os.path.basename(file))
        except OSError:
            pass
    raise SystemExit(f"no node on {host['name']}")


session, master = login()
reference = session._session
pool_ref = session.xenapi.pool.get_all()[0]
followers = [node(host) for name, host in hosts.items() if name != master]
failed, slowest, stop = [], [0.0], threading.Event()


def ask(method, *params):
    while not stop.is_set():
        began = time.monotonic()
        answer = raw(hosts[master], method, reference, *params, timeout=20)
        if not answer or answer["Status"] != "Success":
            failed.append((method, answer))
        slowest[0] = max(slowest[0], time.monotonic() - began)
        time.sleep(0.01)


def log():
    return open(os.path.join(os.environ["TARN_DIR"], "hosts", master, "log", "node.log"), errors="replace").read()


def term():
    return re.search(r"term (\d+)", testbed("exec", master, "tarn", "status")).group(1)


workers = [
    threading.Thread(target=ask, args=call, daemon=True)
    for call in [
        ("VM.get_all_records",),
        ("pool.set_name_description", pool_ref, "written in doubt"),
        *(("host.get_servertime", host) for host in session.xenapi.host.get_all()),
    ]
]
for worker in workers:
    worker.start()
begun, doubts, quiet = log().count("leads the pool"), 0, 0
for _ in range(ROUNDS):
    before, seen, failures = term(), len(log()), len(failed)
    for process in followers:
        os.kill(process, signal.SIGSTOP)
    time.sleep(SILENCE)
    for process in followers:
        os.kill(process, signal.SIGCONT)
    time.sleep(1.5)
    if term() != before:
        # A busy machine let the silence grow into an election, which is another matter.
        begun, failed[failures:] = log().count("leads the pool"), []
        continue
    quiet += 1
    doubts += "is_me=false" in log()[seen:]
stop.set()
for worker in workers:
    worker.join()
assert quiet, "every silence became an election"
assert doubts, "the leader was never in doubt: the silence is too short"
assert not failed, failed[:3]
assert log().count("leads the pool") == begun, "its reign ended"
say(f"in {doubts} of {quiet} silences the leader was in doubt; no call failed, the slowest took {slowest[0]:.2f} s")
