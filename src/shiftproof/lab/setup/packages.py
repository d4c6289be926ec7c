"""The Debian packages that the lab stands on: which are missing, and the command that brings them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from shiftproof.errors import SetupError
from shiftproof.lab.setup.paths import project_root

MEND = "make setup"
Query = Callable[[list[str]], str]
"""Given package names, the lines "NAME STATUS" of those that dpkg knows."""


def wanted(file: Path | None = None) -> list[str]:
    """Names in infra/lab/packages.txt: one a line, a comment after #."""
    path = file or project_root() / "infra" / "lab" / "packages.txt"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise SetupError(
            f"the list of Debian packages cannot be read: {error}", hint="git checkout infra/lab"
        ) from error
    names = (line.partition("#")[0].strip() for line in lines)
    return [name for name in names if name]


def ask_dpkg(names: list[str]) -> str:
    """dpkg's answer about these packages; unknown ones are left out. Raises SetupError on a machine without dpkg."""
    if shutil.which("dpkg-query") is None:
        raise SetupError("this machine has no dpkg: the lab needs Debian 12", hint="use a Debian 12 machine")
    words = ["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Abbrev}\n", *names]
    # Exit code 1 only says that one of them is unknown, which is the answer itself.
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout


def missing(names: list[str] | None = None, query: Query = ask_dpkg) -> list[str]:
    """Those wanted that are not wholly installed (a half-configured package counts as missing)."""
    asked = wanted() if names is None else names
    installed = {line.split()[0] for line in query(asked).splitlines() if line.split()[1:2] == ["ii"]}
    return [name for name in asked if name not in installed]
