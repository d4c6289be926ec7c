"""What an experiment cost the requests of an event: how many, for how long, and when all was well again."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

import numpy as np

from shiftproof.judge.elasticity.case import EventCase, Strike
from shiftproof.judge.elasticity.served import Bools, Floats, Served, served
from shiftproof.judge.outages import Stretch, stretches
from shiftproof.model.event import Failure, Side
from shiftproof.model.history import Happening

QUIET_S = 2  # without a failure, and within the objective's margin: well again
_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Toll:
    """n, failed: requests of the event while the experiment lasted; control_*: of the old side in the same time.

    outages: stretches of failures. recovered_s: seconds from the fault until it was well again, to the second; None:
    not while the event's load went on. seen_s: for how long it did.
    """

    begin_ns: int
    n: int
    failed: int
    control_n: int
    control_failed: int
    outages: tuple[Stretch, ...]
    recovered_s: int | None
    seen_s: float

    @property
    def least_outage_ms(self) -> float:
        """No outage was shorter than this, of the longest one."""
        return max((one.least_ms for one in self.outages), default=0.0)

    @property
    def most_outage_ms(self) -> float:
        return max((one.most_ms for one in self.outages), default=0.0)


def toll_of(case: EventCase, strike: Strike) -> Toll:
    """From the fault's own mark until the experiment ended, or the event's load did."""
    begin_ns = fault_began_ns(case.history.timeline, strike, strike.victims)
    end_ns = max(begin_ns, min(strike.ended_ns, case.end_ns))
    mine, control = _during(case, Side.EXTRA_CLUSTER, begin_ns, end_ns), _during(case, Side.LEGACY, begin_ns, end_ns)
    events = case.history.events[mine]
    lost = events["failure"] != Failure.NONE
    return Toll(
        begin_ns=begin_ns,
        n=len(events),
        failed=int(np.count_nonzero(lost)),
        control_n=int(np.count_nonzero(control)),
        control_failed=int(np.count_nonzero(case.history.events["failure"][control] != Failure.NONE)),
        outages=stretches(events["intended_ns"][lost], events["intended_ns"][~lost]),
        recovered_s=_recovered_s(case, begin_ns),
        seen_s=max(0.0, (case.end_ns - begin_ns) / _S),
    )


def fault_began_ns(timeline: Iterable[Happening], strike: Strike, victims: Collection[str]) -> int:
    """By the first mark that the fault itself left on them; by when the experiment began, where it left none."""
    marks = [
        one.t_ns
        for one in timeline
        if one.kind == "fault.begin" and one.subject in victims and one.t_ns >= strike.began_ns
    ]
    return min(marks, default=strike.began_ns)


def _during(case: EventCase, side: Side, begin_ns: int, end_ns: int) -> Bools:
    """What was under way at the fault's beginning, or was due before its end."""
    events = case.history.events
    wanted: Bools = (events["side"] == side) & (events["ended_ns"] >= begin_ns) & (events["intended_ns"] < end_ns)
    return wanted


def _recovered_s(case: EventCase, begin_ns: int) -> int | None:
    """The first of QUIET_S seconds in which nothing failed and no more was late than the margin beyond the control."""
    since = replace(case, start_ns=begin_ns)  # seconds from the fault
    seconds = max(0, case.end_ns - begin_ns) // _S
    mine = served(since, Side.EXTRA_CLUSTER, begin_ns, case.end_ns)
    control = served(since, Side.LEGACY, begin_ns, case.end_ns)
    total, failed = mine.each_s(seconds), mine.each_s(seconds, mine.failed)
    excess = _share(mine, seconds) - _share(control, seconds)
    well = (total > 0) & (failed == 0) & (excess <= case.objectives.latency.margin)
    return next((at for at in range(seconds - QUIET_S + 1) if well[at : at + QUIET_S].all()), None)


def _share(requests: Served, seconds: int) -> Floats:
    total, bad = requests.each_s(seconds), requests.each_s(seconds, requests.bad)
    share: Floats = bad / np.maximum(total, 1)
    return share
