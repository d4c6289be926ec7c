"""Finds the defects that a pattern names, and reads them all before anything is run."""

from __future__ import annotations

import glob
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

from shiftproof.errors import UserError
from shiftproof.gate.config import experiments_dir, read_platform
from shiftproof.gate.planting import read_defect
from shiftproof.sensitivity.fingerprint import DEFECTS_FOLDER, file_digest
from shiftproof.sensitivity.plan import KnownDefect

SUFFIXES = (".yaml", ".yml")


def find_defects(
    pattern: str, infra_dir: Path, service: str, note: Callable[[str], None] = lambda _: None
) -> tuple[KnownDefect, ...]:
    """Those of this service that a gate must catch, by name.

    pattern: without a slash it is one of names in experiments/defects.
    note: told what is left out because it is of another service or for a load event. Raises UserError, naming the
    folder, when there is none; ConfigError with file and line for a bad file, or one of a service that the platform
    does not have.
    """
    files = _files(pattern, experiments_dir(infra_dir) / DEFECTS_FOLDER)
    services = [one.name for one in read_platform(infra_dir).services]
    read = [(file, read_defect(file, services)) for file in files]
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
        if defect.service == service and defect.event is None
    )
    if not found and all(defect.event is not None for _, defect in read):
        runs = ", ".join(sorted({defect.run for _, defect in read}))
        raise UserError(f"no defect that {pattern!r} names is one for a gate", hint=f"they are for: {runs}")
    if not found:
        others = ", ".join(sorted({defect.service for _, defect in read}))
        raise UserError(f"no defect that {pattern!r} names is of {service}", hint=f"they are of: {others}")
    for file, defect in read:
        if defect.service != service:
            note(f"left out: {file} is of {defect.service}, not of {service}")
        elif defect.event is not None:
            note(f"left out: {file} is for `{defect.run}`, not for a gate")
    return found


def _files(pattern: str, folder: Path) -> list[Path]:
    if "/" in pattern:
        found = sorted(path for path in map(Path, glob.glob(pattern)) if path.is_file())  # noqa: PTH207 (may be absolute)
        if not found:
            raise UserError(f"no file is named by {pattern!r}", hint=f"without a slash it means {folder}/NAME.yaml")
        return found
    known = sorted(path for path in folder.glob("*") if path.suffix in SUFFIXES)
    found = [path for path in known if fnmatch(path.stem, pattern) or fnmatch(path.name, pattern)]
    if not found:
        names = ", ".join(path.stem for path in known) or "nothing"
        raise UserError(f"no defect in {folder} is named by {pattern!r}", hint=f"there is: {names}")
    return found
