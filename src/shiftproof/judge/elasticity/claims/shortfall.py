"""Shortfall: how many of the event's requests were not served, or too late, for want of capacity.

A request is bad when it failed or took longer than the objective's threshold, from when it was due. What the control
shows in the same seconds, a side that needs no scaling, is taken off: the machine and what both sides share are not
what is judged here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from shiftproof.judge.elasticity.case import EventCase
from shiftproof.judge.elasticity.claims.common import S, shortfall_of, sick_control, supply_of
from shiftproof.judge.elasticity.need import pods_needed, rises_to_its_end
from shiftproof.judge.elasticity.registry import event_claim
from shiftproof.judge.elasticity.served import Bools, Served, of_event
from shiftproof.judge.elasticity.toll import lasted_ns
from shiftproof.judge.words import percent
from shiftproof.model.history import PhaseKind
from shiftproof.model.verdict import Finding, Verdict

_NAME = "shortfall"
_HINT = "scale earlier (a signal that rises with the load), faster (less to boot), or keep spare pods before the event"
_HINT_SPARE = "keep as many pods beyond what the load needs as may be lost at once, with a node or a whole zone"


def wanted_for(case: EventCase) -> bool:
    """Not of a ramp that goes on until the service breaks: there it is what was looked for (see headroom)."""
    return not rises_to_its_end(case.demand)


@event_claim(_NAME, wanted_for=wanted_for)
def judge(case: EventCase) -> Iterable[Finding]:
    """FAIL when even the lower bound is beyond the limit, PASS when the upper one is within it."""
    seen = shortfall_of(case)
    limit = case.scaling.limits.shortfall_pct / 100
    if not seen.n or not seen.control_n:
        what = "request of the event" if not seen.n else "request of the control"
        yield Finding(_NAME, "run", Verdict.INCONCLUSIVE, f"no {what} was recorded, so nobody knows what was short.")
        return
    sure = f"at {case.confidence:.0%} confidence"
    within = f"between {percent(max(0.0, seen.least))} and {percent(max(0.0, seen.most))} beyond the control {sure}"
    data: dict[str, Any] = {
        "requests": seen.n,
        "bad": seen.bad,
        "failed": seen.failed,
        "control_requests": seen.control_n,
        "control_bad": seen.control_bad,
        "shortfall_pct": round(100 * seen.excess, 4),
        "least_pct": round(100 * seen.least, 4),
        "most_pct": round(100 * seen.most, 4),
        "limit_pct": case.scaling.limits.shortfall_pct,
        **_when(case),
    }
    said = f"{seen.words}: {within}, where {case.scaling.limits.shortfall_pct:g}% may be"
    shared = sick_control(case, seen)
    if shared is not None:
        reason = f"{said}; but {shared}, beyond its own objective: the cause is shared, and nothing is laid to scaling."
        yield Finding(_NAME, "run", Verdict.INCONCLUSIVE, reason, data)
    elif seen.least > limit:
        reason = f"{said}; {_where(data)}."
        hint = _HINT_SPARE if 2 * _bad_by_loss(case, data["bad_during"]) > data["bad"] else _HINT
        yield Finding(_NAME, "run", Verdict.FAIL, reason, {**data, "hint": hint})
    elif seen.most < limit:
        yield Finding(_NAME, "run", Verdict.PASS, f"{said}.", data)
    else:
        reason = f"{said}: too few requests to be sure on which side of it."
        yield Finding(_NAME, "run", Verdict.INCONCLUSIVE, reason, data)


def _where(data: Mapping[str, Any]) -> str:
    """When it was: as much as the seconds say of the cause."""
    stretch = f"the longest bad stretch was {data['longest_bad_s']} s, from {data['longest_bad_from_s']} s on"
    short = f"{data['bad_while_short']:,}" if data["bad_while_short"] else "none"
    during = "".join(f"{bad:,} while {name} lasted, " for name, bad in data["bad_during"].items())
    return f"{short} of them while fewer pods were ready than the load needed, {during}and {stretch}"


def _when(case: EventCase) -> dict[str, Any]:
    """Bad seconds, of whose requests more were bad than the latency margin allows, and their longest stretch."""
    mine = of_event(case)
    seconds = max(1, -(-(case.end_ns - case.start_ns) // S))
    total, bad = mine.each_s(seconds), mine.each_s(seconds, mine.bad)
    begin, length = _longest(bad > case.objectives.latency.margin * total)
    needed = pods_needed(case).on_grid(case.start_ns, case.start_ns + seconds * S, 1.0)
    ready = supply_of(case).ready.on_grid(case.start_ns, case.start_ns + seconds * S, 1.0)
    return {
        "bad_seconds": int(np.count_nonzero(bad > case.objectives.latency.margin * total)),
        "longest_bad_s": length,
        "longest_bad_from_s": begin if length else None,
        "bad_while_short": int(bad[ready < needed].sum()),
        "bad_during": {name: count for name, count in _during(case, mine) if count},
    }


def _during(case: EventCase, mine: Served) -> Iterator[tuple[str, int]]:
    """Bad requests that were due while each experiment lasted: pods whose node is dead count as ready for 40 s.

    One that took no effect, or of which nobody can say, lasted for no time.
    """
    for strike in case.strikes:
        if strike.problem is None:
            begin_ns, end_ns = lasted_ns(case, strike)
            meanwhile = (mine.due_ns >= begin_ns) & (mine.due_ns < end_ns)
            yield strike.experiment, int(np.count_nonzero(mine.bad & meanwhile))


def _bad_by_loss(case: EventCase, bad_during: Mapping[str, int]) -> int:
    """Of those the ones while pods of the service were taken away without a warning: only these a spare pod serves."""
    homes = supply_of(case).homes
    ours = {*homes, *(f"node/{name}" for name in homes.values())}
    crashes = [one for one in case.strikes if one.kind is PhaseKind.CRASH and not ours.isdisjoint(one.victims)]
    return sum(bad_during.get(name, 0) for name in {one.experiment for one in crashes})


def _longest(which: Bools) -> tuple[int, int]:
    """(begin, length) of the longest run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], which, [False]]).astype(np.int8)))
    begins, lengths = edges[::2], edges[1::2] - edges[::2]
    if not len(begins):
        return 0, 0
    longest = int(np.argmax(lengths))
    return int(begins[longest]), int(lengths[longest])
