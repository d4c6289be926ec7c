"""A defect's file: read, checked as far as a file can be, and every step given its line."""

from __future__ import annotations

from pathlib import Path

from shiftproof.adapters.documents import Problem, read_document
from shiftproof.gate.planting.verbs import VERBS
from shiftproof.model.defect import Defect


def read_defect(path: Path) -> Defect:
    """Raises ConfigError with file and line, for the first thing that is wrong."""
    document = read_document(path, Defect)
    problems = []
    for number, step in enumerate(document.value.plant):
        step.is_at(path, document.line(("plant", number, step.verb)))
        said = VERBS[step.verb].wrong(step)
        if said is not None:
            problems.append(Problem(("plant", number, step.verb), said))
    document.refuse(problems)
    return document.value
