"""Experiments: what a fault costs in the middle of an event, each held to what its own file says.

Graceful work (a drain, a Spot notice, metrics that are away) may make no request fail. A crash may cost what its budget
allows: how many requests, for how long without an answer, and how soon all is well again. An autoscaler that sees
nothing meanwhile holds its size. What is only late counts for a crash's recovery; else it is the shortfall's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from shiftproof.judge.counting import beyond_noise, is_sick
from shiftproof.judge.elasticity.case import EventCase, Strike
from shiftproof.judge.elasticity.claims.common import shortfall_of, sick_control, supply_of
from shiftproof.judge.elasticity.need import pods_needed
from shiftproof.judge.elasticity.registry import event_claim
from shiftproof.judge.elasticity.toll import Lost, Toll, fault_began_ns, fault_ended_ns, toll_of
from shiftproof.judge.sequential import least_rate, ruled_out_rate
from shiftproof.judge.words import count, length, percent
from shiftproof.model.history import Budget, PhaseKind
from shiftproof.model.verdict import Finding, Verdict

_NAME, _PHASE = "experiment", "event"
_BLIND_AFTER = "blind_after_s"
"""Fact of an experiment that takes the autoscaler's metric away: after how long it was seen to be blind."""
NOT_BORNE = "not_borne"
"""Key of a finding that stands on no request: the service was not whole again, or refused to the end."""
MOST_UNSEEN = 0.01
"""Share of failures, beyond those before it, that a PASS of graceful work has to exclude: where none fails 459 requests
at 99%, five seconds of a peak."""
TELLING_S = 30
"""Seconds of blindness under a load that needs more than the least, before holding the size means something."""
_HOLD_HINT = (
    "let it hold its size without a metric: a fallback (KEDA: fallback.behavior, replicas), a window for scale-in"
)


def wanted_for(case: EventCase) -> bool:
    """Where there was one."""
    return bool(case.strikes)


@event_claim(_NAME, wanted_for=wanted_for)
def judge(case: EventCase) -> Iterable[Finding]:
    """One finding for each, and one more for each that made the autoscaler blind."""
    for strike in case.strikes:
        yield _borne(case, strike)
        if _BLIND_AFTER in strike.facts and strike.problem is None:
            yield _held(case, strike)


def not_borne(strikes: Iterable[Strike]) -> list[Finding]:
    """What the service did not bear, which counts whatever load there was beside it."""
    return [
        Finding(_NAME, _PHASE, Verdict.FAIL, f"{one.experiment}: {one.service_problem}.", {NOT_BORNE: True})
        for one in strikes
        if one.service_problem is not None
    ]


def _borne(case: EventCase, strike: Strike) -> Finding:
    toll = toll_of(case, strike)
    data: dict[str, Any] = {
        "experiment": strike.experiment,
        "kind": str(strike.kind),
        "victims": list(strike.victims),
        "requests": toll.during.n,
        "failed": toll.during.failed,
        "control_requests": toll.control.n,
        "control_failed": toll.control.failed,
        "longest_outage_ms": round(toll.most_outage_ms, 1),
        "recovered_s": toll.recovered_s,
    }
    for finding in not_borne((strike,)):
        return replace(finding, data={**data, **finding.data})
    verdict, said = _judged(case, strike, toll)
    return Finding(_NAME, _PHASE, verdict, f"{strike.experiment}: {said}.", data)


def _judged(case: EventCase, strike: Strike, toll: Toll) -> tuple[Verdict, str]:
    if strike.problem is not None:
        return Verdict.INCONCLUSIVE, strike.problem
    unacceptable = case.objectives.availability.unacceptable
    shared = sick_control(case, shortfall_of(case))
    if shared is not None or is_sick(toll.control.failed, toll.control.n, unacceptable):
        return Verdict.INCONCLUSIVE, f"{_lost(toll)}, and of the control {_of(toll.control)}: the cause is shared"
    verdict, said = _crash(toll, strike.budget) if strike.kind is PhaseKind.CRASH else _graceful(case, strike, toll)
    if verdict is Verdict.FAIL and is_sick(toll.before.failed, toll.before.n, unacceptable):
        return Verdict.INCONCLUSIVE, f"{said}; but before it {_of(toll.before)} already: nobody knows what it cost"
    return verdict, said


def _graceful(case: EventCase, strike: Strike, toll: Toll) -> tuple[Verdict, str]:
    """PASS says how much it can have cost all the same, beyond what failed before: a share below MOST_UNSEEN."""
    mine, said = toll.during, f"{_lost(toll)} while it lasted"
    if mine.failed:
        for verdict, why in _losses(case, toll):
            return verdict, f"{said}{why}"
        said = f"{said}, and before it {_of(toll.before)}"
    if strike.ended_ns > case.end_ns:
        return Verdict.INCONCLUSIVE, f"{said}, but the event's load ended before it did"
    most = _most_lost(case, toll)
    if most > MOST_UNSEEN:
        return Verdict.INCONCLUSIVE, f"{said}, which excludes no more than {percent(most)}"
    return Verdict.PASS, f"{said} (at {case.confidence:.0%} confidence it cost fewer than {percent(most)})"


def _losses(case: EventCase, toll: Toll) -> Iterator[tuple[Verdict, str]]:
    """Why no PASS can be. FAIL: more failed than is acceptable, and than failed beside it and before it, beyond doubt.

    Not to be told from noise excuses no more than the few that are acceptable, and those before it alone: the control's
    requests are too few for that.
    """
    mine = toll.during
    beyond_before, beyond_control = (
        beyond_noise(mine.failed, mine.n, other.failed, other.n) for other in (toll.before, toll.control)
    )
    too_many = least_rate(mine.n, mine.failed, case.confidence) > case.objectives.availability.acceptable
    if beyond_before and beyond_control and too_many:
        yield Verdict.FAIL, "; graceful work may lose none"
    elif beyond_before and beyond_control:
        yield Verdict.INCONCLUSIVE, ": too few to tell from chance"
    elif beyond_before:
        yield Verdict.INCONCLUSIVE, f", but of the old side {_of(toll.control)}, too: nobody knows what it cost"
    elif too_many:
        yield Verdict.INCONCLUSIVE, f", but before it {_of(toll.before)}, too: nobody knows what it cost"


def _most_lost(case: EventCase, toll: Toll) -> float:
    """The largest share that it can have cost, beyond what failed before it.

    Exact bounds; of two rates each at half of what may be wrong, so that both hold together.
    """
    mine, before = toll.during, toll.before
    if not mine.n:
        return 1.0
    if not mine.failed:
        return ruled_out_rate(mine.n, 0, case.confidence)
    each = 1 - (1 - case.confidence) / 2
    return max(0.0, ruled_out_rate(mine.n, mine.failed, each) - least_rate(before.n, before.failed, each))


def _crash(toll: Toll, budget: Budget | None) -> tuple[Verdict, str]:
    if budget is None:
        return Verdict.INCONCLUSIVE, "its file has no budget to hold it to"
    allowed = (
        f"(budget: {count(budget.lost_requests, 'request')}, {length(budget.outage_ms)}, well again after"
        f" {budget.recover_s:g} s)"
    )
    outage = f", the longest stretch of them at most {length(toll.most_outage_ms)}" if toll.outages else ""
    said = f"{_lost(toll)}{outage}; {_again(toll)} {allowed}"
    over = list(_over_budget(toll, budget))
    if over:
        return Verdict.FAIL, f"{said}: {' and '.join(over)}"
    if toll.recovered_s is None:
        return Verdict.INCONCLUSIVE, f"{said}: the event's load ended too soon to see it"
    if toll.most_outage_ms > budget.outage_ms:
        return Verdict.INCONCLUSIVE, f"{said}: too close to the budget to tell"
    return Verdict.PASS, said


def _over_budget(toll: Toll, budget: Budget) -> Iterator[str]:
    if toll.during.failed > budget.lost_requests:
        yield "more than may be lost"
    if toll.least_outage_ms > budget.outage_ms:
        yield "longer without an answer than may be"
    if toll.unwell_s > budget.recover_s:
        yield "not well again in time"


def _lost(toll: Toll) -> str:
    return _of(toll.during)


def _of(lost: Lost) -> str:
    return f"{lost.failed:,} of {count(lost.n, 'request')} failed"


def _again(toll: Toll) -> str:
    if toll.recovered_s is None:
        return f"not seen to be well again, and not well until {toll.unwell_s} s after the fault"
    return f"well again after {toll.recovered_s} s"


def _held(case: EventCase, strike: Strike) -> Finding:
    """By the second, until it saw again: fewer pods than it had and than the load needs is a FAIL.

    Counted from the fault on, since it is blind before that is noticed. Only seconds of known blindness in which the
    load needs more than the least prove anything: else a service that shrank would not miss it.
    """
    begin_ns = fault_began_ns(case.history.timeline, strike, strike.victims)
    until_ns = min(fault_ended_ns(case.history.timeline, strike), strike.ended_ns, case.end_ns)
    wanted = supply_of(case).wanted.on_grid(begin_ns, until_ns, 1.0)
    needed = pods_needed(case).on_grid(begin_ns, until_ns, 1.0)
    had = int(wanted[0]) if len(wanted) else 0
    blind = np.arange(len(wanted)) >= float(strike.facts[_BLIND_AFTER])
    telling_s = int(np.count_nonzero(blind & (needed > case.scaling.least_pods)))
    short = np.flatnonzero(wanted < np.minimum(had, needed))
    data: dict[str, Any] = {
        "experiment": strike.experiment,
        "had": had,
        "least": int(wanted.min()) if len(wanted) else had,
        "telling_s": telling_s,
    }
    name = f"{strike.experiment}: the autoscaler saw no metric"
    if len(short):
        at = int(short[0])
        reason = (
            f"{name}, and after {count(at, 'second')} it wanted {wanted[at]} of the {count(had, 'pod')} that it had, of"
            f" which the load needed {needed[at]}: it took what it did not see for no load."
        )
        return Finding(_NAME, _PHASE, Verdict.FAIL, reason, {**data, "hint": _HOLD_HINT})
    if had <= case.scaling.least_pods or telling_s < TELLING_S:
        reason = (
            f"{name} while {count(had, 'pod')} were wanted, for {telling_s} s under a load that needs more than the"
            f" least: nobody knows whether it would have held its size ({TELLING_S} s tell)."
        )
        return Finding(_NAME, _PHASE, Verdict.INCONCLUSIVE, reason, data)
    reason = f"{name} for {telling_s} s under a load that needs more than the least: it held its {had} pods."
    return Finding(_NAME, _PHASE, Verdict.PASS, reason, data)
