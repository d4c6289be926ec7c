"""Control groups of the lab's nodes: a folder a node, in every controller, below one folder of the lab's own.

On cgroup v1 (tried) each controller is a tree of its own and cpuset must be filled in by hand. On cgroup v2 alone
(written by its documentation, not tried) there is one tree, and controllers are handed down by subtree_control.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

PARENT = "shiftproof-lab"
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


def make(node: str, trees: Sequence[Path] | None = None) -> None:
    """Make the node's folder in every tree. Safe to call again."""
    for tree in roots() if trees is None else trees:
        parent = tree / PARENT
        parent.mkdir(exist_ok=True)
        if is_v2(tree):
            _hand_down(tree)
            _hand_down(parent)
        else:
            _fill_cpuset(tree, parent)
        (parent / node).mkdir(exist_ok=True)
        if not is_v2(tree):
            _fill_cpuset(parent, parent / node)


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
    """
    deadline_s = time.monotonic() + within_s
    while True:
        left = [folder for folder in leftovers(trees, node) if not _rmdir(folder)]
        if not left or time.monotonic() >= deadline_s:
            return left
        time.sleep(0.05)


def _rmdir(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
