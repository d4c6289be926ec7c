"""Capacity: the old side can take everything back, and the new one carries its share of the peak with a node gone.

Shown by load, since a number of machines is no proof. Drills raise one side to what it must carry at the declared peak
(facts["peak"]), and only by what is missing. FAIL when requests of that side fail more often than its unacceptable rate
and than the other side's do at the same time, or when its seconds prove that more of them are slow than the margin
allows. Where the extra load was not delivered, or was ended early, nothing is proven.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from shiftproof.judge.case import Case
from shiftproof.judge.claims.common import budget_window, effect_problem
from shiftproof.judge.claims.soundness import LATE_NS
from shiftproof.judge.pairing import Floats
from shiftproof.judge.registry import claim
from shiftproof.judge.sequential import MIN_ERRORS, binomial_at_least, excess_p, mean_above
from shiftproof.judge.words import below, count, length, percent
from shiftproof.model.event import EXTRA, Events, Failure, Side
from shiftproof.model.history import Happening, Phase, PhaseKind
from shiftproof.model.verdict import Finding, Verdict

_NAME = "capacity"
_S = 1_000_000_000
#: Queues fill in the first second of more load: latency counts after it, failures from the start.
_BUILD_UP_NS = _S
#: Less than this share of what was to be shown is not shown.
_DELIVERED = 0.95
#: A look shorter than this sees no queue grow.
_LEAST_NS = 2 * _S
_DOUBT = 0.05
_OTHER_P = 0.01
_HINTS = {
    Side.LEGACY: "bring the legacy side back to the size that carries the peak before traffic leaves it",
    Side.CLUSTER: "run enough pods that those left carry the step's share of the peak when a node is gone",
}


@dataclass(frozen=True, slots=True)
class _Peak:
    """What one phase was to show: facts["peak"] as the drill left it, and when it counts."""

    side: Side
    required_per_s: float
    extra_per_s: float
    customers_per_s: float
    from_ns: int
    to_ns: int
    stopped: str | None


@dataclass(frozen=True, slots=True)
class _Load:
    """What one side got meanwhile, and what came of it. slow: share a second that failed or was over the threshold."""

    n: int
    failed: int
    late: int
    slow: Floats


@claim(_NAME)
def judge(case: Case) -> Iterable[Finding]:
    """One finding for each phase in which a side had to carry a part of the peak, and one for a side that never had."""
    shown = set()
    for _, phase in case.phases():
        peak = phase.facts.get("peak")
        if isinstance(peak, Mapping) and _counts(phase):
            shown.add((peak.get("side"), phase.kind is PhaseKind.CRASH))
            yield _one(case, phase, peak)
    if not shown:
        reason = "no load was raised to a declared peak (load.peak_per_s), so nobody knows what the old side can take."
        yield Finding(_NAME, "run", Verdict.INCONCLUSIVE, reason)
        return
    if ("legacy", False) not in shown:
        reason = "no load was raised on the legacy side, so nobody knows whether it can take everything back."
        yield Finding(_NAME, "run", Verdict.INCONCLUSIVE, reason)
    if ("cluster", True) not in shown:
        reason = "no node was taken away under the step's share of the peak, so nobody knows what is left then."
        hint = "name an experiment that takes a node in the service's experiments, e.g. node-loss"
        yield Finding(_NAME, "run", Verdict.INCONCLUSIVE, reason, {"hint": hint})


def _counts(phase: Phase) -> bool:
    """Of crashes only those of nodes leave the side smaller for long enough to see what is left of it."""
    victims = phase.facts.get("victims") or ()
    return phase.kind is not PhaseKind.CRASH or any(str(victim).startswith("node/") for victim in victims)


def _one(case: Case, phase: Phase, facts: Mapping[str, Any]) -> Finding:
    problem = effect_problem(phase)
    if problem is not None:
        return Finding(_NAME, phase.name, Verdict.INCONCLUSIVE, f"{problem}.")
    try:
        peak = _window(case, phase, _peak(facts))
    except (KeyError, TypeError, ValueError):
        return Finding(_NAME, phase.name, Verdict.INCONCLUSIVE, "it left no record of what it was to show.")
    span_s = (peak.to_ns - peak.from_ns) / _S
    if span_s * _S < _LEAST_NS and peak.stopped is None:
        left = length(max(0.0, span_s * 1e3))
        reason = f"only {left} were left to see what the {peak.side.name.lower()} side can carry."
        return Finding(_NAME, phase.name, Verdict.INCONCLUSIVE, reason)
    events = case.history.events
    inside = events[(events["intended_ns"] >= peak.from_ns) & (events["intended_ns"] < peak.to_ns)]
    other_side = Side.CLUSTER if peak.side is Side.LEGACY else Side.LEGACY
    build_up_ns = _BUILD_UP_NS if phase.kind is not PhaseKind.CRASH else 0
    mine, other = (_load_of(case, inside, side, peak, build_up_ns) for side in (peak.side, other_side))
    return _judged(case, phase.name, peak, mine, other)


def _peak(facts: Mapping[str, Any]) -> _Peak:
    stopped = facts["stopped"]
    return _Peak(
        side=Side[str(facts["side"]).upper()],
        required_per_s=float(facts["required_per_s"]),
        extra_per_s=float(facts["extra_per_s"]),
        customers_per_s=float(facts["customers_per_s"]),
        from_ns=int(facts["from_ns"]),
        to_ns=int(facts["to_ns"]),
        stopped=None if stopped is None else str(stopped),
    )


def _window(case: Case, phase: Phase, peak: _Peak) -> _Peak:
    """In a crash: from when it must have recovered until what it broke came back."""
    window = budget_window(case, phase)
    if phase.kind is not PhaseKind.CRASH or window is None:
        return peak
    back = [h.t_ns for h in case.history.timeline if _is_back(h) and phase.start_ns <= h.t_ns < phase.end_ns]
    from_ns, to_ns = max(peak.from_ns, window[1]), min([peak.to_ns, phase.end_ns, *back])
    return _Peak(peak.side, peak.required_per_s, peak.extra_per_s, peak.customers_per_s, from_ns, to_ns, peak.stopped)


def _is_back(happening: Happening) -> bool:
    return happening.kind == "fault.end" and happening.subject.startswith("node/")


def _load_of(case: Case, inside: Events, side: Side, peak: _Peak, build_up_ns: int) -> _Load:
    mine = inside[(inside["side"] == side) | (inside["side"] == EXTRA[side])]
    failed = mine["failure"] != Failure.NONE
    late = mine["sent_ns"] - mine["intended_ns"] > LATE_NS
    slow = failed | ((mine["ended_ns"] - mine["intended_ns"]) / 1e6 > case.objectives.latency.threshold_ms)
    seconds = (mine["intended_ns"] - peak.from_ns - build_up_ns) // _S
    wanted = (seconds >= 0) & (seconds < (peak.to_ns - peak.from_ns - build_up_ns) // _S)
    total = np.bincount(seconds[wanted])
    shares = np.bincount(seconds[wanted], weights=slow[wanted]) / np.maximum(total, 1)
    return _Load(len(mine), int(failed.sum()), int(late.sum()), shares)


def _judged(case: Case, name: str, peak: _Peak, mine: _Load, other: _Load) -> Finding:
    span_s = max((peak.to_ns - peak.from_ns) / _S, 1e-9)
    achieved_per_s = (mine.n - mine.late) / span_s + peak.customers_per_s
    slow = float(mine.slow.mean()) if len(mine.slow) else 0.0
    side = peak.side.name.lower()
    data = {
        "side": side,
        "required_per_s": peak.required_per_s,
        "achieved_per_s": round(achieved_per_s, 1),
        "extra_per_s": peak.extra_per_s,
        "seconds": round(span_s, 2),
        "requests": mine.n,
        "failed": mine.failed,
        "slow_share": slow,
        "other_failed": other.failed,
        "stopped": peak.stopped,
    }
    said = (
        f"the {side} side got {achieved_per_s:,.0f}/s for {span_s:.1f} s ({peak.required_per_s:,.0f}/s it must carry):"
        f" {mine.failed:,} of {count(mine.n, 'request')} failed, {percent(slow)} took over"
        f" {case.objectives.latency.threshold_ms:g} ms or failed"
    )
    if _fails(case, mine, other) or _is_slow(case, mine, other):
        return Finding(
            _NAME, name, Verdict.FAIL, f"{said}: more than it can carry.", {**data, "hint": _HINTS[peak.side]}
        )
    doubt = _doubt(case, peak, mine, slow, achieved_per_s)
    if doubt is not None:
        return Finding(_NAME, name, Verdict.INCONCLUSIVE, f"{said}; {doubt}.", data)
    reason = (
        f"{said}; failures below {below(mine.n, mine.failed, case.confidence)} at {case.confidence:.0%} confidence."
    )
    return Finding(_NAME, name, Verdict.PASS, reason, data)


def _fails(case: Case, mine: _Load, other: _Load) -> bool:
    """More failures than the side may have, and than the other side has in the same seconds on the same machine."""
    rate = case.objectives.availability.unacceptable
    return (
        mine.failed >= MIN_ERRORS
        and binomial_at_least(mine.failed, mine.n, rate) <= case.alpha_share
        and (other.failed == 0 or excess_p(mine.failed, mine.n, other.failed, other.n, rate) <= _OTHER_P)
    )


def _is_slow(case: Case, mine: _Load, other: _Load) -> bool:
    """A value a second in [0, 1], what the side is slower than the other, against the margin (stretched to [-1, 1])."""
    size = min(len(mine.slow), len(other.slow))
    more = np.maximum(0.0, mine.slow[:size] - other.slow[:size])
    return mean_above(2 * more - 1, 2 * case.objectives.latency.margin - 1, case.alpha_share).reached


def _doubt(case: Case, peak: _Peak, mine: _Load, slow: float, achieved_per_s: float) -> str | None:
    """Why this is no PASS, though it is no FAIL."""
    if peak.stopped is not None:
        return f"the load was lowered at once, as {peak.stopped}"
    if achieved_per_s < _DELIVERED * peak.required_per_s:
        return "the load generator did not deliver what was to be shown"
    acceptable = case.objectives.availability.acceptable
    if mine.failed and binomial_at_least(mine.failed, mine.n, acceptable) < _DOUBT:
        return f"more failures than {percent(acceptable)} would give, too few to be sure"
    if slow > case.objectives.latency.margin:
        return "slower than it may be, but too few seconds to be sure"
    return None
