"""Where we are: inside the lab or on the way to an account; and what an undo entry belongs to."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from shiftproof.errors import SetupError
from shiftproof.lab.enter import find_lab, in_lab, present_lab, reexec_inside, require_lab
from shiftproof.model.target import Target


def enter(target: Target, argv: Sequence[str]) -> None:
    """For the lab: become `argv` inside its network and mounts, as the same process. Returns when already there.

    Raises SetupError when not root, LabError when no lab is up.
    """
    if target.kind != "lab" or in_lab():
        return
    if os.geteuid() != 0:
        raise SetupError("the lab is made of namespaces, which only root may enter", hint="run as root")
    reexec_inside(argv)


def require_whole(target: Target) -> None:
    """After recovery and before anything is measured: raises LabError when a part of the lab is missing."""
    if target.kind == "lab":
        require_lab()


NO_LAB = "lab:none"
"""The scope while there is no lab: that of no entry, so what was changed in any lab has gone with it."""


def scope_of(target: Target) -> str:
    """What the undo journal ties entries to: one life of the lab, or the account. Part of each entry.

    NO_LAB when there is none. Raises LabError for one that is still coming up: its entries are not moot.
    """
    if target.kind == "lab":
        # Only root sees every process: to anyone else a lab that runs may look as if it were not there.
        if os.geteuid() == 0 and not in_lab() and find_lab() is None:
            return NO_LAB
        init = present_lab().init
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"lab:{boot}:{init.pid}:{init.started_ticks()}"
    return f"{target.kind}:{target.name}"
