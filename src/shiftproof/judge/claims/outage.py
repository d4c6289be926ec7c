"""Outage: none beyond the objective in graceful phases; in a crash, within its budget, by time and by requests.

A length is only ever compared with its error bound: FAIL when the least that it can have been is too long,
INCONCLUSIVE when the limit lies within the bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from shiftproof.judge.case import Case
from shiftproof.judge.claims.common import (
    GRACEFUL,
    Repeat,
    beside_noise,
    between_phases,
    budget_window,
    by_change,
    culprits_of,
    effect_problem,
    in_window,
    outages_in,
    recurs,
    repeat_of,
    told,
    unless_noise,
)
from shiftproof.judge.counting import LOSING_REPEATS
from shiftproof.judge.outages import OutageSpan
from shiftproof.judge.pairing import Ints
from shiftproof.judge.registry import claim
from shiftproof.judge.sequential import MIN_ERRORS
from shiftproof.judge.words import count, length, percent
from shiftproof.model.history import Budget, Phase, PhaseKind
from shiftproof.model.verdict import Finding, Verdict

_NAME = "outage"


@claim(_NAME)
def judge(case: Case) -> Iterable[Finding]:
    """One finding for each graceful action and each crash; others only where there is an outage."""
    for name, phases in case.groups(*GRACEFUL).items():
        yield _graceful(case, name, [repeat_of(case, index, phase) for index, phase in phases])
    for index, phase in case.phases(PhaseKind.CRASH):
        yield from _crash(case, index, phase)
    for index, phase in case.phases(PhaseKind.STEADY, PhaseKind.LOAD):
        repeat = repeat_of(case, index, phase)
        changed = phase.kind is PhaseKind.LOAD and by_change(
            case, repeat.attributed, repeat.pairs, repeat.control_failed
        )
        yield from _uncalled(case, phase.name, repeat.rows, sure=changed or repeat.crossing.reached)
    between = between_phases(case)
    yield from _uncalled(case, "between phases", between[case.pairs.attributed[between]], sure=False)


def described(span: OutageSpan) -> str:
    """As in "1.9 s ± 7 ms (112 requests, 44% of those sent)"."""
    share = f", {percent(span.failed_share)} of those sent" if span.failed_share < 1 else ""
    return f"{length(span.duration_ms)} ± {length(span.error_ms)} ({count(span.requests, 'request')}{share})"


def _graceful(case: Case, name: str, repeats: list[Repeat]) -> Finding:
    limit_ms = case.objectives.outage_ms
    spans = [span for repeat in repeats for span in outages_in(case, repeat.rows)]
    data = _figures(spans) | {"limit_ms": limit_ms, "repeats": len(repeats)}
    too_long = [span for span in spans if span.least_ms > limit_ms]
    if too_long:
        worst = max(too_long, key=lambda span: span.least_ms)
        culprits = culprits_of(case, [row for span in too_long for row in span.rows])
        recurring = len({span.phase for span in too_long}) >= LOSING_REPEATS and recurs(case, repeats)
        decisive = any(repeat.crossing.reached for repeat in repeats)
        said = f"{count(len(too_long), 'outage')} in {count(len(repeats), 'repeat')}, the longest {described(worst)}"
        data |= told(culprits)
        on_leaving = any(culprit.leaving for culprit in culprits) and not beside_noise(case, repeats)
        if recurring or decisive or on_leaving:
            return Finding(_NAME, name, Verdict.FAIL, f"{said}; a graceful action may cause none.", data)
        return Finding(
            _NAME, name, Verdict.INCONCLUSIVE, f"{said}, on nothing that was leaving: it may be chance.", data
        )
    if spans and max(span.most_ms for span in spans) > limit_ms:
        worst = max(spans, key=lambda span: span.most_ms)
        reason = f"an outage of {described(worst)}: too short to say whether it exceeds {length(limit_ms)}."
        return Finding(_NAME, name, Verdict.INCONCLUSIVE, reason, data | told(culprits_of(case, worst.rows)))
    if not any(repeat.pairs for repeat in repeats):
        return Finding(_NAME, name, Verdict.INCONCLUSIVE, "no complete pair, so no outage could be seen.", data)
    problems = [why for repeat in repeats if (why := effect_problem(repeat.phase))]
    if problems:
        return Finding(_NAME, name, Verdict.INCONCLUSIVE, f"{problems[0]}.", data)
    tries = count(len(repeats), "repeat")
    reason = f"no outage in {tries}; one longer than {length(_spacing_ms(case, repeats))} would have been seen."
    return Finding(_NAME, name, Verdict.PASS, reason, data)


def _crash(case: Case, index: int, phase: Phase) -> Iterator[Finding]:
    window, budget = budget_window(case, phase), phase.budget
    if budget is None or window is None:
        yield Finding(_NAME, phase.name, Verdict.INCONCLUSIVE, "the experiment's file has no budget to hold it to.")
        return
    repeat = repeat_of(case, index, phase)
    rows = case.pairs.rows(index)
    covered = in_window(case, rows, window)
    # What failed before the fault is not its own. An outage that begins within the window is, all of it.
    spans = outages_in(case, repeat.rows[case.pairs.treatment_ended_ns[repeat.rows] >= window[0]])
    own = [span for span in spans if covered[np.array(span.rows) - rows.start].any()]
    lost = np.array([row for span in own for row in span.rows], dtype=np.int64)
    finding = _within_budget(phase, budget, own, len(lost))
    problem = effect_problem(phase)
    if finding.verdict is Verdict.FAIL:
        finding = unless_noise(case, repeat, finding)
    elif problem is not None:
        finding = Finding(_NAME, phase.name, Verdict.INCONCLUSIVE, f"{problem}.", finding.data)
    elif not case.pairs.complete[rows][covered].any() and finding.verdict is Verdict.PASS:
        reason = "no complete pair while the fault lasted, so no outage could be seen."
        finding = Finding(_NAME, phase.name, Verdict.INCONCLUSIVE, reason, finding.data)
    if len(lost):
        finding = Finding(
            _NAME, phase.name, finding.verdict, finding.reason, {**told(culprits_of(case, lost)), **finding.data}
        )
    yield finding
    yield from _uncalled(case, phase.name, np.setdiff1d(repeat.rows, lost), sure=False)


def _within_budget(phase: Phase, budget: Budget, spans: Sequence[OutageSpan], lost: int) -> Finding:
    data = _figures(spans) | {
        "lost_requests": lost,
        "budget_outage_ms": budget.outage_ms,
        "budget_lost_requests": budget.lost_requests,
    }
    allowed = f"(budget {length(budget.outage_ms)}, {count(budget.lost_requests, 'request')})"
    if not spans:
        return Finding(_NAME, phase.name, Verdict.PASS, f"no request was lost {allowed}.", data)
    longest = max(spans, key=lambda span: span.most_ms)
    said = f"outage {described(longest)}, {count(lost, 'request')} lost in all {allowed}"
    if max(span.least_ms for span in spans) > budget.outage_ms and lost >= MIN_ERRORS:
        return Finding(_NAME, phase.name, Verdict.FAIL, f"{said}: longer than it may be.", data)
    if lost > budget.lost_requests and lost >= MIN_ERRORS:
        return Finding(_NAME, phase.name, Verdict.FAIL, f"{said}: more than may be lost.", data)
    if longest.most_ms > budget.outage_ms or lost > budget.lost_requests:
        return Finding(_NAME, phase.name, Verdict.INCONCLUSIVE, f"{said}: too close to the budget to tell.", data)
    return Finding(_NAME, phase.name, Verdict.PASS, f"{said}.", data)


def _uncalled(case: Case, name: str, lost: Ints, *, sure: bool) -> Iterator[Finding]:
    """Outages where nothing of ours explains them. A lone failure is left to the availability claim.

    lost: rows of failures. sure: that these are more than chance is proven; else the availability claim says so.
    """
    spans = outages_in(case, lost)
    long = [s for s in spans if s.requests >= MIN_ERRORS and s.least_ms > case.objectives.outage_ms]
    if not long:
        return
    worst = max(long, key=lambda span: span.least_ms)
    verdict = Verdict.FAIL if sure else Verdict.INCONCLUSIVE
    reason = f"an outage of {described(worst)} that no action of ours explains."
    yield Finding(_NAME, name, verdict, reason, _figures(long) | told(culprits_of(case, worst.rows)))


def _figures(spans: Sequence[OutageSpan]) -> dict[str, object]:
    if not spans:
        return {"outages": 0}
    worst = max(spans, key=lambda span: span.most_ms)
    return {
        "outages": len(spans),
        "longest_ms": worst.duration_ms,
        "error_ms": worst.error_ms,
        "requests": sum(span.requests for span in spans),
    }


def _spacing_ms(case: Case, repeats: list[Repeat]) -> float:
    """The widest distance of two requests of the treatment: an outage longer than it cannot have been missed."""
    gaps = [np.diff(np.sort(case.pairs.treatment_sent_ns[case.pairs.rows(repeat.index)])) for repeat in repeats]
    return max((float(gap.max()) for gap in gaps if len(gap)), default=0.0) / 1e6
