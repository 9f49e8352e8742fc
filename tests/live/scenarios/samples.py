"""The worked samples as the pool offers them: each is fetched from a host and run, unchanged."""

import http.client
import re
import ssl
import tempfile
from pathlib import Path

from tarn import *


def fetch(path, host=None):
    """Status, type and text of a page."""
    context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    at = host or next(iter(hosts.values()))
    connection = http.client.HTTPSConnection(at["address"], 443, timeout=20, context=context)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.getheader("content-type"), answer.read().decode()


def kept(name):
    """A sample as a file."""
    status, _, text = fetch(f"/samples/{name}")
    assert status == 200, (name, status)
    folder = Path(os.environ["TARN_DIR"]) / "samples"
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(text)
    file.chmod(0o755)
    return file


def sample(name, *words):
    """What a sample in Python prints; it must end well."""
    done = subprocess.run([sys.executable, str(kept(name)), *words], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def main():
    for host in hosts.values():
        status, kind, page = fetch("/", host)
        assert status == 200 and kind.startswith("text/html"), (status, kind)
    names = re.findall(r'href="/samples/([^"]+)"', page)
    assert sorted(names) == ["clone.sh", "install_vm.py", "migrate_all.py", "watch.py"], names
    status, _, page = fetch("/reference/VM.html")
    assert status == 200 and 'id="pool_migrate"' in page

    session, master = login()
    x = session.xenapi
    # A slave is named here: the sample finds the master by itself.
    slave = next(h for name, h in hosts.items() if name != master)
    said = sample("install_vm.py", slave["https"], user, password, "Other install media", "sample one")
    [vm] = x.VM.get_by_name_label("sample one")
    on = x.host.get_name_label(x.VM.get_resident_on(vm))
    assert said == f"{x.VM.get_uuid(vm)} runs on {on}" and x.VM.get_power_state(vm) == "Running", said
    failed = subprocess.run(
        [sys.executable, str(kept("install_vm.py")), slave["https"], user, password, "no such template", "x"],
        capture_output=True, text=True, timeout=60,
    )
    assert failed.returncode == 1 and "0 templates" in failed.stderr, failed

    target = next(name for name in hosts if name != on)
    assert sample("migrate_all.py", hosts[master]["https"], user, password, on, target) == "sample one: moved"
    assert x.host.get_name_label(x.VM.get_resident_on(vm)) == target
    x.VM.hard_shutdown(vm)

    # clone.sh speaks through xe on a host.
    file = kept("clone.sh")
    said = testbed("exec", next(iter(hosts)), "bash", str(file), "sample one", "2").strip().split("\n")
    assert len(said) == 2 and all(line.endswith(" running") for line in said), said
    for line in said:
        clone = x.VM.get_by_uuid(line.split()[0])
        assert x.VM.get_power_state(clone) == "Running"
        x.VM.hard_shutdown(clone)
        x.VM.destroy(clone)
    x.VM.destroy(vm)
    say("the samples of the guide's chapters work as the pool hands them out")


if __name__ == "__main__":
    main()
