"""The one place where `run` meets real gates and rehearsals, the lab and this machine."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from shiftproof.errors import LabError, UserError
from shiftproof.sensitivity.fingerprint import fingerprint_now
from shiftproof.sensitivity.machine import library_versions, machine
from shiftproof.sensitivity.platform import LabPlatform
from shiftproof.sensitivity.rules import none_asked, others_of
from shiftproof.sensitivity.run import Asked, Parts
from shiftproof.sensitivity.runner import Command, GateCommand, RehearsalCommand, Runner


def lab_parts(
    asked: Asked, infra_dir: Path, profiles_dir: Path | None = None, prepare: Callable[[], None] = lambda: None
) -> Parts:
    """For the lab. profiles_dir: where rehearsals are what is run. Raises LabError for anyone but root, who alone may
    enter it."""
    if os.geteuid() != 0:
        raise LabError("defects are planted in the lab, which needs root", hint="run it with sudo -E")
    defects = list(dict.fromkeys(turn.defect for turn in asked.turns if turn.defect is not None))
    command = _command(asked, infra_dir)
    return Parts(
        runner=lambda folder: Runner(command, folder),
        platform=LabPlatform(asked.service, infra_dir),
        others=others_of if asked.kind.event is None else none_asked,
        about=lambda: (machine(), library_versions()),
        fingerprint=lambda: fingerprint_now(infra_dir, defects, profiles_dir),
        prepare=prepare,
    )


def _command(asked: Asked, infra_dir: Path) -> Command:
    if asked.to_pct is not None:
        return GateCommand(asked.service, asked.to_pct, infra_dir)
    return RehearsalCommand(asked.service, asked.kind, infra_dir)


def require_writable(folder: Path) -> None:
    """Raises UserError when nothing can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror}", hint="choose another folder") from error
