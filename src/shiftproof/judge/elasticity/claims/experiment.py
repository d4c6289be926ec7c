"""Experiments: what a fault costs in the middle of an event, each held to what its own file says.

Graceful work (a drain, a Spot notice, metrics that are away) may make no request fail. A crash may cost what its budget
allows: how many requests, for how long without an answer, and how soon all is well again. An autoscaler that sees
nothing meanwhile holds its size. What is only late counts for a crash's recovery; else it is the shortfall's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from shiftproof.judge.counting import is_sick
from shiftproof.judge.elasticity.case import EventCase, Strike
from shiftproof.judge.elasticity.claims.common import supply_of
from shiftproof.judge.elasticity.need import pods_needed
from shiftproof.judge.elasticity.registry import event_claim
from shiftproof.judge.elasticity.toll import QUIET_S, Toll, fault_began_ns, toll_of
from shiftproof.judge.sequential import least_rate, ruled_out_rate
from shiftproof.judge.words import count, length, percent
from shiftproof.model.history import Budget, PhaseKind
from shiftproof.model.verdict import Finding, Verdict

_NAME, _PHASE = "experiment", "event"
_BLIND_AFTER = "blind_after_s"
"""Fact of an experiment that takes the autoscaler's metric away: after how long it was seen to be blind."""
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


def _borne(case: EventCase, strike: Strike) -> Finding:
    """The worst of what is known of it: what was not borne counts even where the rest proves nothing."""
    toll = toll_of(case, strike)
    data: dict[str, Any] = {
        "experiment": strike.experiment,
        "kind": str(strike.kind),
        "victims": list(strike.victims),
        "requests": toll.n,
        "failed": toll.failed,
        "control_requests": toll.control_n,
        "control_failed": toll.control_failed,
        "longest_outage_ms": round(toll.most_outage_ms, 1),
        "recovered_s": toll.recovered_s,
    }
    name = f"{strike.experiment}: "
    if strike.service_problem is not None:
        return Finding(_NAME, _PHASE, Verdict.FAIL, f"{name}{strike.service_problem}.", data)
    if strike.problem is not None:
        return Finding(_NAME, _PHASE, Verdict.INCONCLUSIVE, f"{name}{strike.problem}.", data)
    if is_sick(toll.control_failed, toll.control_n, case.objectives.availability.unacceptable):
        reason = (
            f"{name}{_lost(toll)}, but the control itself failed {toll.control_failed:,} of"
            f" {count(toll.control_n, 'request')}: the cause is shared."
        )
        return Finding(_NAME, _PHASE, Verdict.INCONCLUSIVE, reason, data)
    if strike.kind is PhaseKind.CRASH:
        verdict, said = _crash(toll, strike.budget)
    else:
        verdict, said = _graceful(case, toll)
    return Finding(_NAME, _PHASE, verdict, f"{name}{said}.", data)


def _graceful(case: EventCase, toll: Toll) -> tuple[Verdict, str]:
    """FAIL once more failed than the objective calls acceptable, beyond doubt; any failure at all is no PASS."""
    said = f"{_lost(toll)} while it lasted"
    if not toll.n:
        return Verdict.INCONCLUSIVE, "no request was under way while it lasted, so none could be lost"
    if least_rate(toll.n, toll.failed, case.confidence) > case.objectives.availability.acceptable:
        return Verdict.FAIL, f"{said}; graceful work may lose none"
    if toll.failed:
        return Verdict.INCONCLUSIVE, f"{said}: too few to tell from chance"
    most = percent(ruled_out_rate(toll.n, 0, case.confidence))
    return Verdict.PASS, f"{said} (at {case.confidence:.0%} confidence fewer than {most})"


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
    if toll.failed > budget.lost_requests:
        yield "more than may be lost"
    if toll.least_outage_ms > budget.outage_ms:
        yield "longer without an answer than may be"
    # Not seen to be well again, though the load went on for long enough: it was not.
    recovered_s = toll.recovered_s if toll.recovered_s is not None else toll.seen_s - QUIET_S
    if recovered_s > budget.recover_s:
        yield "not well again in time"


def _lost(toll: Toll) -> str:
    return f"{toll.failed:,} of {count(toll.n, 'request')} failed"


def _again(toll: Toll) -> str:
    if toll.recovered_s is None:
        return f"not well again in the {toll.seen_s:.0f} s that were left of the event"
    return f"well again after {toll.recovered_s} s"


def _held(case: EventCase, strike: Strike) -> Finding:
    """By the second, from when it was blind until the experiment ended: fewer pods than it had and than the load needs.

    Seconds in which the least is enough prove nothing, since a service that shrank would not miss anything.
    """
    blind_ns = fault_began_ns(case.history.timeline, strike, strike.victims) + int(strike.facts[_BLIND_AFTER] * 1e9)
    until_ns = min(strike.ended_ns, case.end_ns)
    wanted = supply_of(case).wanted.on_grid(blind_ns, until_ns, 1.0)
    needed = pods_needed(case).on_grid(blind_ns, until_ns, 1.0)
    had = int(wanted[0]) if len(wanted) else 0
    telling = needed > case.scaling.least_pods
    short = telling & (wanted < np.minimum(had, needed))
    data: dict[str, Any] = {
        "experiment": strike.experiment,
        "had": had,
        "least": int(wanted[telling].min()) if telling.any() else had,
        "telling_s": int(telling.sum()),
    }
    name = f"{strike.experiment}: the autoscaler saw no metric"
    if short.any():
        at = int(np.flatnonzero(short)[0])
        reason = (
            f"{name}, and after {count(at, 'second')} it wanted {wanted[at]} of the {count(had, 'pod')} that it had, of"
            f" which the load needed {needed[at]}: it took what it did not see for no load."
        )
        return Finding(_NAME, _PHASE, Verdict.FAIL, reason, {**data, "hint": _HOLD_HINT})
    if not had or had <= case.scaling.least_pods or data["telling_s"] < TELLING_S:
        reason = (
            f"{name}, and in {count(data['telling_s'], 'second')} of that time only the load needed more than the least"
            f" ({had} pods were wanted): nobody knows whether it would have held its size."
        )
        return Finding(_NAME, _PHASE, Verdict.INCONCLUSIVE, reason, data)
    reason = f"{name} while for {data['telling_s']} s the load needed more than the least: it held its {had} pods."
    return Finding(_NAME, _PHASE, Verdict.PASS, reason, data)
