"""Short ways to a verdict, for the tests of the judges."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from shiftproof.judge import Case, judge_all, make_case
from shiftproof.model.platform import Objectives
from shiftproof.model.verdict import Finding, Verdict
from shiftproof.testing import RunBuilder

_DECLARED = ("parity_ignore", "duplicates_not_applicable")  # in platform.yaml: the session adds them to the case


def case_of(run: RunBuilder, **more: Any) -> Case:
    declared = {name: more.pop(name) for name in _DECLARED if name in more}
    return replace(make_case(run.build(), Objectives(), **more), **declared)


def findings_of(run: RunBuilder, claim: str, phase: str | None = None, **more: Any) -> list[Finding]:
    """What one claim says, of one phase or of all."""
    found = judge_all(case_of(run, **more), [claim])
    return [finding for finding in found if phase is None or finding.phase == phase]


def the(run: RunBuilder, claim: str, phase: str, **more: Any) -> Finding:
    """The worst finding of a claim on a phase."""
    return max(findings_of(run, claim, phase, **more), key=lambda finding: finding.verdict.rank)


def not_passed(run: RunBuilder) -> dict[tuple[str, str], Verdict]:
    """(claim, phase) of all that did not pass."""
    return {(f.claim, f.phase): f.verdict for f in judge_all(case_of(run)) if f.verdict is not Verdict.PASS}
