"""Finds the defects that a pattern names, and reads them all before anything is run."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from shiftproof.errors import UserError
from shiftproof.gate.config import experiments_dir, read_platform
from shiftproof.gate.planting import read_defect
from shiftproof.model.defect import Defect
from shiftproof.sensitivity.fingerprint import DEFECTS_FOLDER, file_digest
from shiftproof.sensitivity.plan import KnownDefect

SUFFIXES = (".yaml", ".yml")


def find_defects(
    pattern: str,
    infra_dir: Path,
    service: str,
    note: Callable[[str], None] = lambda _: None,
    *,
    event: str | None = None,
) -> tuple[KnownDefect, ...]:
    """Those of this service that a gate must catch, or a rehearsal of this event, by name.

    pattern: without a slash it is one of names in experiments/defects.
    note: told what is left out because it is of another service or for another run. Raises UserError, naming the
    folder, when there is none; ConfigError with file and line for a bad file, or one of a service that the platform
    does not have.
    """
    files = _files(pattern, experiments_dir(infra_dir) / DEFECTS_FOLDER)
    services = [one.name for one in read_platform(infra_dir).services]
    read = [(file, read_defect(file, services)) for file in files]
    mine = [(file, defect) for file, defect in read if defect.event == event]
    found = tuple(_known(file, defect) for file, defect in mine if defect.service == service)
    if not mine:
        what = "a gate" if event is None else f"a rehearsal of {event}"
        runs = ", ".join(sorted({defect.run for _, defect in read}))
        raise UserError(f"no defect that {pattern!r} names is one for {what}", hint=f"they are for: {runs}")
    if not found:
        others = ", ".join(sorted({defect.service for _, defect in mine}))
        raise UserError(f"no defect that {pattern!r} names is of {service}", hint=f"they are of: {others}")
    for file, defect in mine:
        if defect.service != service:
            note(f"left out: {file} is of {defect.service}, not of {service}")
    for words in _for_other_runs([defect for _, defect in read if defect.event != event]):
        note(words)
    return found


def _known(file: Path, defect: Defect) -> KnownDefect:
    return KnownDefect(
        id=defect.id,
        title=defect.title,
        evidence=defect.evidence,
        expects=defect.expect.claim,
        file=str(file),
        digest=file_digest(file),
        steps=len(defect.plant),
        longer_s=sum(step.nodes.boot_s for step in defect.plant if step.nodes is not None),
    )


def _for_other_runs(defects: Sequence[Defect]) -> Iterator[str]:
    """One line for each other run, since they may be many."""
    for run in dict.fromkeys(defect.run for defect in defects):
        names = ", ".join(defect.id for defect in defects if defect.run == run)
        yield f"left out, since `{run}` must catch them: {names}"


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
