"""The lab for tests marked `lab`: started when none is up, and left up for the next test."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from shiftproof.lab.enter import entry_command, environment, present_lab
from shiftproof.lab.setup.paths import project_root

_UP_WITHIN_S = 180
SHIFTPROOF = Path(sys.executable).with_name("shiftproof")


def lab_up() -> None:
    """Does nothing when it is up."""
    subprocess.run([str(SHIFTPROOF), "lab", "up"], check=True, timeout=_UP_WITHIN_S)


def python_in_lab(
    code: str, *arguments: str, env: Mapping[str, str], stdin: int = subprocess.DEVNULL
) -> subprocess.Popen[str]:
    """Start `code` in the lab's network and mounts, in the working copy, with its output to be read line by line."""
    lab = present_lab()
    return subprocess.Popen(
        entry_command(lab, [sys.executable, "-c", code, *arguments], project_root()),
        env={**os.environ, **environment(lab), **env},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
