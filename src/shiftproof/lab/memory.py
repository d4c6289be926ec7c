"""How much of the machine's memory the lab takes: its processes' share (PSS), and its tmpfs."""

from __future__ import annotations

from pathlib import Path

from shiftproof.lab import mounts
from shiftproof.lab.network import LAB_DIR
from shiftproof.lab.procfs import PROC, Process, guests, processes

TMPFS = (LAB_DIR, Path("/run"), Path("/dev/shm"))


def memory(init: Process, root: Path = Path("/"), proc: Path = PROC) -> dict[str, int]:
    """Bytes: "pss" of the lab's processes, "guests_pss" of those that entered it (a gate, its load), "tmpfs", "total".

    PSS counts a shared page once over all that share it. Pages of a tmpfs that a process maps are counted with the
    tmpfs alone. `root`: where the lab's file system is to be found.
    """
    everything = processes(proc)
    own = sum(_pss(pid, proc) for pid in descendants(init.pid, everything))
    visiting = sum(_pss(process.pid, proc) for process in guests(init, proc))
    tmpfs = mounts.used_bytes([root / str(folder).lstrip("/") for folder in TMPFS])
    return {"pss": own, "guests_pss": visiting, "tmpfs": tmpfs, "total": own + visiting + tmpfs}


def descendants(pid: int, everything: list[Process]) -> list[int]:
    """`pid` and all processes below it. In a pid namespace that is all of it: orphans fall to its process 1."""
    below: dict[int, list[int]] = {}
    for process in everything:
        below.setdefault(process.parent, []).append(process.pid)
    found, left = [], [pid]
    while left:
        found.append(left.pop())
        left += below.get(found[-1], [])
    return found


def _pss(pid: int, proc: Path) -> int:
    """0 for a process that is gone."""
    folder = proc / str(pid)
    try:
        text = (folder / "smaps_rollup").read_text()
        name = (folder / "comm").read_text().strip()
    except OSError:
        return 0
    kib = {line.split(":")[0]: int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss")}
    # PostgreSQL's shared memory is on no tmpfs that one can look at; everybody else's shared pages are.
    on_tmpfs = 0 if name == "postgres" else kib.get("Pss_Shmem", 0)
    return (kib.get("Pss", 0) - on_tmpfs) * 1024
