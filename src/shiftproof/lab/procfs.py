"""Find the lab by looking at /proc: no state file, so none can be stale.

The lab's init is the process that is process 1 of a pid namespace one below the looker's, belongs to root, and was
started as `PYTHON -m shiftproof.lab.init`. Something that merely has the same words on its command line is not.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

INIT_MODULE = "shiftproof.lab.init"
KEEPER_MODULE = "shiftproof.lab.keeper"
PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    """What /proc tells of a process. `ns_pids`: its pid in the reader's namespace first, in its own last."""

    pid: int
    parent: int
    uid: int
    ns_pids: tuple[int, ...]
    argv: tuple[str, ...]
    pid_namespace: str

    def started_ticks(self, proc: Path = PROC) -> int:
        """Clock ticks from boot to its start: with the pid, a name that is not given twice (proc(5), stat field 22)."""
        text = (proc / str(self.pid) / "stat").read_text()
        return int(text.rpartition(")")[2].split()[19])


def read_process(pid: int, proc: Path = PROC) -> Process | None:
    """None when the process is gone, or not ours to look at."""
    folder = proc / str(pid)
    try:
        fields = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines() if ":" in line)
        argv = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
        namespace = str((folder / "ns" / "pid").readlink())
        ns_pids = tuple(int(number) for number in fields.get("NSpid", str(pid)).split())
        return Process(pid, int(fields["PPid"]), int(fields["Uid"].split()[0]), ns_pids, tuple(argv), namespace)
    except (OSError, KeyError, ValueError):
        return None


def processes(proc: Path = PROC) -> list[Process]:
    """All processes that can be read, by pid."""
    pids = sorted(int(entry.name) for entry in proc.iterdir() if entry.name.isdigit())
    return [found for found in (read_process(pid, proc) for pid in pids) if found is not None]


def is_lab_init(process: Process, own_pid_namespace: str) -> bool:
    return (
        process.uid == 0
        and len(process.ns_pids) == 2
        and process.ns_pids[-1] == 1
        and process.pid_namespace != own_pid_namespace
        and runs_module(process, INIT_MODULE)
    )


def runs_module(process: Process, module: str) -> bool:
    """True for `PYTHON -m module …` alone: a shell or an editor with these words in an argument does not count."""
    return process.argv[1:3] == ("-m", module) and "python" in Path(process.argv[0]).name


def find_init(proc: Path = PROC) -> Process | None:
    """The lab's init, or None when there is no lab."""
    own = str((proc / "self" / "ns" / "pid").readlink())
    for process in processes(proc):
        if is_lab_init(process, own):
            return process
    return None


def find_keeper(proc: Path = PROC) -> Process | None:
    """The lab's outer parent, which lives in the machine's own namespaces."""
    return next((p for p in processes(proc) if p.uid == 0 and runs_module(p, KEEPER_MODULE)), None)


def guests(init: Process, proc: Path = PROC) -> list[Process]:
    """Processes of the machine that entered the lab's network (a gate, `lab exec`): none of the lab's own.

    `unshare`, the init's parent, is in that network too, and so is whoever asks from inside.
    """
    network = _namespace(init.pid, "net", proc)
    found = (p for p in processes(proc) if len(p.ns_pids) == 1 and p.pid not in (os.getpid(), init.parent))
    return [p for p in found if network is not None and _namespace(p.pid, "net", proc) == network]


def _namespace(pid: int, kind: str, proc: Path) -> str | None:
    try:
        return str((proc / str(pid) / "ns" / kind).readlink())
    except OSError:
        return None


def children(pid: int, proc: Path = PROC) -> list[int]:
    """Pids (of the reader's namespace) whose parent is `pid`."""
    return [process.pid for process in processes(proc) if process.parent == pid]


def outer_pid(pid: int) -> int:
    """The pid, as the machine sees it, of a child that we know by its pid in our own namespace.

    The lab keeps the machine's /proc (see mounts.py), and the kernel writes a pidfd's `Pid` in terms of that /proc.
    Raises ProcessLookupError when the process is gone.
    """
    descriptor = os.pidfd_open(pid)
    try:
        text = (PROC / "self" / "fdinfo" / str(descriptor)).read_text()
    finally:
        os.close(descriptor)
    found = next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pid:"))
    if found <= 0:
        raise ProcessLookupError(pid)
    return found
