"""Storage servers beside the pool: real ones (nfs-ganesha, tgt), each in namespaces of its own on the pool's switch."""

import atexit
import ctypes
import ipaddress
import os
import shutil
import signal
import subprocess
import tempfile
import time

from tarn import *

GANESHA = """
NFS_CORE_PARAM {{ Protocols = 3; mount_path_pseudo = false; Enable_NLM = false; Enable_RQUOTA = false; }}
NFSv4 {{ Graceless = true; }}
EXPORT {{
    Export_Id = 1; Path = {export}; Pseudo = /export; Protocols = 3; Access_Type = RW; Squash = None; SecType = sys;
    FSAL {{ Name = VFS; }}
}}
"""


def missing(*programs):
    """The first of these programs that is not installed."""
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    return next((p for p in programs if not shutil.which(p, path=path)), None)


def run(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def die_with_us():
    """A child that is started so ends when this process does."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Server:
    """Namespaces with a NIC on the pool's switch; they go with the process that holds them."""

    def __init__(self, label, last):
        network = ipaddress.ip_interface(f"{pool['hosts'][0]['address']}/24").network
        self.address = str(network[last])
        switch = f"tarn{str(network[0]).split('.')[2]}"
        self.folder = tempfile.mkdtemp(prefix=f"tarn-{label}-")
        self.processes = {}
        self.holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sleep", "infinity"],
            preexec_fn=die_with_us,
        )
        atexit.register(self.close)
        self.pid = wait_for("the namespaces", self.inner, 10)
        cable = f"{switch}-{label}"
        # Always the same address, which hosts remember from an earlier server.
        mac = f"02:77:00:00:00:{last:02x}"
        run(
            "ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "address", mac, "netns", str(self.pid)
        )
        run("ip", "link", "set", cable, "master", switch, "up")
        for words in [
            ["mount", "-t", "tmpfs", "tmpfs", "/run"],
            ["ip", "link", "set", "lo", "up"],
            ["ip", "link", "set", "eth0", "up"],
            ["ip", "addr", "add", f"{self.address}/24", "dev", "eth0"],
        ]:
            self.inside(*words)

    def inner(self):
        """The process within the namespaces, once it is there."""
        children = subprocess.run(
            ["ps", "--ppid", str(self.holder.pid), "-o", "pid="], capture_output=True, text=True
        ).stdout.split()
        return int(children[0]) if children and "sleep" in open(f"/proc/{children[0]}/comm").read() else None

    def enter(self, *words):
        return ["nsenter", "-t", str(self.pid), "-n", "-m", "-p", "--", *words]

    def inside(self, *words):
        return run(*self.enter(*words))

    def start(self, name, *words):
        log = open(os.path.join(self.folder, f"{name}.log"), "ab")
        self.processes[name] = subprocess.Popen(
            self.enter(*words), stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_us
        )

    def kill(self, name):
        """As a crash: nothing is said to anybody."""
        self.processes.pop(name)
        self.inside("pkill", "-KILL", "-x", name)

    def close(self):
        self.holder.kill()
        self.holder.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Nfs(Server):
    """An export of nfs-ganesha."""

    def __init__(self, last=240):
        super().__init__("nfs", last)
        self.export = os.path.join(self.folder, "export")
        os.mkdir(self.export)
        with open(os.path.join(self.folder, "ganesha.conf"), "w") as file:
            file.write(GANESHA.format(export=self.export))
        for folder in ["/run/rpcbind", "/var/lib/nfs/ganesha"]:
            if folder.startswith("/var"):
                self.inside("mount", "-t", "tmpfs", "tmpfs", "/var/lib/nfs")
            self.inside("mkdir", "-p", folder)
        self.start("rpcbind", "rpcbind", "-f", "-w")
        self.serve()

    def serve(self):
        place = lambda name: os.path.join(self.folder, name)
        self.start(
            "ganesha.nfsd", "ganesha.nfsd", "-F", "-f", place("ganesha.conf"), "-L", place("log"), "-p", "/run/ganesha.pid"
        )
        wait_for("nfs-ganesha", lambda: "NFS SERVER INITIALIZED" in self.log(), 60)

    def log(self):
        text = open(os.path.join(self.folder, "log")).read() if os.path.exists(os.path.join(self.folder, "log")) else ""
        return text[text.rfind("nfs-ganesha Starting"):]

    def down(self):
        self.kill("ganesha.nfsd")
        os.rename(os.path.join(self.folder, "log"), os.path.join(self.folder, f"log.{time.monotonic_ns()}"))

    @property
    def config(self):
        return {"server": self.address, "serverpath": self.export}


class Iscsi(Server):
    """A target of tgt with some disks."""

    iqn = "iqn.2026-11.org.tarn:disks"

    def __init__(self, sizes, last=241, login=None):
        super().__init__("iscsi", last)
        self.sizes = sizes
        self.login = login
        for number, size in enumerate(sizes, 1):
            with open(self.disk(number), "wb") as file:
                file.truncate(size)
        self.serve()

    def disk(self, number):
        return os.path.join(self.folder, f"disk{number}")

    def admin(self, *words):
        return self.inside("tgtadm", "--lld", "iscsi", *words)

    def serve(self):
        self.start("tgtd", "tgtd", "-f")

        def answers():
            try:
                return self.admin("--op", "new", "--mode", "target", "--tid", "1", "-T", self.iqn) or True
            except subprocess.CalledProcessError:
                return False

        wait_for("tgtd", answers, 20)
        for number in range(1, len(self.sizes) + 1):
            self.admin(
                "--op", "new", "--mode", "logicalunit", "--tid", "1", "--lun", str(number), "-b", self.disk(number)
            )
        if self.login:
            user, password = self.login
            self.admin("--op", "new", "--mode", "account", "--user", user, "--password", password)
            self.admin("--op", "bind", "--mode", "account", "--tid", "1", "--user", user)
        self.admin("--op", "bind", "--mode", "target", "--tid", "1", "-I", "ALL")

    def down(self):
        self.kill("tgtd")

    @property
    def config(self):
        login = dict(zip(("chapuser", "chappassword"), self.login or ()))
        return {"target": self.address, "targetIQN": self.iqn, **login}
