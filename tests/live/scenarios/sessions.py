"""The two hundred and first session costs the one that was used longest ago its life; one in use lives on."""

from tarn import *

_, master = login()
host = hosts[master]


def log_in():
    return ok(raw(host, "session.login_with_password", user, password, "1.0", "sessions"))


def next_second():
    """Sessions are told apart by whole seconds."""
    now = int(time.time())
    wait_for("the next second", lambda: int(time.time()) > now)


next_second()
opened = [log_in() for _ in range(200)]
assert raw(host, "pool.get_all", opened[0])["Status"] == "Success", "the first of two hundred"
next_second()
raw(host, "pool.get_all", opened[0])
log_in()
assert raw(host, "pool.get_all", opened[0])["Status"] == "Success", "the one in use"
gone = [s for s in opened if raw(host, "pool.get_all", s)["Status"] == "Failure"]
assert gone and opened[-1] not in gone, len(gone)
assert raw(host, "pool.get_all", gone[0])["ErrorDescription"] == ["SESSION_INVALID", gone[0]]
for reference in opened:
    raw(host, "session.logout", reference)
say(f"of 201 sessions {len(gone)} gave way, not the one in use")
