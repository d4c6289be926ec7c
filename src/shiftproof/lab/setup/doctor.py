"""Name each thing that is missing, and the command that mends it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from shiftproof.errors import ShiftproofError
from shiftproof.lab.setup.steps import Step, all_steps


@dataclass(frozen=True, slots=True)
class Finding:
    """One step as the doctor found it: `problem` is None when all of it is there, and then `mend` is too."""

    name: str
    problem: str | None
    mend: str | None


def examine(steps: Sequence[Step] | None = None) -> list[Finding]:
    """Look at every step, changing nothing. A step that cannot even be looked at is a finding, not an error."""
    return [_look(step) for step in (all_steps() if steps is None else steps)]


def is_healthy(findings: Sequence[Finding]) -> bool:
    return all(finding.problem is None for finding in findings)


def as_json(findings: Sequence[Finding]) -> str:
    """`{"ready": bool, "steps": [{"name", "problem", "mend"}]}`."""
    return json.dumps({"ready": is_healthy(findings), "steps": [asdict(finding) for finding in findings]}, indent=2)


def _look(step: Step) -> Finding:
    try:
        problem, mend = step.problem(), step.mend
    except ShiftproofError as error:
        problem, mend = str(error), error.hint or step.mend
    return Finding(step.name, problem, mend if problem is not None else None)
