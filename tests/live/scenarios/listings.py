"""An answer of seventy megabytes reaches every client whole: over the network, and by the socket of a host that passes calls on."""

from tarn import *

NUMBER, SIZE = 300, 250_000

session, master = login()
x = session.xenapi
reference = session._session
values = {x.secret.create({"value": f"<{number}>".ljust(SIZE, "x"), "other_config": {}}) for number in range(NUMBER)}


def listed(wire):
    """Length of the answer as its head tells it, and the answer."""
    wire.request("POST", "/", xmlrpc.client.dumps((reference,), "secret.get_all_records"), {"Content-Type": "text/xml"})
    answer = wire.getresponse()
    return int(answer.getheader("Content-Length")), answer.read()


wire = connection(hosts[master])
for _ in range(3):
    length, body = listed(wire)
    assert length == len(body) > NUMBER * SIZE, (length, len(body))
records = ok(xmlrpc.client.loads(body)[0][0])
assert values <= records.keys()
assert sorted(r["value"] for r in records.values())[-1].startswith("<9"), "they were read as they are"
say(f"the master's answer of {len(body) >> 20} MiB is as long as it says, three times over one connection")

other = next(name for name in hosts if name != master)
passed_on = UnixTransport(hosts[other]["socket"]).make_connection("")
length, same = listed(passed_on)
assert length == len(same) and same == body, (length, len(same), len(body))
uuids = testbed("exec", other, "xe", "secret-list", "params=uuid", "--minimal").strip().split(",")
assert {r["uuid"] for r in records.values()} == set(uuids), len(uuids)
say(f"{other} passes on every byte of it, and xe there lists {len(uuids)} secrets")

for secret in values:
    x.secret.destroy(secret)
