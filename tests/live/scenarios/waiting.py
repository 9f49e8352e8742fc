"""How scenarios wait, and how they say where they are."""

import time


def wait_for(what, holds, seconds=60):
    """Polls until something holds, and returns it."""
    deadline = time.monotonic() + seconds
    while True:
        found = holds()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.05)


def stays(what, holds, seconds):
    """Looks again and again for so long, and fails as soon as something holds no more."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert holds(), f"{what}: no longer"
        time.sleep(0.1)


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)
