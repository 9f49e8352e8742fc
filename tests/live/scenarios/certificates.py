"""Certificates: what hosts show, an operator's own, what the pool trusts, and another authority with a host away."""

import hashlib
import os
import ssl
import subprocess
import tempfile
import xmlrpc.client
from socket import create_connection

from tarn import *

session, master = login()
x = session.xenapi
away, other = [name for name in hosts if name != master]
folder = tempfile.TemporaryDirectory()


def path(name):
    return os.path.join(folder.name, name)


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=60)


def make(name, bits=2048, days=10, key=None, extended=True):
    """A certificate and its key, signed by the authority made below."""
    if key is None:
        key = path(name + ".key")
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}", "-out", key)
    openssl("req", "-new", "-key", key, "-subj", "/CN=host.example", "-out", path(name + ".csr"))
    authority = ["-CA", path("ca.pem"), "-CAkey", path("ca.key"), "-CAcreateserial"]
    with open(path("extensions"), "w") as file:
        file.write("subjectAltName=DNS:host.example\n" if extended else "")
    more = ["-extfile", path("extensions")] if extended else []
    out = ["-days", str(days), "-out", path(name + ".pem")]
    openssl("x509", "-req", "-in", path(name + ".csr"), *authority, *more, *out)
    return read(name + ".pem"), open(key).read()


def read(name):
    with open(path(name)) as file:
        return file.read()


def print_of(pem):
    text = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest().upper()
    return ":".join(text[i : i + 2] for i in range(0, len(text), 2))


def shown(name):
    """What a host shows to a new client."""
    try:
        return print_of(ssl.get_server_certificate((hosts[name]["address"], 443), timeout=5))
    except OSError:
        return None


def known(kind, name=None):
    """Fingerprints that the pool's objects have, by host or all of a kind."""
    host = x.host.get_by_uuid(hosts[name]["uuid"]) if name else None
    records = x.Certificate.get_all_records().values()
    return [r["fingerprint"] for r in records if r["type"] == kind and host in (None, r["host"])]


openssl(
    "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", path("ca.key"), "-out", path("ca.pem"),
    "-subj", "/CN=an operator's own", "-days", "30",
)  # fmt: skip

wait_for("objects for all", lambda: len(known("host")) == len(known("host_internal")) == 3)
wait_for("the pool's authority", lambda: len(known("ca")) == 1)
for name in hosts:
    ref = x.host.get_by_uuid(hosts[name]["uuid"])
    assert [shown(name)] == known("host", name) == [print_of(x.host.get_server_certificate(ref))]
    assert len(x.host.get_certificates(ref)) == 2
record = next(r for r in x.Certificate.get_all_records().values() if r["type"] == "host")
assert record["fingerprint"] == record["fingerprint_sha256"] and len(record["fingerprint_sha1"]) == 59
say("hosts show what the pool's objects say")

# An operator's own.
ref = x.host.get_by_uuid(hosts[away]["uuid"])
certificate, key = make("own")
install = x.host.install_server_certificate
refused("SERVER_CERTIFICATE_KEY_MISMATCH", install, ref, certificate, make("stranger")[1], "")
refused("SERVER_CERTIFICATE_KEY_INVALID", install, ref, certificate, "none", "")
refused("SERVER_CERTIFICATE_INVALID", install, ref, "none", key, "")
refused("SERVER_CERTIFICATE_CHAIN_INVALID", install, ref, certificate, key, "none")
[bits] = refused("SERVER_CERTIFICATE_KEY_RSA_LENGTH_NOT_SUPPORTED", install, ref, *make("short", 1024), "")
assert bits == "1024"
openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path("curve.key"))
refused("SERVER_CERTIFICATE_KEY_ALGORITHM_NOT_SUPPORTED", install, ref, *make("curve", key=path("curve.key")), "")
expired = make("old", days=-1, key=path("own.key"))
plain = make("plain", key=path("own.key"), extended=False)
refused("SERVER_CERTIFICATE_INVALID", install, ref, *plain, "")
now, then = refused("SERVER_CERTIFICATE_EXPIRED", install, ref, *expired, "")
assert then < now, (now, then)
assert [shown(away)] == known("host", away), "nothing has changed"

standing = connection(hosts[away], 10)


def on_standing():
    """A call on the connection made before; a slave says where its master is."""
    standing.request("POST", "/", xmlrpc.client.dumps((session._session,), "pool.get_all"), {"Content-Type": "text/xml"})
    answer = xmlrpc.client.loads(standing.getresponse().read())[0][0]
    assert answer["ErrorDescription"] == ["HOST_IS_SLAVE", hosts[master]["address"]], answer


on_standing()
socket = standing.sock
internal = known("host_internal", away)
install(ref, certificate, key, read("ca.pem"))
assert shown(away) == print_of(certificate)
assert known("host", away) == [print_of(certificate)] and known("host_internal", away) == internal
on_standing()
assert standing.sock is socket, "the connection was cut"
trusting = ssl.create_default_context(cafile=path("ca.pem"))
trusting.check_hostname = False
with trusting.wrap_socket(create_connection((hosts[away]["address"], 443), 5)) as stream:
    assert stream.getpeercert()["subject"] == ((("commonName", "host.example"),),)
say("an operator's own certificate is shown from the next connection on")

testbed("kill", away)
testbed("start", away, "--no-wait")
wait_for("the host", lambda: shown(away) == print_of(certificate))
metrics = x.host.get_metrics(ref)
wait_for("its life", lambda: x.host_metrics.get_live(metrics))
assert known("host", away) == [print_of(certificate)]
x.host.reset_server_certificate(ref)
assert known("host", away) == known("host_internal", away) == [shown(away)] != internal
say("it outlives the host's power, and goes when it is reset")

# Its own for peers, renewed with everything running.
leader = x.host.get_by_uuid(hosts[master]["uuid"])
before = {name: known("host_internal", name) for name in hosts}
for row in (leader, ref):
    x.host.refresh_server_certificate(row)
for name in (master, away):
    [now] = known("host_internal", name)
    assert [now] != before[name] and shown(name) == now
assert known("host_internal", other) == before[other]
wait_for("one digest", same_digest)
say("certificates for peers are renewed")

# What the pool trusts.
x.pool.install_ca_certificate("mine.pem", read("ca.pem"))
assert refused("CERTIFICATE_ALREADY_EXISTS", x.pool.install_ca_certificate, "mine.pem", read("ca.pem")) == ["mine.pem"]
refused("CERTIFICATE_NAME_INVALID", x.pool.install_ca_certificate, "../mine.pem", read("ca.pem"))
refused("CA_CERTIFICATE_INVALID", x.pool.install_ca_certificate, "other.pem", "none")
assert x.pool.certificate_list() == ["mine.pem"] and print_of(read("ca.pem")) in known("ca")
index, serial = path("index.txt"), path("serial")
open(index, "w").close()
with open(serial, "w") as file:
    file.write("01\n")
with open(path("ca.cnf"), "w") as file:
    file.write(f"[ca]\ndefault_ca=d\n[d]\ndatabase={index}\ncrlnumber={serial}\ndefault_md=sha256\n")
files = ["-keyfile", path("ca.key"), "-cert", path("ca.pem"), "-out", path("list.crl")]
openssl("ca", "-config", path("ca.cnf"), "-gencrl", "-crldays", "5", *files)
x.pool.crl_install("list.crl", read("list.crl"))
refused("CRL_ALREADY_EXISTS", x.pool.crl_install, "list.crl", read("list.crl"))
refused("CRL_CORRUPT", x.pool.crl_install, "no.crl", read("ca.pem"))
assert x.pool.crl_list() == ["list.crl"]
x.pool.certificate_sync()


def laid(name, kind, file):
    try:
        return testbed("exec", name, "cat", f"/var/lib/tarn/{kind}/{file}")
    except subprocess.CalledProcessError:
        return None


for name in hosts:
    wait_for("the file", lambda: laid(name, "trusted-certificates", "mine.pem") == read("ca.pem"))
    wait_for("the list", lambda: laid(name, "revocation-lists", "list.crl") == read("list.crl"))
x.pool.crl_uninstall("list.crl")
x.pool.uninstall_ca_certificate("mine.pem", False)
refused("CERTIFICATE_DOES_NOT_EXIST", x.pool.uninstall_ca_certificate, "mine.pem", False)
x.pool.uninstall_ca_certificate("mine.pem", True)
refused("CRL_DOES_NOT_EXIST", x.pool.crl_uninstall, "list.crl")
for name in hosts:
    wait_for("no file", lambda: laid(name, "trusted-certificates", "mine.pem") is None)
say("what the pool trusts lies on every host")

# Another authority, while one host is off.
testbed("kill", away)
wait_for("its absence", lambda: not x.host_metrics.get_live(metrics))
[old] = known("ca")
left = known("host_internal", away)
before = {name: known("host_internal", name) for name in (master, other)}
x.pool.rotate_secret()
assert len(known("ca")) == 2 and old in known("ca")
for name in before:
    wait_for("a certificate of the new one", lambda: known("host_internal", name) != before[name])
refused("OPERATION_NOT_ALLOWED", x.pool.rotate_secret)
assert known("host_internal", away) == left
testbed("start", away, "--no-wait")
wait_for("its life", lambda: x.host_metrics.get_live(metrics))
wait_for("its certificate", lambda: known("host_internal", away) != left)
wait_for("the end of the old one", lambda: len(known("ca")) == 1)
assert known("ca") != [old]
for name in hosts:
    wait_for("its trust", lambda: laid(name, ".", "pool-ca.pem"))
    wait_for("one authority", lambda: laid(name, ".", "pool-ca.pem").count("BEGIN") == 1)
    fresh = ssl.create_default_context(cadata=laid(name, ".", "pool-ca.pem"))
    with fresh.wrap_socket(
        create_connection((hosts[name]["address"], 443), 5),
        server_hostname=hosts[name]["address"],
    ) as stream:
        assert [print_of(ssl.DER_cert_to_PEM_cert(stream.getpeercert(True)))] == known("host", name)
wait_for("one digest", same_digest)
session, master = login()
say("another authority took the place of the first, and the host that was off came back to it")
