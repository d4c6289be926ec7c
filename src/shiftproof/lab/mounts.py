"""The lab's own view of the file system: what it writes outside LAB_DIR goes to a tmpfs too, and vanishes with it.

The machine's /proc stays mounted on purpose, although the lab has a pid namespace: a gate enters the lab's mounts and
network but not its pids (it must stay an ordinary process that Ctrl-C reaches), and would find no /proc/self in the
lab's. So inside the lab, pids in /proc are the machine's. Only nodes have a /proc of their own (machine.py).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from shiftproof.errors import LabError
from shiftproof.lab.network import LAB_DIR, LOG_DIR

LAB_TMPFS_LIMIT = "5g"
TMP_DIR = LAB_DIR / "tmp"


def prepare() -> None:
    """Mount the lab's tmpfs in a mount namespace that is already private. Raises LabError.

    All of /run is covered, since containerd, runc, CNI plugins and `ip netns` all keep state there; /dev/shm, since
    PostgreSQL does.
    """
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    LAB_DIR.mkdir(parents=True)
    _mount("-t", "tmpfs", "-o", f"mode=755,size={LAB_TMPFS_LIMIT}", "tmpfs", str(LAB_DIR))
    _mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", "/dev/shm")
    for folder in (Path("/run/netns"), Path("/run/lock"), LOG_DIR):
        folder.mkdir()
    TMP_DIR.mkdir(mode=0o1777)
    TMP_DIR.chmod(0o1777)


def used_bytes(folders: Sequence[Path]) -> int:
    """Bytes that these mounted tmpfs hold."""
    total = 0
    for folder in folders:
        state = os.statvfs(folder)
        total += (state.f_blocks - state.f_bfree) * state.f_frsize
    return total


def _mount(*words: str) -> None:
    done = subprocess.run(["mount", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"mount {words[-1]}: {done.stderr.strip()}", hint="shiftproof doctor")
