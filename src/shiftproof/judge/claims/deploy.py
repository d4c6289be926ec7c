"""Deploy: every rolling update ends by its deadline. Where one does not, the pods' own reason is the reason."""

from __future__ import annotations

import math
from collections.abc import Iterable

from shiftproof.judge.case import Case
from shiftproof.judge.registry import claim
from shiftproof.judge.startup import why_not_started
from shiftproof.judge.words import count
from shiftproof.model.history import Phase, PhaseKind
from shiftproof.model.verdict import Finding, Verdict

_NAME = "deploy"


@claim(_NAME)
def judge(case: Case) -> Iterable[Finding]:
    """One finding for each action whose facts speak of a rollout."""
    groups = {
        name: [phase for _, phase in phases]
        for name, phases in case.groups(PhaseKind.GRACEFUL).items()
        if name == _NAME or any({"rollout_s", "complete"} & set(phase.facts) for _, phase in phases)
    }
    if not groups:
        yield Finding(_NAME, "run", Verdict.INCONCLUSIVE, "no rolling deploy was tried.")
    for name, phases in groups.items():
        yield _one(case, name, phases)


def _one(case: Case, name: str, phases: list[Phase]) -> Finding:
    limit_s = case.objectives.deploy_within_s
    data: dict[str, object] = {"rollout_s": [p.facts.get("rollout_s") for p in phases], "deadline_s": limit_s}
    stuck = next((p for p in phases if p.facts.get("complete") is False), None)
    if stuck is not None:
        return _stuck(case, name, stuck, data)
    slow = [p for p in phases if _seconds(p) is not None and (_seconds(p) or 0.0) > limit_s]
    if slow:
        took = ", ".join(f"{_seconds(p):.1f} s" for p in slow)
        reason = f"{len(slow)} of {count(len(phases), 'rollout')} took too long ({took}; may take {limit_s:g} s)."
        return Finding(_NAME, name, Verdict.FAIL, reason, data)
    if any(_seconds(p) is None or p.facts.get("complete") is not True for p in phases):
        why = next((p.problem for p in phases if p.problem), "a rollout left no record of how it ended")
        return Finding(_NAME, name, Verdict.INCONCLUSIVE, f"{why}.", data)
    problem = next((p.problem for p in phases if p.problem), None)
    if problem is not None:
        return Finding(_NAME, name, Verdict.INCONCLUSIVE, f"{problem}.", data)
    if len(phases) < case.repeats:
        reason = f"{count(len(phases), 'rollout')}, {case.repeats} are needed."
        return Finding(_NAME, name, Verdict.INCONCLUSIVE, reason, data)
    took = ", ".join(f"{_seconds(p):.1f}" for p in phases)
    reason = f"{count(len(phases), 'rollout')}, {took} s each (may take {limit_s:g} s)."
    return Finding(_NAME, name, Verdict.PASS, reason, data)


def _stuck(case: Case, name: str, phase: Phase, data: dict[str, object]) -> Finding:
    problem = str(phase.facts.get("problem") or "").strip().rstrip(".")
    why = why_not_started(case.history, phase.action_start_ns, phase.end_ns)
    if why is not None:
        data["culprit"] = why[0]
        if why[1]:
            data["hint"] = why[1]
    seconds = _seconds(phase)
    given = f"{seconds:.0f} s" if seconds is not None else f"{case.objectives.deploy_within_s:g} s"
    because = problem or (why[0].partition("  ")[2] if why else "nothing says why")
    reason = f"the rollout (repeat {phase.repeat}) was not complete after {given}: {because}."
    return Finding(_NAME, name, Verdict.FAIL, reason, data)


def _seconds(phase: Phase) -> float | None:
    value = phase.facts.get("rollout_s")
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return None
    return float(value)
