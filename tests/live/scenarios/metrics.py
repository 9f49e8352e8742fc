"""Figures of hosts and VMs: archives over HTTP in every form, data sources, and what the records say."""

import base64
import json
import math
import subprocess
import urllib.parse
import xml.etree.ElementTree as xml

from tarn import *

session, master = login()
x = session.xenapi
refs = host_refs(x)


def get(at, path, auth=True, follow=False, headers=None, **query):
    """One GET: status, headers, body."""
    if auth:
        query["session_id"] = session._session
    wire = connection(at)
    wire.request("GET", f"{path}?{urllib.parse.urlencode(query)}", headers=headers or {})
    answer = wire.getresponse()
    body = answer.read()
    if follow and answer.status == 302:
        there = urllib.parse.urlparse(answer.headers["Location"])
        to = next(h for h in hosts.values() if h["address"] == there.hostname)
        return get(to, there.path, False, **dict(urllib.parse.parse_qsl(there.query)))
    return answer.status, answer.headers, body


def updates(at, **query):
    """/rrd_updates in both forms, which must agree: names, and rows from the newest on."""
    # A sample, or what another host kept, may come between the two requests; then both are sent again.
    for _ in range(10):
        status, headers, body = get(at, "/rrd_updates", **query)
        assert (status, headers["Content-Type"]) == (200, "text/xml"), (status, headers)
        tree = xml.fromstring(body)
        status, headers, body = get(at, "/rrd_updates", json="true", **query)
        assert (status, headers["Content-Type"]) == (200, "application/json"), (status, headers)
        document = json.loads(body)
        assert all(isinstance(v, str) for row in document["data"] for v in row["values"])
        meta = {e.tag: e for e in tree.find("meta")}
        legend = [e.text for e in meta["legend"]]
        rows = [(int(r.find("t").text), [float(v.text) for v in r.findall("v")]) for r in tree.find("data")]
        same = str([(row["t"], [float(v) for v in row["values"]]) for row in document["data"]])
        if (document["meta"]["end"], document["meta"]["legend"], same) == (int(meta["end"].text), legend, str(rows)):
            break
    else:
        raise AssertionError("the two forms never agree")
    assert tree.tag == "xport"
    assert int(meta["rows"].text) == len(rows) and int(meta["columns"].text) == len(legend)
    assert [t for t, _ in rows] == sorted((t for t, _ in rows), reverse=True)
    return int(meta["step"].text), legend, rows


def column(legend, rows, entry):
    """The known values of one column, the newest first."""
    at = legend.index(entry)
    return [values[at] for _, values in rows if not math.isnan(values[at])]


template = x.VM.get_by_uuid(pool["template"])
vm = x.VM.clone(template, "counted")
x.VM.provision(vm)
home, away = [name for name in hosts if name != master][:2]
x.VM.start_on(vm, refs[home], False, True)
uuid = x.VM.get_uuid(vm)
entry = lambda name, cf="AVERAGE": f"{cf}:vm:{uuid}:{name}"

# Moving figures of the VM, from the host where it runs and from no other.
names = ["cpu0", "cpu_usage", "memory", "vif_0_rx", "vif_0_tx", "vbd_xvda_read", "vbd_xvda_write", "vbd_xvda_iops_total"]


def sampled():
    step, legend, rows = updates(hosts[home], start=-300, cf="AVERAGE", host="true")
    if not all(entry(name) in legend for name in names):
        return None
    columns = {name: column(legend, rows, entry(name)) for name in names}
    return (step, legend, rows, columns) if all(columns.values()) else None


def moving():
    ask_around()
    found = sampled()
    if not found:
        return None
    enough = all(len(c) >= 3 for c in found[3].values())
    busy = all(any(v > 0 for v in found[3][name]) for name in ["cpu0", "vif_0_rx", "vbd_xvda_read"])
    return found if enough and busy else None


def ask_around():
    """Who asks for an address that nobody has asks everybody on the network: the guest receives it."""
    nobody = hosts[home]["address"].rpartition(".")[0] + ".251"
    try:
        testbed("exec", home, "busybox", "ping", "-c", "1", "-W", "1", nobody)
    except subprocess.CalledProcessError:
        return
    raise AssertionError(f"{nobody} answers")


# Begun anew once it is sampled: what a start reads is then read between two samples.
wait_for("samples of the VM", sampled)
x.VM.hard_reboot(vm)
try:
    step, legend, rows, columns = wait_for("three samples of the VM that move", moving, 120)
except AssertionError:
    say(f"the last samples: {(sampled() or [None])[-1]}")
    raise
assert step == 5, step
assert len(set(columns["cpu0"])) > 1 and all(0 <= v <= 1 for v in columns["cpu0"]), columns["cpu0"]
assert columns["memory"][0] == float("%.5g" % int(x.VM.get_memory_static_max(vm))), columns["memory"]
for name, host in hosts.items():
    _, legend_there, _ = updates(host, start=-60)
    assert any(e.startswith(f"AVERAGE:vm:{uuid}:") for e in legend_there) == (name == home), name
say(f"the VM's figures move: cpu0 {columns['cpu0'][:3]}")

own = f"AVERAGE:host:{hosts[home]['uuid']}:"
for name in ["cpu0", "cpu_avg", "memory_total_kib", "memory_free_kib", "loadavg", "pif_eth0_rx", "pif_aggr_tx", "xapi_memory_usage_kib"]:
    assert column(legend, rows, own + name), name
assert any(v > 0 for v in column(legend, rows, own + "cpu_avg"))
say("its host's too")

# The query.
for interval, step in [(60, 60), (3600, 3600), (86400, 86400)]:
    assert updates(hosts[home], start=-600, interval=interval, host="true")[0] == step
_, legend, _ = updates(hosts[home], start=-600, interval=60, cf="MAX", host="true")
assert legend and all(e.startswith("MAX:host:") for e in legend), legend
_, legend, rows = updates(hosts[home], start=-600, vm_uuid="00000000-0000-4000-8000-000000000000")
assert legend == []
_, legend, _ = updates(hosts[home], start=-600, vm_uuid=uuid)
assert legend and all(f":vm:{uuid}:" in e for e in legend)
for query in [{}, {"start": "soon"}]:
    assert get(hosts[home], "/rrd_updates", **query)[0] == 400, query

# Who may ask.
status, headers, _ = get(hosts[home], "/rrd_updates", auth=False, start=-60)
assert status == 401 and headers["WWW-Authenticate"].startswith("Basic realm="), (status, headers)
secret = base64.b64encode(f"{user}:{password}".encode()).decode()
for path in ["/rrd_updates", "/host_rrd", "/metrics"]:
    basic = {"Authorization": f"Basic {secret}"}
    assert get(hosts[home], path, auth=False, headers=basic, start=-60)[0] == 200, path
wrong = {"Authorization": "Basic " + base64.b64encode(b"root:wrong").decode()}
assert get(hosts[home], "/metrics", auth=False, headers=wrong)[0] == 401
say("sessions and passwords are asked for")

# Whole archives.
status, headers, body = get(hosts[home], "/host_rrd")
tree = xml.fromstring(body)
assert (status, headers["Content-Type"], tree.tag) == (200, "text/xml", "rrd"), (status, headers)
assert tree.find("version").text == "0003" and tree.find("step").text == "5"
sources = [d.find("name").text for d in tree.findall("ds")]
shapes = [(r.find("cf").text, int(r.find("pdp_per_row").text), len(r.find("database"))) for r in tree.findall("rra")]
assert shapes[0] == ("AVERAGE", 1, 120), shapes
assert {s[1:] for s in shapes} == {(1, 120), (12, 120), (720, 168), (17280, 366)}, shapes
assert all(len(row) == len(sources) for r in tree.findall("rra") for row in r.find("database"))
document = json.loads(get(hosts[home], "/host_rrd", json="true")[2])
assert [d["name"] for d in document["ds"]] == sources
status, headers, _ = get(hosts[master], "/vm_rrd", uuid=uuid)
assert status == 302 and f"//{hosts[home]['address']}/vm_rrd?" in headers["Location"], (status, headers)
status, _, body = get(hosts[master], "/vm_rrd", follow=True, uuid=uuid)
assert status == 200 and "vbd_xvda_read" in [d.find("name").text for d in xml.fromstring(body).findall("ds")]
assert get(hosts[home], "/vm_rrd")[0] == 400
assert get(hosts[home], "/vm_rrd", uuid="00000000-0000-4000-8000-000000000000")[0] == 404
say("archives are dumped whole, the VM's by the host where it runs")

# Prometheus.
status, headers, body = get(hosts[home], "/metrics")
page = body.decode()
assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4"), headers
assert f'tarn_vm_cpu_seconds_total{{host="{hosts[home]["uuid"]}",vm="{uuid}",cpu="0"}} ' in page
say("and Prometheus reads them")

# Data sources.
listed = {s["name_label"]: s for s in x.VM.get_data_sources(vm)}
assert listed["cpu0"]["enabled"] and listed["cpu0"]["standard"] and listed["cpu0"]["max"] == 1.0, listed["cpu0"]
assert listed["memory"]["units"] == "B" and math.isinf(listed["memory"]["max"])
errors = listed["vif_0_rx_errors"]
assert not errors["enabled"] and not errors["standard"], errors
assert 0 <= x.VM.query_data_source(vm, "cpu0") <= 1
assert x.VM.query_data_source(vm, "memory") == float(x.VM.get_memory_static_max(vm))
x.VM.record_data_source(vm, "vif_0_rx_errors")
assert {s["name_label"]: s["enabled"] for s in x.VM.get_data_sources(vm)}["vif_0_rx_errors"]
wait_for("a value", lambda: x.VM.query_data_source(vm, "vif_0_rx_errors") == 0, 30)
host = refs[home]
assert x.host.query_data_source(host, "memory_total_kib") > 0
assert {"cpu_avg", "loadavg"} <= {s["name_label"] for s in x.host.get_data_sources(host)}
x.host.record_data_source(host, "pif_eth0_rx_errors")
x.host.forget_data_source_archives(host, "pif_eth0_rx_errors")
sr = x.pool.get_default_SR(x.pool.get_all()[0])
assert x.SR.get_data_sources(sr) == []


def fails(code, call, *params):
    try:
        call(*params)
    except XenAPI.Failure as failure:
        assert failure.details[0] == code, failure.details
        return failure.details
    raise AssertionError(f"{code} was expected")


for call, params in [
    (x.VM.query_data_source, (vm, "nonsense")),
    (x.VM.record_data_source, (vm, "nonsense")),
    (x.VM.forget_data_source_archives, (vm, "nonsense")),
    (x.host.forget_data_source_archives, (host, "pif_eth0_rx_errors")),
    (x.SR.query_data_source, (sr, "nonsense")),
]:
    fails("INTERNAL_ERROR", call, *params)
fails("HANDLE_INVALID", x.VM.get_data_sources, "OpaqueRef:00000000-0000-4000-8000-000000000000")
say(f"{len(listed)} data sources of the VM, listed, queried, recorded and forgotten")

# What the records say.
record = wait_for("its memory in the records", lambda: (
    lambda r: r if int(r["memory_actual"]) == int(x.VM.get_memory_static_max(vm)) else None
)(x.VM_metrics.get_record(x.VM.get_metrics(vm))), 60)
assert str(record["start_time"]) > "20200101", record["start_time"]
free = wait_for("free memory in the records", lambda: int(
    x.host_metrics.get_record(x.host.get_metrics(host))["memory_free"]) or None)
assert free <= int(x.host_metrics.get_record(x.host.get_metrics(host))["memory_total"])
say("the records have its memory, and its host's")

# It moves, and what was recorded there goes on here.
x.VM.pool_migrate(vm, refs[away], {"live": "true"})


def moved():
    # Not as far back as the finest archive reaches, or the next coarser one may answer.
    _, legend, rows = updates(hosts[away], start=-300, vm_uuid=uuid)
    known = column(legend, rows, entry("cpu0")) if entry("cpu0") in legend else []
    return legend if len(known) >= 3 and entry("vif_0_rx_errors") in legend else None


try:
    wait_for("its archives on the other host", moved, 60)
except AssertionError:
    for name in (home, away):
        step, legend, rows = updates(hosts[name], start=-60, host="true")
        say(f"{name} has {len(rows)} rows every {step} s of {legend}")
    raise
say("its archives have moved with it")

# At rest it is not measured, and its archives are still to be had, from any host.
x.VM.hard_shutdown(vm)
details = fails("VM_BAD_POWER_STATE", x.VM.query_data_source, vm, "cpu0")
assert details[1] == vm and details[3] == "halted", details
fails("VM_BAD_POWER_STATE", x.VM.get_data_sources, vm)
for name, there in hosts.items():
    body = wait_for("archives of the halted VM", lambda: (
        lambda answer: answer[2] if answer[0] == 200 else None
    )(get(there, "/vm_rrd", uuid=uuid)), 30)
    assert b"<name>vif_0_rx_errors</name>" in body, name
say("and outlive its shutdown")
x.VM.destroy(vm)
