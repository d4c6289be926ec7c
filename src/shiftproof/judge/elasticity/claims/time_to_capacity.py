"""Time to capacity: each time that the load asks for more pods, they are ready soon enough.

A ramp is one rise, and every crossing on it, from the first to the peak's, is timed: from the moment at which the load
asks for so many pods until so many are ready. What never came within the event is a FAIL that says where it got stuck.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from shiftproof.judge.elasticity.case import EventCase
from shiftproof.judge.elasticity.claims.common import S, at_s, since_start, supply_of
from shiftproof.judge.elasticity.need import Crossing, Rise, asks_to_scale, pods_needed, rises, rises_to_its_end
from shiftproof.judge.elasticity.registry import event_claim
from shiftproof.judge.elasticity.stuck import why_stuck
from shiftproof.judge.elasticity.supply import Supply
from shiftproof.judge.elasticity.timing import Stage, TimeToCapacity, time_to_capacity
from shiftproof.judge.words import clock, count
from shiftproof.model.verdict import Finding, Verdict

_NAME = "time-to-capacity"
#: What to try where most of the time went.
_HINTS = {
    Stage.METRIC: "measure the load more often, or scale on what rises with it and not after it",
    Stage.DECISION: "let the autoscaler want more at once (behavior.scaleUp), and drop what makes it wait",
    Stage.SCHEDULING: "see why the scheduler takes so long to place the pods",
    Stage.NODE: "see what keeps machines from being started at once: the node autoscaler's batching, limits, capacity",
    Stage.BOOT: "make nodes boot quicker (image, start-up scripts), or keep room for a first few pods",
    Stage.READY: "make pods start quicker: a smaller image, less to do before they are ready",
}


@event_claim(_NAME, wanted_for=asks_to_scale)
def judge(case: EventCase) -> Iterable[Finding]:
    """One finding for each rise of the load."""
    found = rises(case)
    if not found:
        reason = (
            f"the load never asks for more than {count(case.scaling.least_pods, 'pod')}, which are always there:"
            " nothing had to scale, and nothing is proven."
        )
        yield Finding(_NAME, "run", Verdict.INCONCLUSIVE, reason)
        return
    supply = supply_of(case)
    for rise in found:
        yield _one(case, supply, rise)


def _one(case: EventCase, supply: Supply, rise: Rise) -> Finding:
    most = case.scaling.most_pods
    possible = [one for one in rise.crossings if one.pods <= most]
    times = [_timed(supply, crossing) for crossing in possible]
    data = _data(case, rise, times)
    if rise.peak.pods > most and not rises_to_its_end(case.demand):
        reason = (
            f"the load asks for {rise.peak.pods} pods {at_s(case, rise.peak.t_ns)}, and at most {most} may be there"
            f" (most_pods): it cannot be met."
        )
        hint = "raise most_pods, with the database connections and addresses that go with it"
        return Finding(_NAME, "run", Verdict.FAIL, reason, {**data, "hint": hint})
    if not times:
        reason = f"the load asks for more than the {most} pods that may be there at once, so nothing was timed."
        return Finding(_NAME, "run", Verdict.INCONCLUSIVE, reason, data)
    never = next((one for one in times if not _reached(case, one)), None)
    if never is not None:
        return _never(case, supply, never, data)
    return _timely(case, supply, times, data)


def _timed(supply: Supply, crossing: Crossing) -> TimeToCapacity:
    starts = tuple(one for one in supply.starts if one.ready_ns >= crossing.t_ns)
    observed_ns = supply.first_above_target(crossing.t_ns)
    return time_to_capacity(crossing.t_ns, crossing.pods, supply.ready, supply.wanted, observed_ns, starts)


def _reached(case: EventCase, one: TimeToCapacity) -> bool:
    """What came after the event came for nobody."""
    return one.reached_ns is not None and one.reached_ns <= case.end_ns


def _never(case: EventCase, supply: Supply, one: TimeToCapacity, data: dict[str, Any]) -> Finding:
    until_ns = _asked_until(case, one)
    stuck = why_stuck(case, supply, one.crossed_ns, one.needed, until_ns)
    reason = (
        f"the load asked for {one.needed} pods {at_s(case, one.crossed_ns)}, for {(until_ns - one.crossed_ns) / S:.0f}"
        f" s, and they were not ready before the event was over: by the end of that, {stuck.sentence}."
    )
    data = {**data, "stuck": str(stuck.stage), "why": stuck.kind, "hint": stuck.hint}
    if stuck.culprit is not None:
        data["culprit"] = stuck.culprit
    return Finding(_NAME, "run", Verdict.FAIL, reason, data)


def _asked_until(case: EventCase, one: TimeToCapacity) -> int:
    """When the load ceased to ask for so many: what is taken back from then on hides why they did not come."""
    needed = pods_needed(case)
    fewer = needed.at_ns[(needed.at_ns > one.crossed_ns) & (needed.values < one.needed)]
    return min(int(fewer[0]), case.end_ns) if len(fewer) else case.end_ns


def _timely(case: EventCase, supply: Supply, times: Sequence[TimeToCapacity], data: dict[str, Any]) -> Finding:
    worst = max(times, key=lambda one: one.seconds or 0.0)
    seconds, limit_s = worst.seconds or 0.0, case.scaling.limits.time_to_capacity_s
    stage = max(worst.stages, key=lambda one: worst.stages[one])
    first, peak = times[0], times[-1]
    said = (
        f"{first.needed} pods were ready {first.seconds or 0.0:.0f} s after the load asked for them,"
        f" {peak.needed} for its peak after {peak.seconds or 0.0:.0f} s"
    )
    if worst not in (first, peak):
        said += f", {worst.needed} after {seconds:.0f} s"
    said += f" (within {limit_s:g} s)"
    spent = f"most of it was {stage} ({worst.stages[stage]:.0f} of {seconds:.0f} s)"
    if seconds > limit_s:
        data = {**data, "hint": _HINTS[stage], "slowest_stage": str(stage), "culprit": _story(supply, worst)}
        return Finding(_NAME, "run", Verdict.FAIL, f"{said}: too late; {spent}.", data)
    reason = f"{said}; {spent}." if seconds else f"{said}: they were there already."
    return Finding(_NAME, "run", Verdict.PASS, reason, data)


def _story(supply: Supply, one: TimeToCapacity) -> str:
    """How the last pod that was needed came to be ready, in seconds after the load asked for it."""
    start = next((start for start in supply.starts if start.name == one.last), None)
    if start is None:
        return f"{clock(one.crossed_ns)}  the load asks for {one.needed} pods"
    marks = {
        "found no node": start.refused_ns,
        "its node's machine was started": start.launched_ns if start.refused_ns is not None else None,
        "it was placed": start.scheduled_ns,
        "it was ready": start.ready_ns,
    }
    told = [f"{word} after {max(0, t_ns - one.crossed_ns) / S:.0f} s" for word, t_ns in marks.items() if t_ns]
    return f"{clock(one.crossed_ns)}  the load asks for {one.needed} pods; of these {start.name} {', '.join(told)}"


def _data(case: EventCase, rise: Rise, times: Sequence[TimeToCapacity]) -> dict[str, Any]:
    """rows: one for each crossing, with the seconds of its stages (none where it was never reached)."""
    rows = [
        {
            "at_s": since_start(case, one.crossed_ns),
            "pods": one.needed,
            "seconds": None if one.seconds is None else round(one.seconds, 2),
            "last": one.last,
            "stages": {str(stage): round(seconds, 2) for stage, seconds in one.stages.items()},
        }
        for one in times
    ]
    return {
        "before": rise.before,
        "peak": rise.peak.pods,
        "limit_s": case.scaling.limits.time_to_capacity_s,
        "rows": rows,
    }
