"""Where the figures were taken: enough to compare them with those of another machine, and no path of this one."""

from __future__ import annotations

import os
import platform
import subprocess

from shiftproof.gate.identity import versions


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
    """The commit, with a + when files differ from it; empty without git."""
    try:
        head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run(["git", "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")
