"""The one place where `run` meets the real gate, the lab and this machine."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from shiftproof.errors import LabError, UserError
from shiftproof.sensitivity.fingerprint import fingerprint_now
from shiftproof.sensitivity.gates import GateCommand, Gates
from shiftproof.sensitivity.machine import library_versions, machine
from shiftproof.sensitivity.platform import LabPlatform
from shiftproof.sensitivity.rules import others_of
from shiftproof.sensitivity.run import Asked, Parts


def lab_parts(asked: Asked, infra_dir: Path) -> Parts:
    """For the lab. Raises LabError for anyone but root, who alone may enter it."""
    if os.geteuid() != 0:
        raise LabError("defects are planted in the lab, which needs root", hint="run it with sudo -E")
    defects = list(dict.fromkeys(turn.defect for turn in asked.turns if turn.defect is not None))
    command = GateCommand(asked.service, asked.to_pct, infra_dir)
    return Parts(
        gates=lambda folder: Gates(command, folder),
        platform=LabPlatform(asked.service, infra_dir),
        others=others_of,
        about=lambda: (machine(), library_versions()),
        fingerprint=lambda: fingerprint_now(infra_dir, defects),
    )


def require_writable(folder: Path) -> None:
    """Raises UserError when nothing can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror}", hint="choose another folder") from error
