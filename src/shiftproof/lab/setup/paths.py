"""Where set-up reads its recipes from, and where it keeps what it made.

Recipes (go.mod files, Containerfiles) are in the clone; everything built from them is in one cache outside it, keyed by
the hash of its recipe. So a new clone, or a switch back to an older commit, builds nothing twice.
"""

from __future__ import annotations

import os
from pathlib import Path

from shiftproof.errors import SetupError

CACHE_VARIABLE = "SHIFTPROOF_CACHE"


def project_root() -> Path:
    """The clone: the folder that holds `infra/lab`. Raises SetupError when Shiftproof runs without one.

    Looks above this file first (the environment that `make setup` makes is an editable one), then above the current
    folder.
    """
    for start in (Path(__file__).resolve(), Path.cwd() / "_"):
        for folder in start.parents:
            if (folder / "infra" / "lab" / "tools").is_dir():
                return folder
    raise SetupError("the lab's recipes (infra/lab) were not found", hint="run this inside a clone of Shiftproof")


def cache_root() -> Path:
    """`$SHIFTPROOF_CACHE`, or `~/.cache/shiftproof`."""
    given = os.environ.get(CACHE_VARIABLE)
    return Path(given).absolute() if given else Path.home() / ".cache" / "shiftproof"


def tool_recipes() -> Path:
    return project_root() / "infra" / "lab" / "tools"


def service_folder(service: str) -> Path:
    return project_root() / "infra" / "services" / service
