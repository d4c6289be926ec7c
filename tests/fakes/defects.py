"""Which defects the tests plant today: two of all that gates must catch, by the date, so that each has its turn."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import yaml

DAY = "SHIFTPROOF_DEFECT_DAY"
"""In the environment: another day than today, to try again what was tried then."""

DEFECTS = Path(__file__).parents[2] / "experiments" / "defects"
A_DAY = 2


def day(env: Mapping[str, str] = os.environ) -> str:
    """As in 2026-11-23, by UTC."""
    return env.get(DAY) or datetime.now(UTC).date().isoformat()


def for_gates(folder: Path = DEFECTS) -> list[Path]:
    """Those that a gate must catch; the others are for load events."""
    return [file for file in sorted(folder.glob("*.yaml")) if _run_of(file) == "gate"]


def for_event(event: str, folder: Path = DEFECTS) -> list[Path]:
    """Those that a rehearsal of this event must catch."""
    return [file for file in sorted(folder.glob("*.yaml")) if _run_of(file) == f"rehearse {event}"]


def defects_of(day: str, folder: Path = DEFECTS) -> tuple[Path, ...]:
    """The same day and the same files give the same choice."""
    files = for_gates(folder)
    return tuple(Random(day).sample(files, min(A_DAY, len(files))))


def said() -> str:
    """For the head of a test run: what is planted, and how to have it again."""
    chosen = day()
    return f"defects of {chosen}: {', '.join(path.stem for path in defects_of(chosen))} (again: {DAY}={chosen})"


def _run_of(file: Path) -> str:
    """As the file says it, which need not be a sound one."""
    found = yaml.safe_load(file.read_text(encoding="utf-8"))
    return str(found.get("run", "gate")) if isinstance(found, dict) else "gate"
