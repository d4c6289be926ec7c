"""Where the figures were taken: enough to compare them with those of another machine, and no path of this one."""

from __future__ import annotations

import os
import platform
import subprocess

from shiftproof.gate.identity import versions

#: Folders of the working copy whose files decide what a gate says.
DECIDING = ("src", "suites", "infra", "experiments", "loadprofiles")


def machine() -> dict[str, str]:
    """Cores, memory, kernel, and the revision of the working copy where it is one."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    found = {"cores": str(os.cpu_count()), "memory": f"{memory_gib:.0f} GiB", "kernel": platform.release()}
    revision = _revision()
    return {**found, "revision": revision} if revision else found


def library_versions() -> dict[str, str]:
    """Of what took the measurements; the kernel is the machine's."""
    return {name: version for name, version in versions().items() if name != "kernel"}


def _revision() -> str:
    """The commit, with a + when what decides the results differs from it, new files too; empty without git."""
    try:
        head = _git("rev-parse", "--short", "HEAD")
        changed = _git("status", "--porcelain", "--", *DECIDING)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return head + ("+" if changed else "")


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], capture_output=True, text=True, check=True).stdout.strip()
