"""Find the lab and go in: what must reach its addresses runs in its mounts and network, as an ordinary process.

Only these two namespaces are entered and not its pids, so the process keeps its pid, its terminal and its parent:
Ctrl-C and kill work on it as on any other, and it does not end with the lab.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from shiftproof.errors import LabError
from shiftproof.lab import procfs
from shiftproof.lab.control import SOCKET, LabControl
from shiftproof.lab.network import KUBECONFIG

IN_LAB = "SHIFTPROOF_IN_LAB"
_UP = "shiftproof lab up"
_OWN = ("control", "postgres")  # where the parts are that a gate cannot do without


@dataclass(frozen=True, slots=True)
class RunningLab:
    """A lab that is there, whole or not. `init`: its process 1, with its pid as the machine sees it."""

    init: procfs.Process

    @property
    def pid(self) -> int:
        return self.init.pid

    @property
    def root(self) -> Path:
        """The lab's file system as seen from outside."""
        return Path(f"/proc/{self.pid}/root")

    def control(self) -> LabControl:
        """Works from outside and inside."""
        return LabControl(self.root / str(SOCKET).lstrip("/"))


def find_lab() -> RunningLab | None:
    """The lab that runs on this machine, or None. Half-started ones are found too."""
    found = procfs.find_init()
    return None if found is None else RunningLab(found)


def present_lab() -> RunningLab:
    """The lab, if it has come up; a node may be off (a fault that somebody has to undo). Raises LabError when not."""
    lab = find_lab()
    if lab is None:
        raise LabError("the lab is not up", hint=_UP)
    if lab.control().status()["coming_up"]:
        raise LabError(f"the lab is still coming up (pid {lab.pid})", hint="wait for it, or: shiftproof lab down")
    return lab


def require_lab(*, whole: bool = False) -> RunningLab:
    """The lab, if it is up. Raises LabError that says what to do when it is not, or when a part of it is broken.

    A legacy machine or a node that is down is no fault of the lab: an experiment may have done it, and a gate must see
    it. With `whole` these count too.
    """
    lab = find_lab()
    if lab is None:
        raise LabError("the lab is not up", hint=_UP)
    try:
        status = lab.control().status()
    except LabError as error:
        raise LabError(f"a lab is there (pid {lab.pid}) but does not answer", hint="shiftproof lab down") from error
    if status["coming_up"]:
        raise LabError(f"the lab is still coming up (pid {lab.pid})", hint="wait for it, or: shiftproof lab down")
    broken = [part for part in status["parts"] if part["state"] != "ready" and (whole or part["where"] in _OWN)]
    if broken:
        names = ", ".join(f"{part['name']} ({part['problem']})" for part in broken)
        raise LabError(f"the lab is not whole: {names}", hint="shiftproof lab down && shiftproof lab up")
    return lab


def in_lab() -> bool:
    """True in a process that entered the lab, and whose lab still lives: the mark alone is not believed."""
    marked = os.environ.get(IN_LAB, "")
    if not marked.isdigit():
        return False
    try:
        same = all(
            Path(f"/proc/self/ns/{kind}").readlink() == Path(f"/proc/{marked}/ns/{kind}").readlink()
            for kind in ("mnt", "net")
        )
    except OSError:
        return False
    init = procfs.read_process(int(marked))
    return same and init is not None and procfs.runs_module(init, procfs.INIT_MODULE)


def environment(lab: RunningLab, kubectl: Path | None = None) -> dict[str, str]:
    """What a process in the lab needs beside what it has: kubectl, AWS, and the mark that in_lab() checks."""
    from shiftproof.lab import aws

    path = os.environ.get("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    return {
        **aws.environment(),
        IN_LAB: str(lab.pid),
        "KUBECONFIG": str(KUBECONFIG),
        "KUBECACHEDIR": str(KUBECONFIG.parent / "cache"),
        "PATH": f"{kubectl.parent}:{path}" if kubectl else path,
    }


def entry_command(lab: RunningLab, argv: Sequence[str], folder: Path) -> list[str]:
    """The words that run `argv` in the lab, in the working folder `folder`.

    The kernel moves whoever enters a mount namespace to its root, hence `env --chdir`.
    """
    return [
        *("nsenter", "-t", str(lab.pid), "-m", "-n", "--"),
        *("env", f"--chdir={folder}", "--", *argv),
    ]


def place_command(lab: RunningLab, place: str, argv: Sequence[str], folder: Path) -> list[str]:
    """The same on one machine of the lab: "node-1", "legacy-1", "lb", "postgres". Raises LabError for others."""
    from shiftproof.lab.namespaces import MACHINES, inside

    if place not in MACHINES:
        raise LabError(f"the lab has no machine {place!r}: there are {', '.join(MACHINES)}")
    nodes = lab.control().status()["nodes"]
    if place not in nodes:
        return entry_command(lab, [*inside(place), *argv], folder)
    if nodes[place] is None:
        raise LabError(f"{place} is off", hint="shiftproof lab status")
    return [*("nsenter", "-t", str(nodes[place]), "-m", "-n", "-p", "--"), *argv]


def reexec_inside(argv: Sequence[str], extra: Mapping[str, str] | None = None) -> NoReturn:
    """Become `argv` inside the lab, with the same pid and working folder. Raises LabError when there is none.

    It need not be whole: what enters may have come to undo the fault that broke it.
    """
    from shiftproof.lab import cgroups

    lab = present_lab()
    _need_root()
    try:
        cgroups.enter(cgroups.GUESTS)
    except OSError as error:
        raise LabError(f"this lab takes no guests: {error}", hint="shiftproof lab down && shiftproof lab up") from error
    sys.stdout.flush()
    sys.stderr.flush()
    words = entry_command(lab, argv, Path.cwd())
    os.execvpe(words[0], words, {**os.environ, **environment(lab, kubectl_path()), **(extra or {})})


def kubectl_path() -> Path | None:
    """Our own kubectl, if it was built; else the one on PATH."""
    from shiftproof.errors import SetupError
    from shiftproof.lab.setup import program

    try:
        return program("kubectl")
    except SetupError:
        found = shutil.which("kubectl")
        return Path(found) if found else None


def _need_root() -> None:
    if os.geteuid() != 0:
        raise LabError("the lab needs root", hint="run it with sudo -E")
