"""Control groups of the lab: a folder a machine, below one folder of the lab's own; a node's in every controller.

Each weighs enough for what it must serve while all others want the CPU, and together they weigh more than what else
runs here: where processes are many on one side and few on the other, as pods in one group of a kubelet's against plain
processes of a VM, a busy machine would slow one side alone. A node weighs as much as both VMs, since it must carry all
of its side once the other node is drained.

On cgroup v1 (tried) each controller is a tree of its own and cpuset must be filled in by hand. On cgroup v2 alone
(written by its documentation, not tried) there is one tree, and controllers are handed down by subtree_control.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from pathlib import Path

from shiftproof.lab.namespaces import POSTGRES
from shiftproof.lab.network import NODE_IPS

PARENT = "shiftproof-lab"
CONTROL = "control"
"""The group of the control plane and all else that is on no machine."""

GUESTS = "guests"
"""The group of what enters the lab from outside, a gate above all. Elsewhere that has a machine of its own; here,
beside a lab that weighs as much as all its machines, it would get no CPU while pods start, and see nothing of it."""

NODE_SHARES, MACHINE_SHARES, DATABASE_SHARES, CONTROL_SHARES, GUESTS_SHARES = 8192, 4096, 6144, 6144, 4096
"""Of about 1.7 cores that a real-time load leaves of two: 0.32 a node, 0.16 a VM, and so on. Measured at 80 pairs/s
while a pod starts: one node that carries all 0.25, a VM 0.09, the load balancer 0.12, PostgreSQL 0.2, a gate 0.1."""

BOOTING_SHARES = 256
"""Of a machine that is on its way: elsewhere its boot costs nobody else anything, so here it gets what is left over."""

_REAL_TIME_US = 900_000
"""Of each second: a group of v1 has no real-time scheduling unless it is given some, and the load asks for it."""

_SYSTEM_SHARES = 512
"""Of a node's own programs, beside 1024 a core for its pods: a kubelet at work must not take what its pods need."""

_SYSTEM = "system"
_MOUNTINFO = Path("/proc/self/mountinfo")
_V2_CONTROLLERS = ("cpu", "cpuset", "io", "memory", "pids", "hugetlb")
_REMOVE_WITHIN_S = 5.0


def roots(mountinfo: Path = _MOUNTINFO) -> tuple[Path, ...]:
    """Mount points of the cgroup trees that controllers hang on: many with v1, one with v2 alone."""
    v1 = _mounted("cgroup", mountinfo)
    return v1 or _mounted("cgroup2", mountinfo)[:1]


def all_trees(mountinfo: Path = _MOUNTINFO) -> tuple[Path, ...]:
    """With v1, a tree of v2 without controllers may be mounted as well: runc makes folders there too."""
    return (*_mounted("cgroup", mountinfo), *_mounted("cgroup2", mountinfo))


def _mounted(kind: str, mountinfo: Path) -> tuple[Path, ...]:
    pairs = (line.split(" - ", 1) for line in mountinfo.read_text().splitlines())
    return tuple(Path(left.split()[4]) for left, right in pairs if right.split()[0] == kind)


def is_v2(root: Path) -> bool:
    return (root / "cgroup.controllers").is_file()


def kubelet_root(node: str) -> str:
    """What the kubelet's `cgroupRoot` says: the path below every controller's mount point."""
    return f"/{PARENT}/{node}"


def make(node: str, trees: Sequence[Path] | None = None, cpu: Path | None = None) -> None:
    """Make a node's folder in every tree, and in it one for its own programs. Safe to call again."""
    for tree in roots() if trees is None else trees:
        parent = tree / PARENT
        parent.mkdir(exist_ok=True)
        if is_v2(tree):
            _hand_down(tree)
            _hand_down(parent)
        else:
            _fill_cpuset(tree, parent)
        (parent / node).mkdir(exist_ok=True)
        if is_v2(tree):
            _hand_down(parent / node)
        else:
            _fill_cpuset(parent, parent / node)
    make_weighted(node, _shares(node), cpu)
    make_weighted(f"{node}/{_SYSTEM}", _SYSTEM_SHARES, cpu)


def make_machines(names: Sequence[str], cpu: Path | None = None) -> None:
    """A group for each machine, for the control plane and for guests, and the lab's: their sum."""
    weights = {CONTROL: CONTROL_SHARES, GUESTS: GUESTS_SHARES} | {name: _shares(name) for name in names}
    make_weighted("", sum(weights.values()), cpu)
    for name, shares in weights.items():
        make_weighted(name, shares, cpu)
    for name in ("", GUESTS):
        file = (cpu or cpu_tree()) / PARENT / name / "cpu.rt_runtime_us"
        if file.is_file():
            file.write_text(str(_REAL_TIME_US))


def weigh(node: str, *, booting: bool, cpu: Path | None = None) -> None:
    """How much a node weighs from now on."""
    make_weighted(node, BOOTING_SHARES if booting else _shares(node), cpu)


def _shares(machine: str) -> int:
    if machine in NODE_IPS:
        return NODE_SHARES
    return DATABASE_SHARES if machine == POSTGRES else MACHINE_SHARES


def make_weighted(name: str, shares: int, tree: Path | None = None) -> None:
    """A folder `name` below the lab's own, in the tree that shares out CPU time, with that many shares (v1's scale)."""
    tree = tree or cpu_tree()
    folder = tree / PARENT / name
    folder.mkdir(exist_ok=True)
    if is_v2(tree):
        if folder == tree / PARENT:
            _hand_down(tree)
            _hand_down(folder)
        # Kubernetes' own formula from the one scale (2 to 262144) to the other (1 to 10000).
        (folder / "cpu.weight").write_text(str(1 + (shares - 2) * 9999 // 262142))
    else:
        (folder / "cpu.shares").write_text(str(shares))


def entering(machine: str, *, node: bool = False) -> tuple[str, ...]:
    """Words to put before a command so that it, and all that it starts, is in that machine's group."""
    folder = cpu_tree() / PARENT / machine
    file = (folder / _SYSTEM if node else folder) / "cgroup.procs"
    return ("sh", "-c", 'echo 0 > "$0" && exec "$@"', str(file))


def enter(name: str) -> None:
    """Put this process, and all that it starts from now on, into that group."""
    (cpu_tree() / PARENT / name / "cgroup.procs").write_text("0")


def cpu_tree(mountinfo: Path = _MOUNTINFO) -> Path:
    """The tree that shares out CPU time."""
    for line in mountinfo.read_text().splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split()[:3]
        if kind == "cgroup" and "cpu" in options.split(","):
            return Path(left.split()[4])
    return roots(mountinfo)[0]


def _hand_down(folder: Path) -> None:
    available = (folder / "cgroup.controllers").read_text().split()
    wanted = " ".join(f"+{name}" for name in _V2_CONTROLLERS if name in available)
    (folder / "cgroup.subtree_control").write_text(wanted)


def _fill_cpuset(above: Path, folder: Path) -> None:
    """A cpuset of v1 begins empty, and no process can enter an empty one."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        if (above / name).is_file():
            (folder / name).write_text((above / name).read_text().strip())


def pids_of_containers(node: str, pod_uid: str, trees: Sequence[Path] | None = None) -> dict[str, tuple[int, ...]]:
    """Container id -> pids (of the caller's namespace) of one pod, its sandbox included; empty when it is not there."""
    for tree in roots() if trees is None else trees:
        found = {
            folder.name: tuple(int(pid) for pid in (folder / "cgroup.procs").read_text().split())
            for pod in (tree / PARENT / node).glob(f"**/pod{pod_uid}")
            for folder in pod.iterdir()
            if folder.is_dir()
        }
        if any(found.values()):
            return found
    return {}


def leftovers(trees: Sequence[Path] | None = None, node: str = "") -> list[Path]:
    """Folders of the lab (or of one node) that are still there, deepest first."""
    found: list[Path] = []
    for tree in all_trees() if trees is None else trees:
        if (tree / PARENT / node).is_dir():
            found += [Path(base) for base, _, _ in os.walk(tree / PARENT / node, topdown=False)]
    return found


def remove(trees: Sequence[Path] | None = None, node: str = "", within_s: float = _REMOVE_WITHIN_S) -> list[Path]:
    """Remove all folders of the lab (or of one node); returns those that would not go (something still runs in them).

    A killed process leaves its cgroup a moment after it is gone from /proc, so this tries until `within_s` is over.
    Guests outlive a lab that dies: they go back to where they came from, the root.
    """
    if not node:
        _dismiss_guests(all_trees() if trees is None else trees)
    deadline_s = time.monotonic() + within_s
    while True:
        left = [folder for folder in leftovers(trees, node) if not _rmdir(folder)]
        if not left or time.monotonic() >= deadline_s:
            return left
        time.sleep(0.05)


def _dismiss_guests(trees: Sequence[Path]) -> None:
    for tree in trees:
        try:
            pids = (tree / PARENT / GUESTS / "cgroup.procs").read_text().split()
        except FileNotFoundError:
            continue
        for pid in pids:
            with contextlib.suppress(OSError):  # gone meanwhile
                (tree / "cgroup.procs").write_text(pid)


def _rmdir(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
