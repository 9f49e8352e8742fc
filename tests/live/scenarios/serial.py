"""Guests on their serial port: what they say by themselves, and what they answer."""

import re

from tarn import *


def said(label):
    """All that the hosts have kept of what a guest said; a host begins anew when the guest comes back to it."""
    return testbed("serial", "--lines", "1000000", label)


def counted(text):
    """Numbers and boot ids that a guest has printed, once each, in order.

    A move cuts the line that is being written in two, and lines of several programs may run into one another. So a boot id
    is eight digits, and each number is read from either of the two lines that the guest prints of it.
    """
    return list(dict.fromkeys(re.findall(r"TARN-(?:COUNT|AT) (\d+) ([0-9a-f]{8})", text)))


def counts(label):
    """Numbers and boot ids that a guest has printed so far, on all hosts."""
    return counted(said(label))


def whole_count(label, boots=1):
    """How many numbers a guest has printed: none is missing from the first to the last, and it has booted so often."""
    numbers = {int(number) for number, _ in counts(label)}
    seen = {boot for _, boot in counts(label)}
    missing = set(range(min(numbers), max(numbers) + 1)) - numbers
    assert not missing, f"{label} lost counts {sorted(missing)}"
    assert len(seen) == boots, f"{label} booted as {seen}"
    return len(numbers)


def count(label):
    """The highest number that a guest has printed."""
    return max((int(number) for number, _ in counts(label)), default=-1)


def home(x, vm):
    """The name of the host where a VM runs."""
    uuid = x.host.get_uuid(x.VM.get_resident_on(vm))
    return next(h["name"] for h in hosts.values() if h["uuid"] == uuid)


def tell(x, vm, words, answer, seconds=30):
    """Says something to a guest and waits for what it answers, on the host where it is."""
    uuid, host = x.VM.get_uuid(vm), home(x, vm)

    def answers():
        return re.findall(answer, testbed("exec", host, "cat", f"/run/tarn/console/{uuid}.log"))

    seen = len(answers())
    # QEMU looks once a second whether somebody holds the other end.
    testbed("exec", host, "sh", "-c", f"(sleep 2; echo '{words}'; sleep 2) > $(virsh ttyconsole {uuid})")
    return wait_for(words, lambda: answers()[seen:], seconds)[-1]


def writes(label):
    """The latest write to its second disk of which a guest that churns has told; no block may be another than it wrote."""
    found = re.findall(r"TARN-CHURN vdb (\d+) (\d+)", said(label))
    assert all(bad == "0" for _, bad in found), (label, found[-5:])
    return int(found[-1][0])


def goes_on(label, seconds=120):
    """Waits until a guest that churns has written on."""
    now = writes(label)
    wait_for(f"writes of {label}", lambda: writes(label) > now + 16, seconds)


def fill(x, vm, letter):
    """Has a guest fill its second disk."""
    tell(x, vm, f"fill vdb {letter}", r"TARN-FILLED vdb")


def content(x, vm):
    """The sum of what a guest reads from its second disk."""
    return tell(x, vm, "read vdb", r"TARN-READ vdb (\S*)")
