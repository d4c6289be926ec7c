"""Where Shiftproof keeps what must outlive a kill or a power cut. Outside the lab, which is gone when it dies."""

from __future__ import annotations

import os
from pathlib import Path

from shiftproof.errors import SetupError


def state_dir() -> Path:
    """`$SHIFTPROOF_STATE`, or /var/lib/shiftproof; made if missing. Raises SetupError when it cannot be."""
    path = Path(os.environ.get("SHIFTPROOF_STATE") or "/var/lib/shiftproof")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"cannot use the state folder {path}: {error.strerror}", hint="run as root") from error
    return path


def journal_dir() -> Path:
    """The folder of the undo journal."""
    return state_dir() / "journal"


def fsync_dir(path: Path) -> None:
    """Make a rename or an unlink in `path` survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
