"""Every host sends its traces to a collector on this machine; then a VM is started on a host that is not the master."""

from tarn import *

port = sys.argv[2]
session, master = login()
x = session.xenapi
refs = host_refs(x)
for name, host in hosts.items():
    # The machine as hosts see it: the way out of their network.
    machine = host["address"].rsplit(".", 1)[0] + ".254"
    endpoint = f'otlp_endpoint = "http://{machine}:{port}"'
    testbed("exec", name, "sed", "-i", f"s|^log = .*|&\\n{endpoint}|", "/etc/tarn/tarn.toml")
for name in hosts:
    session, _ = login()
    session.xenapi.host.restart_agent(refs[name])
    time.sleep(2)
session, master = login()
x = session.xenapi
for ref in refs.values():
    wait_for("every host", lambda: x.host_metrics.get_live(x.host.get_metrics(ref)), 60)
other = next(name for name in hosts if name != master)
vm = x.VM.clone(x.VM.get_by_uuid(pool["template"]), "traced")
x.VM.provision(vm)
x.VM.start_on(vm, refs[other], False, False)
assert x.VM.get_resident_on(vm) == refs[other]
x.VM.hard_shutdown(vm)
x.VM.destroy(vm)
say(f"started from {master} on {other}")
