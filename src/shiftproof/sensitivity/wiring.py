"""The one place where `run` meets the real gate, the lab and this machine."""

from __future__ import annotations

import os
from pathlib import Path

from shiftproof.errors import LabError
from shiftproof.sensitivity.gates import GateCommand, Gates
from shiftproof.sensitivity.machine import library_versions, machine
from shiftproof.sensitivity.platform import LabPlatform
from shiftproof.sensitivity.rules import others_of
from shiftproof.sensitivity.run import Asked, Parts


def lab_parts(asked: Asked, infra_dir: Path) -> Parts:
    """For the lab. Raises LabError for anyone but root, who alone may enter it."""
    if os.geteuid() != 0:
        raise LabError("defects are planted in the lab, which needs root", hint="run it with sudo -E")
    command = GateCommand(asked.service, asked.to_pct, infra_dir)
    return Parts(
        gates=lambda folder: Gates(command, folder),
        platform=LabPlatform(asked.service, infra_dir),
        others=others_of,
        about=lambda: (machine(), library_versions()),
    )
