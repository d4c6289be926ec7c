"""Finds the defects that a pattern names, and reads them all before anything is run."""

from __future__ import annotations

import glob
from fnmatch import fnmatch
from pathlib import Path

from shiftproof.errors import UserError
from shiftproof.gate.config import experiments_dir
from shiftproof.gate.planting import read_defect
from shiftproof.sensitivity.fingerprint import DEFECTS_FOLDER, file_digest
from shiftproof.sensitivity.plan import KnownDefect


def find_defects(pattern: str, infra_dir: Path, service: str) -> tuple[KnownDefect, ...]:
    """Those of this service, by name. A pattern without a slash is one of names in experiments/defects.

    Raises UserError, naming the folder, when there is none; ConfigError with file and line for a bad file.
    """
    files = _files(pattern, experiments_dir(infra_dir) / DEFECTS_FOLDER)
    read = [(file, read_defect(file)) for file in files]
    found = tuple(
        KnownDefect(
            id=defect.id,
            title=defect.title,
            evidence=defect.evidence,
            expects=defect.expect.claim,
            file=str(file),
            digest=file_digest(file),
            steps=len(defect.plant),
        )
        for file, defect in read
        if defect.service == service
    )
    if not found:
        others = ", ".join(sorted({defect.service for _, defect in read}))
        raise UserError(f"no defect that {pattern!r} names is of {service}", hint=f"they are of: {others}")
    return found


def _files(pattern: str, folder: Path) -> list[Path]:
    if "/" in pattern:
        found = sorted(path for path in map(Path, glob.glob(pattern)) if path.is_file())  # noqa: PTH207 (may be absolute)
        if not found:
            raise UserError(f"no file is named by {pattern!r}", hint=f"without a slash it means {folder}/NAME.yaml")
        return found
    known = sorted(folder.glob("*.yaml"))
    found = [path for path in known if fnmatch(path.stem, pattern) or fnmatch(path.name, pattern)]
    if not found:
        names = ", ".join(path.stem for path in known) or "nothing"
        raise UserError(f"no defect in {folder} is named by {pattern!r}", hint=f"there is: {names}")
    return found
