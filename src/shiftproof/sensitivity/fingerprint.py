"""Digests of all that decides what a gate or a rehearsal says: results of different code are never put together."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import distributions
from pathlib import Path

import shiftproof
from shiftproof.errors import RefusedError, SetupError
from shiftproof.gate.config import experiments_dir
from shiftproof.gate.run import SUITES
from shiftproof.sensitivity.plan import KnownDefect

_MADE_BY_PYTHON = frozenset({"__pycache__"})
DEFECTS_FOLDER = "defects"


def fingerprint(infra_dir: Path, defects: Sequence[KnownDefect], profiles_dir: Path | None = None) -> dict[str, str]:
    """sha256 (hex) by part: our code, suites, infra, experiments, the defects that are planted, installed libraries.

    profiles_dir: of load events, where rehearsals are what is run (what else these need is in infra). Defects by those
    that are planted, not by their folder: one more file there changes nothing for the others. Raises SetupError when a
    file cannot be read.
    """
    planted = hashlib.sha256("\n".join(sorted(f"{one.id} {one.digest}" for one in defects)).encode())
    return {
        "src": tree_digest(Path(shiftproof.__file__).parent),
        "suites": tree_digest(Path(SUITES)),
        "infra": tree_digest(infra_dir),
        "experiments": tree_digest(experiments_dir(infra_dir), leave_out=frozenset({DEFECTS_FOLDER})),
        "defects": planted.hexdigest(),
        "libraries": _installed(),
        **({"loadprofiles": tree_digest(profiles_dir)} if profiles_dir is not None else {}),
    }


def _installed() -> str:
    """Of Python's version and those of all that is installed beside us."""
    found = sorted({f"{one.name} {one.version}" for one in distributions()})
    return hashlib.sha256("\n".join([platform.python_version(), *found]).encode()).hexdigest()


def fingerprint_now(
    infra_dir: Path, defects: Sequence[KnownDefect], profiles_dir: Path | None = None
) -> dict[str, str]:
    """As `fingerprint`, with the defects' files read again. Raises SetupError when one cannot be."""
    again = [replace(one, digest=file_digest(Path(one.file))) for one in defects]
    return fingerprint(infra_dir, again, profiles_dir)


def file_digest(file: Path) -> str:
    """sha256 (hex) of its bytes. Raises SetupError when it cannot be read."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise SetupError(f"cannot read {file}: {error.strerror}") from error


def tree_digest(folder: Path, leave_out: frozenset[str] = frozenset()) -> str:
    """sha256 (hex) over the relative path and bytes of every file below `folder`, hidden ones and caches aside."""
    digest = hashlib.sha256()
    try:
        for path in _files(folder, leave_out):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.relative_to(folder).as_posix()} {content}\n".encode())
    except OSError as error:
        raise SetupError(f"cannot read {error.filename or folder}: {error.strerror}") from error
    return digest.hexdigest()


def _files(folder: Path, leave_out: frozenset[str]) -> Iterator[Path]:
    skipped = _MADE_BY_PYTHON | leave_out
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and not any(part in skipped or part.startswith(".") for part in parts):
            yield path


def refuse_mixing(before: Mapping[str, str], now: Mapping[str, str], where: str) -> None:
    """Raises RefusedError that names what changed since the campaign in `where` began."""
    changed = [name for name in now if before.get(name) != now[name]]
    if changed:
        raise RefusedError(
            f"{', '.join(changed)} changed since {where} began: its results and new ones would be of two different "
            "programs",
            hint="change it back and run the same command again, or leave these results and start anew: --fresh",
        )
