"""A folder of a scenario's own, gone when it ends, and the images in it."""

import os
import subprocess
import tempfile

folder = tempfile.TemporaryDirectory()


def at(name):
    """A place in the folder."""
    return os.path.join(folder.name, name)


def qemu_img(*words):
    done = subprocess.run(["qemu-img", *words], capture_output=True, text=True)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
