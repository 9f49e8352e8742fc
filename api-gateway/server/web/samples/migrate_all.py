#!/usr/bin/env python3
"""Moves all VMs that run on one host to another, all at once, while they run.

    migrate_all.py https://MASTER USER PASSWORD FROM TO

FROM and TO are names of hosts. Each migration is a task of the pool; one wait for events serves for all of them.
Needs the package XenAPI from PyPI; SSL_CERT_FILE names the file with the pool's authority.
"""

import sys

import XenAPI


def host(api, name):
    found = api.host.get_by_name_label(name)
    if len(found) != 1:
        sys.exit(f"{len(found)} hosts are called {name!r}")
    return found[0]


def running(api, on):
    """The guests of a host: all that runs there but the host's own domain."""
    records = api.VM.get_all_records_where('field "power_state" = "Running"')
    return {ref: r for ref, r in records.items() if r["resident_on"] == on and not r["is_control_domain"]}


def wait(api, tasks):
    """Follows tasks until none is pending; yields each with its record as it ends."""
    # From one token to the next nothing is missed. The empty token means: tell first how all of them are.
    token, wanted = "", [f"task/{ref}" for ref in tasks]
    pending = set(tasks)
    while pending:
        # `from` is a word of Python's own.
        batch = getattr(api.event, "from")(wanted, token, 30.0)
        token = batch["token"]
        for event in batch["events"]:
            ref = event["ref"]
            if ref in pending and event["operation"] == "del":
                pending.remove(ref)
                yield ref, None
            elif ref in pending and event["snapshot"]["status"] not in ("pending", "cancelling"):
                pending.remove(ref)
                yield ref, event["snapshot"]


def main(url, user, password, origin, target):
    session = XenAPI.Session(url)
    session.login_with_password(user, password, "1.0", "migrate_all.py")
    api = session.xenapi
    failed = 0
    try:
        to = host(api, target)
        guests = running(api, host(api, origin))
        tasks = {}
        for vm, record in guests.items():
            tasks[api.Async.VM.pool_migrate(vm, to, {"live": "true"})] = record["name_label"]
        for ref, record in wait(api, tasks):
            if record is None:
                print(f"{tasks[ref]}: its task is gone")
                failed += 1
                continue
            api.task.destroy(ref)
            if record["status"] == "success":
                print(f"{tasks[ref]}: moved")
            else:
                print(f"{tasks[ref]}: {record['status']}: {' '.join(record['error_info'])}")
                failed += 1
    finally:
        session.logout()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    main(*sys.argv[1:])
