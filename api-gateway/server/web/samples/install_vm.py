#!/usr/bin/env python3
"""Installs a VM from a template and starts it.

    install_vm.py https://HOST USER PASSWORD TEMPLATE NAME

HOST may be any member of the pool. Needs the package XenAPI from PyPI; SSL_CERT_FILE names the file with the pool's
authority, /var/lib/tarn/pool-ca.pem on each host.
"""

import sys

import XenAPI


def log_in(url, user, password):
    """A session on the master, whichever host was named: a slave says where the master is."""
    session = XenAPI.Session(url)
    try:
        session.login_with_password(user, password, "1.0", "install_vm.py")
    except XenAPI.Failure as failure:
        if failure.details[0] != "HOST_IS_SLAVE":
            raise
        session = XenAPI.Session("https://" + failure.details[1])
        session.login_with_password(user, password, "1.0", "install_vm.py")
    return session


def main(url, user, password, template, name):
    session = log_in(url, user, password)
    api = session.xenapi
    try:
        found = [ref for ref in api.VM.get_by_name_label(template) if api.VM.get_is_a_template(ref)]
        if len(found) != 1:
            sys.exit(f"{len(found)} templates are called {template!r}")
        # A clone of a template is a template; provisioning makes its disks and then a VM of it.
        vm = api.VM.clone(found[0], name)
        try:
            api.VM.provision(vm)
            # Not paused, and with all checks.
            api.VM.start(vm, False, False)
        except XenAPI.Failure:
            if api.VM.get_power_state(vm) == "Halted":
                api.VM.destroy(vm)
            raise
        on = api.VM.get_resident_on(vm)
        print(f"{api.VM.get_uuid(vm)} runs on {api.host.get_name_label(on)}")
    finally:
        session.logout()


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    main(*sys.argv[1:])
