"""The scaling claims: which of them are judged of a rehearsal, and which of their verdicts stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import shiftproof.judge.elasticity.claims  # noqa: F401 (importing them registers them)
from shiftproof.gate.sufficiency import insufficient
from shiftproof.judge.elasticity import EventCase
from shiftproof.judge.elasticity.claims.experiment import NOT_BORNE
from shiftproof.judge.elasticity.claims.spot import REPLACED
from shiftproof.judge.elasticity.registry import judge_event
from shiftproof.model.verdict import Finding, Verdict
from shiftproof.rehearse.preflight import CLAIM as PREFLIGHT

DELIVERED = "load-delivered"
OF_FIXED_CAPACITY = (DELIVERED, "shortfall", "cost")
"""Claims that say something of a service that may not scale: figures to compare with."""

OF_PLANNED_DEMAND = (
    "time-to-capacity",
    "shortfall",
    "stability",
    "cost",
    "pre-provisioning",
    "return-to-base",
    "headroom",
    "experiment",
)
"""Claims that measure supply against the demand as it was planned. Where pods ran, and what became of jobs, is not."""


def judge_scaling(case: EventCase) -> Sequence[Finding]:
    """Every claim; of fixed capacity (`facts["fixed_pods"]`) those only that do not ask how it scaled."""
    if case.facts.get("fixed_pods") is None:
        return believed(judge_event(case))
    return believed(judge_event(case, [*OF_FIXED_CAPACITY, *(["experiment"] if case.strikes else [])]))


def believed(findings: Sequence[Finding]) -> list[Finding]:
    """The findings, less each FAIL that stands on a load which was not there: a service need not follow a plan.

    What it did not bear stands on no load: never whole again is never whole again.
    """
    doubts = [found for found in findings if found.claim == DELIVERED and found.verdict is not Verdict.PASS]
    if not doubts and any(found.claim == DELIVERED for found in findings):
        return list(findings)
    said = doubts[0].reason if doubts else "nobody judged whether it was."
    why = f"The load was not as planned, so this is laid to nobody: {said}"
    return [as_figure(found, why) if _is_of_plan(found) else found for found in findings]


def _is_of_plan(finding: Finding) -> bool:
    return finding.claim in OF_PLANNED_DEMAND and NOT_BORNE not in finding.data


def less_ours(findings: Sequence[Finding], problem: str) -> list[Finding]:
    """The findings of a rehearsal in which our own set-up was in trouble; `problem` is among them where it matters.

    What was borne all the same stands, and nobody is told to doubt it. What could not be judged may be its doing.
    """
    excused = not_of_the_service(findings, problem)
    if excused == list(findings) and all(found.verdict is not Verdict.INCONCLUSIVE for found in findings):
        return excused
    return [*excused, insufficient(problem)]


def not_of_the_service(findings: Sequence[Finding], problem: str) -> list[Finding]:
    """The findings, less each FAIL that capacity which the lab itself kept away may have made. problem: how it did.

    Even what was never whole again may have waited for a machine. Where pods ran, and lost jobs, stay the service's.
    """
    why = f"The lab itself may have kept capacity away, so this is laid to nobody: {problem}."
    return [as_figure(found, why) if _is_of_capacity(found) else found for found in findings]


def _is_of_capacity(finding: Finding) -> bool:
    return finding.claim in OF_PLANNED_DEMAND or REPLACED in finding.data or is_of_base(finding)


def is_of_base(finding: Finding) -> bool:
    """Of preflight's findings the one on pods that were not there before the event."""
    return finding.claim == PREFLIGHT and finding.phase == "base"


def as_figure(finding: Finding, why: str = "") -> Finding:
    """A FAIL as a figure that proves nothing, with `data["judged"]` for what it would have been; others as they are.

    why: a sentence that its reason ends with.
    """
    if finding.verdict is not Verdict.FAIL:
        return finding
    reason = f"{finding.reason} {why}".strip()
    data = {**finding.data, "judged": Verdict.FAIL.value}
    return replace(finding, verdict=Verdict.INCONCLUSIVE, reason=reason, data=data)
