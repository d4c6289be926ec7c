"""Rollback: within its objective, each of the three times, and traffic is seen to be back, not only the weights.

Traffic is what the weights alone direct; requests that carried cookies are the claim `stickiness`'s.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from shiftproof.judge.case import Case
from shiftproof.judge.claims.traffic import fits, followed
from shiftproof.judge.registry import claim
from shiftproof.judge.words import count
from shiftproof.model.history import Phase, PhaseKind
from shiftproof.model.verdict import Finding, Verdict

_NAME = "rollback"
#: Traffic that still arrives in the last stretch of a phase never came back.
_TAIL_NS = 500_000_000


@dataclass(frozen=True, slots=True)
class _Try:
    """One rollback: seconds until the weights were read back and traffic was back; or the verdict that ends it."""

    seconds: float = 0.0
    verdict: Verdict = Verdict.PASS
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Asked:
    """The facts of one rollback drill."""

    seconds: float
    from_pct: float
    to_pct: float


@claim(_NAME)
def judge(case: Case) -> Iterable[Finding]:
    """One finding for each rollback drill."""
    groups = case.groups(PhaseKind.ROLLBACK)
    if not groups:
        yield Finding(_NAME, "run", Verdict.INCONCLUSIVE, "no rollback was tried.")
    for name, phases in groups.items():
        yield _one(case, name, [_tried(case, index, phase) for index, phase in phases])


def _one(case: Case, name: str, tries: list[_Try]) -> Finding:
    limit_s = case.objectives.rollback_within_s
    data = {"seconds": [one.seconds for one in tries], "limit_s": limit_s}
    for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        worst = [(number, one) for number, one in enumerate(tries, 1) if one.verdict is verdict]
        if worst:
            number, one = worst[0]
            reason = f"{len(worst)} of {count(len(tries), 'rollback')}: {one.reason} (repeat {number})."
            return Finding(_NAME, name, verdict, reason, data)
    if len(tries) < case.repeats:
        reason = f"{count(len(tries), 'rollback')}, {case.repeats} are needed."
        return Finding(_NAME, name, Verdict.INCONCLUSIVE, reason, data)
    slowest = max(one.seconds for one in tries)
    reason = f"back in {slowest:.1f} s at most, {len(tries)} of {len(tries)} (may take {limit_s:g} s)."
    return Finding(_NAME, name, Verdict.PASS, reason, data)


def _tried(case: Case, index: int, phase: Phase) -> _Try:
    """What the drill measured, before the traffic itself is asked."""
    if phase.problem is not None:
        return _Try(verdict=Verdict.INCONCLUSIVE, reason=phase.problem)
    limit_s = case.objectives.rollback_within_s
    if "seconds" in phase.facts and phase.facts["seconds"] is None:
        reason = f"the weights were written and read back, but traffic did not follow within {limit_s:g} s"
        return _Try(verdict=Verdict.FAIL, reason=reason)
    facts = [phase.facts.get(name) for name in ("seconds", "from_pct", "to_pct")]
    if not all(isinstance(value, int | float) and math.isfinite(value) for value in facts):
        return _Try(verdict=Verdict.INCONCLUSIVE, reason="it left no record of how long it took")
    seconds, from_pct, to_pct = (float(str(value)) for value in facts)
    one = _followed(case, index, phase, _Asked(seconds, from_pct, to_pct))
    if one.verdict is Verdict.PASS and one.seconds > limit_s:
        return _Try(one.seconds, Verdict.FAIL, f"it took {one.seconds:.1f} s until traffic was back")
    return one


def _followed(case: Case, index: int, phase: Phase, asked: _Asked) -> _Try:
    """What the traffic says."""
    seen = followed(case, index, phase)
    back, n = seen.share(seen.after & seen.free)
    were, before = seen.share(seen.before)
    seconds = asked.seconds
    if not n:
        reason = "no weighted request after it names its server, so nobody saw the traffic come back"
        return _Try(seconds, Verdict.INCONCLUSIVE, reason)
    if asked.from_pct > 0 and not were:
        reason = f"none of {before:,} weighted requests was on the cluster side before it, so it took nothing back"
        return _Try(seconds, Verdict.INCONCLUSIVE, reason)
    if asked.to_pct > 0 and not fits(back, n, asked.to_pct):
        reason = f"{back:,} of {n:,} weighted requests reached the cluster side after it, {asked.to_pct:g}% should"
        return _Try(seconds, Verdict.FAIL, reason)
    if asked.to_pct == 0 and back:
        last = int(seen.sent_ns[seen.on_cluster & seen.after & seen.free].max())
        seconds = max(seconds, (last - phase.action_start_ns) / 1e9)
        if last >= phase.end_ns - _TAIL_NS:
            reason = f"the weights said 0% but the cluster side still got {back:,} of {n:,} weighted requests"
            return _Try(seconds, Verdict.FAIL, reason)
    return _Try(seconds)
