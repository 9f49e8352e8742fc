"""xe on a host: transcripts of what is typed and what must be printed, and completion in a real bash.

A transcript has sections, `== title`, of commands and their output:

    $ xe vm-install template="Other install media" new-name-label=web
    <uuid:web>

`$` runs in a shell within the first host; what follows is all that it prints, `? N` its exit code if that is not 0.
`<uuid:name>` is a uuid, known from there on as `<name>`; `<*>` is anything in a line, a line `...` any lines.
`<dir>` is a folder for files.
`@needs VM.snapshot /export` after a title leaves the section out until the server has these messages and handlers.
"""

import os
import pty
import re
import select
import shlex
import time
from pathlib import Path

from tarn import *

here = Path(__file__).resolve().parent
repository = here.parents[2]
unbuilt = set((repository / "api-gateway/server/unbuilt.txt").read_text().split())
first = next(iter(hosts))
UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# Known from the start: a folder of this pool alone.
bound = {"dir": os.environ["TARN_DIR"]}
typed = set()


def shell(command):
    """What a command prints within the first host, and its exit code."""
    words = [os.environ["TARN_XTASK"], "pool", "--dir", os.environ["TARN_DIR"], "exec", first, "bash", "-c", command]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    return done.stdout, done.returncode


def is_there(what):
    """Whether the server has a message or an HTTP handler."""
    if not what.startswith("/"):
        return what not in unbuilt
    wire = connection(hosts[first], 5)
    wire.request("PUT" if "import" in what else "GET", what)
    # A handler asks for credentials first.
    return wire.getresponse().status == 401


def pattern(expected):
    """A regular expression for expected output, and the names it binds."""
    parts, names = [], []
    for line in expected:
        if line == "...":
            parts.append(r"(?:.*\n)*?")
            continue
        text = ""
        for piece in re.split(r"(<[a-z*][a-z0-9:-]*>|<\*>)", line.rstrip()):
            name = piece[1:-1]
            if piece == "<*>":
                text += ".*?"
            elif piece.startswith("<uuid:"):
                names.append(name[5:])
                text += f"({UUID})"
            elif piece.startswith("<") and name in bound:
                text += re.escape(bound[name])
            else:
                text += re.escape(piece)
        parts.append(text + r"[ ]*\n")
    return "".join(parts), names


def step(where, command, expected):
    """Runs one command and compares."""
    typed.update(re.findall(r"\bxe ([a-z][a-z-]*)", command))
    code = 0
    while expected and not expected[-1]:
        expected.pop()
    if expected and re.fullmatch(r"\? \d+", expected[-1]):
        code = int(expected.pop()[2:])
    filled = re.sub(r"<([a-z][a-z0-9-]*)>", lambda m: bound.get(m[1], m[0]), command)
    printed, returned = shell(filled)
    regex, names = pattern(expected)
    found = re.fullmatch(regex + r"\n*", printed if printed.endswith("\n") or not printed else printed + "\n")
    wanted = "\n".join(expected)
    assert found, f"{where}: $ {filled}\n--- printed\n{printed}\n--- expected\n{wanted}"
    assert returned == code, f"{where}: $ {filled}\n--- printed\n{printed}\n--- exit code {returned}, expected {code}"
    bound.update(zip(names, found.groups()))


def play(file):
    """Plays a transcript."""
    skip, command, expected, played, title = False, None, [], 0, ""

    def finish():
        nonlocal command, expected, played
        if command is not None and not skip:
            step(f"{file.name}: {title}", command, expected)
            played += 1
        command, expected = None, []

    for line in [*file.read_text().splitlines(), "== end"]:
        if line.startswith("== "):
            finish()
            skip, title = False, line[3:]
        elif line.startswith("@needs ") and command is None:
            missing = [what for what in line.split()[1:] if not is_there(what)]
            skip = bool(missing)
            if missing:
                say(f"{file.name}: {title}: left out, the server has no {' '.join(missing)} yet")
        elif line.startswith("$ "):
            finish()
            command = line[2:]
        elif command is not None:
            expected.append(line)
    say(f"{file.name}: {played} commands")


for file in sorted((here.parent / "transcripts").glob("*.txt")):
    play(file)

table = (repository / "api-gateway/cli/src/commands.tsv").read_text().splitlines()
rows = [line.split("\t") for line in table if not line.startswith("#")]
standard = {row[1] for row in rows if "std" in row[4].split()}
assert len(standard) > 40, "the table of commands is not what it was"
# What stands only in a section that was left out is not typed.
assert not standard - typed, f"standard commands without a transcript: {sorted(standard - typed)}"


def at_prompt(keys, until, seconds=20):
    """Types into an interactive bash within the first host and returns the screen once it shows what is waited for."""
    script = repository / "deploy/completion/xe.bash"
    start = f"bind 'set bell-style none'; bind 'set enable-bracketed-paste off'; source {shlex.quote(str(script))}; PS1=READY"
    words = [os.environ["TARN_XTASK"], "pool", "--dir", os.environ["TARN_DIR"], "exec", first, "bash", "--norc", "-i"]
    pid, master = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "dumb"
        os.execvp(words[0], words)
    screen = ""

    def read_until(what):
        nonlocal screen
        deadline = time.monotonic() + seconds
        while not re.search(what, screen):
            assert time.monotonic() < deadline, f"bash never showed {what!r}:\n{screen}"
            if select.select([master], [], [], 0.2)[0]:
                screen += os.read(master, 65536).decode(errors="replace")

    try:
        os.write(master, (start + "\n").encode())
        read_until(r"READY$|READY\s*$")
        screen = ""
        os.write(master, keys.encode())
        read_until(until)
        return screen
    finally:
        os.close(master)
        os.kill(pid, 9)
        os.waitpid(pid, 0)


shell('xe vm-install template="Other install media" new-name-label="completion web"')
# A command by its beginning, a parameter of it, a VM by its name with a space, a field, and uuids with their names.
at_prompt("xe vm-compute-max\t", r"xe vm-compute-maximum-memory ")
at_prompt("xe vm-migrate remote-m\t", r"xe vm-migrate remote-master=")
at_prompt("xe vm-param-get param-name=power-s\t", r"param-name=power-state ")
at_prompt("xe vm-start vm=compl\t", r"vm=completion\\ web")
at_prompt("xe host-param-list uuid=\t\t", r"[0-9a-f]{12}  \(h2\)")
at_prompt("xe vm-list params=uuid,name-d\t", r"params=uuid,name-description ")
at_prompt("xe sr-create type=fi\t", r"type=file ")
shell('xe vm-uninstall vm="completion web" --force')
say("bash completes commands, parameters and values")
