"""Latency: the new side misses the threshold more often than the old by the margin at most.

Slow requests come in bursts, so they are no independent samples. The evidence is one bounded value a second: the share
of the treatment over the threshold minus the share of its control, in [-1, 1], in a betting e-process. FAIL when an
action's seconds (or all of them) prove a mean above the margin; PASS when all seconds together prove a mean below it.
A request that failed counts as over the threshold: a quick refusal must not look fast. Below the threshold the old side
sets a limit of its own (judge.tail): FAIL when in most of an action's seconds the new side's tail is beyond it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from shiftproof.judge.case import Case
from shiftproof.judge.claims.common import budget_window, in_window
from shiftproof.judge.pairing import Bools, Floats, SideColumns
from shiftproof.judge.registry import claim
from shiftproof.judge.sequential import mean_above, mean_below, seconds_to_show_below
from shiftproof.judge.slow import why_slow
from shiftproof.judge.tail import mostly_above, tail_limit_ms, tail_reason
from shiftproof.judge.words import percent
from shiftproof.model.history import PhaseKind
from shiftproof.model.verdict import Finding, Verdict

_NAME = "latency"
_S = 1_000_000_000
#: A second with fewer pairs than this is no share worth the name.
_MIN_PAIRS_A_SECOND = 10


@dataclass(frozen=True, slots=True)
class Seconds:
    """One value a second: shares over the threshold of the treatment and of its control, and where they differ."""

    treatment: Floats
    control: Floats

    @property
    def difference(self) -> Floats:
        return self.treatment - self.control

    def __len__(self) -> int:
        return len(self.treatment)


@claim(_NAME)
def judge(case: Case) -> Iterable[Finding]:
    """One finding for each action, one for the run."""
    groups: dict[str, list[Seconds]] = {}
    tails: dict[str, list[Seconds]] = {}
    limit_ms = tail_limit_ms(_at_rest(case), case.objectives.latency)
    for index, phase in case.phases():
        rows = case.pairs.rows(index)
        outside = ~in_window(case, rows, budget_window(case, phase))
        groups.setdefault(phase.name, []).append(seconds_of(case, rows, outside))
        if limit_ms is not None and phase.kind is not PhaseKind.CRASH:
            tails.setdefault(phase.name, []).append(seconds_of(case, rows, outside, limit_ms))
    for name, parts in groups.items():
        yield from _one(case, name, _joined(parts))
        yield from _tail(case, name, _joined(tails.get(name, [])), limit_ms or 0.0)
    yield _all(case, _joined([part for parts in groups.values() for part in parts]))


def _at_rest(case: Case) -> Floats:
    """Latencies of the control in ms where nothing was done; what failed says nothing of the time that it takes."""
    rows = [case.pairs.rows(index) for index, _ in case.phases(PhaseKind.STEADY)]
    legacy = case.pairs.legacy
    parts = [legacy.latency_ms[one][legacy.ok[one]] for one in rows]
    return np.concatenate(parts) if parts else np.empty(0)


def seconds_of(case: Case, rows: slice, wanted: Bools, threshold_ms: float | None = None) -> Seconds:
    """The values of `rows` (those wanted and complete), in order; seconds with too few pairs are left out.

    The control of a triple is the better of its two pinned sides, as for failures. threshold_ms: the objective's by
    default.
    """
    pairs = case.pairs
    at = np.flatnonzero(wanted & pairs.complete[rows]) + rows.start
    if not len(at):
        return Seconds(np.empty(0), np.empty(0))
    second = (pairs.intended_ns[at] - pairs.intended_ns[at[0]]) // _S
    n = np.bincount(second)
    threshold_ms = case.objectives.latency.threshold_ms if threshold_ms is None else threshold_ms

    def share(side: SideColumns) -> Floats:
        late = ~side.ok[at] | (side.latency_ms[at] > threshold_ms)
        shares: Floats = np.bincount(second, weights=late) / np.maximum(n, 1)
        return shares

    triple = bool(pairs.triple[at[0]])
    control = np.minimum(share(pairs.legacy), share(pairs.cluster)) if triple else share(pairs.legacy)
    treatment = share(pairs.weighted if triple else pairs.cluster)
    enough = n >= _MIN_PAIRS_A_SECOND
    return Seconds(treatment[enough], control[enough])


def _joined(parts: list[Seconds]) -> Seconds:
    if not parts:
        return Seconds(np.empty(0), np.empty(0))
    return Seconds(np.concatenate([p.treatment for p in parts]), np.concatenate([p.control for p in parts]))


def _said(case: Case, seconds: Seconds) -> str:
    limit = f"{case.objectives.latency.threshold_ms:g} ms"
    return (
        f"{percent(float(seconds.treatment.mean()))} took over {limit}, {percent(float(seconds.control.mean()))} on the"
        f" control (may be {percent(case.objectives.latency.margin)} more), over {len(seconds)} s"
    )


def _figures(seconds: Seconds) -> dict[str, float | int]:
    if not len(seconds):
        return {"seconds": 0}
    return {
        "seconds": len(seconds),
        "treatment_share": float(seconds.treatment.mean()),
        "control_share": float(seconds.control.mean()),
    }


def _one(case: Case, name: str, seconds: Seconds) -> Iterator[Finding]:
    data = _figures(seconds)
    if not len(seconds):
        yield Finding(_NAME, name, Verdict.INCONCLUSIVE, "no second with enough pairs to judge latency by.", data)
        return
    margin = case.objectives.latency.margin
    above = mean_above(seconds.difference, margin, case.alpha_share)
    if above.reached:
        reason = f"{_said(case, seconds)}: slower than it may be."
        yield Finding(_NAME, name, Verdict.FAIL, reason, data | why_slow(case.history))
    elif float(seconds.difference.mean()) > margin:
        reason = f"{_said(case, seconds)}: slower than it may be, but too few seconds to be sure."
        yield Finding(_NAME, name, Verdict.INCONCLUSIVE, reason, data)
    else:
        yield Finding(_NAME, name, Verdict.PASS, f"{_said(case, seconds)}.", data)


def _tail(case: Case, name: str, seconds: Seconds, limit_ms: float) -> Iterator[Finding]:
    """Only where there is something to say: the threshold's own finding speaks for what is good."""
    margin = case.objectives.latency.margin
    bad, crossing = mostly_above(seconds.difference, margin, case.alpha_share)
    if not crossing.reached:
        return
    data = _figures(seconds) | {"tail_limit_ms": limit_ms, "bad_seconds": bad}
    reason = tail_reason(seconds.treatment, seconds.control, bad, limit_ms, case.objectives.latency)
    yield Finding(_NAME, name, Verdict.FAIL, reason, data | why_slow(case.history))


def _all(case: Case, seconds: Seconds) -> Finding:
    data = _figures(seconds)
    if not len(seconds):
        return Finding(_NAME, "run", Verdict.INCONCLUSIVE, "no latency was measured.", data)
    margin = case.objectives.latency.margin
    if mean_above(seconds.difference, margin, case.alpha_share).reached:
        return Finding(_NAME, "run", Verdict.FAIL, f"{_said(case, seconds)}: slower than it may be.", data)
    if float(seconds.control.mean()) > margin:
        reason = f"{_said(case, seconds)}: the control itself is too slow to measure anything against."
        return Finding(_NAME, "run", Verdict.INCONCLUSIVE, reason, data)
    below = mean_below(seconds.difference, margin, 1 - case.latency_confidence)
    if below.reached:
        sure = f"within the margin at {case.latency_confidence:.0%} confidence"
        return Finding(_NAME, "run", Verdict.PASS, f"{_said(case, seconds)}: {sure}.", data)
    need = seconds_to_show_below(margin, 1 - case.latency_confidence)
    reason = f"{_said(case, seconds)}: too few seconds to be sure; about {need} quiet ones are enough."
    return Finding(_NAME, "run", Verdict.INCONCLUSIVE, reason, data)
