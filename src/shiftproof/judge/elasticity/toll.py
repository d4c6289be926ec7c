"""What an experiment cost the requests of an event: how many, for how long, and when all was well again."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

import numpy as np

from shiftproof.judge.elasticity.case import EventCase, Strike
from shiftproof.judge.elasticity.served import served
from shiftproof.judge.outages import Stretch, stretches
from shiftproof.model.event import Events, Failure, Side
from shiftproof.model.history import Happening

QUIET_S = 2  # without a failure, and hardly anything late: well again
_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Lost:
    """Some requests: how many, and how many of them failed."""

    n: int
    failed: int


@dataclass(frozen=True, slots=True)
class Toll:
    """during: requests of the event while the experiment lasted; control: of the old side in the same time; before: of
    the event until anything struck.

    outages: stretches of failures. recovered_s: seconds from the fault until it was well again, to the second; None:
    that was not seen. unwell_s: seconds from the fault to the end of the last second that is known not to be well.
    """

    during: Lost
    control: Lost
    before: Lost
    outages: tuple[Stretch, ...]
    recovered_s: int | None
    unwell_s: int

    @property
    def least_outage_ms(self) -> float:
        """The longest stretch of failures lasted no shorter than this."""
        return max((one.least_ms for one in self.outages), default=0.0)

    @property
    def most_outage_ms(self) -> float:
        return max((one.most_ms for one in self.outages), default=0.0)


def toll_of(case: EventCase, strike: Strike) -> Toll:
    """While it lasted.

    Well again counts from the last of what hurt within the budget's time (the experiment's own, without a budget):
    a crash resets connections first, and only then are the pods that are left too few.
    """
    begin_ns, end_ns = lasted_ns(case, strike)
    during = _of(case, Side.EXTRA_CLUSTER, begin_ns, end_ns)
    lost = during["failure"] != Failure.NONE
    within_s = strike.budget.recover_s if strike.budget is not None else (end_ns - begin_ns) / _S
    recovered_s, unwell_s = _recovery(case, begin_ns, within_s)
    return Toll(
        during=_lost(during),
        control=_lost(_of(case, Side.LEGACY, begin_ns, end_ns)),
        before=_lost(_before(case)),
        outages=stretches(during["intended_ns"][lost], during["intended_ns"][~lost]),
        recovered_s=recovered_s,
        unwell_s=unwell_s,
    )


def lasted_ns(case: EventCase, strike: Strike) -> tuple[int, int]:
    """[begin, end) of an experiment: from the fault's own mark until the experiment ended, or the event's load did."""
    begin_ns = fault_began_ns(case.history.timeline, strike, strike.victims)
    return begin_ns, max(begin_ns, min(strike.ended_ns, case.end_ns))


def fault_began_ns(timeline: Iterable[Happening], strike: Strike, victims: Collection[str]) -> int:
    """By the first mark that the fault itself left on them; by when the experiment began, where it left none."""
    return min(_marks(timeline, strike, victims, "fault.begin"), default=strike.began_ns)


def fault_ended_ns(timeline: Iterable[Happening], strike: Strike) -> int:
    """By the first mark that its end left on a victim; by when the experiment ended, where it left none."""
    return min(_marks(timeline, strike, strike.victims, "fault.end"), default=strike.ended_ns)


def _marks(timeline: Iterable[Happening], strike: Strike, victims: Collection[str], kind: str) -> list[int]:
    return [one.t_ns for one in timeline if one.kind == kind and one.subject in victims and one.t_ns >= strike.began_ns]


def _of(case: EventCase, side: Side, begin_ns: int, end_ns: int) -> Events:
    """What was under way at begin_ns, or was due before end_ns."""
    events = case.history.events
    found: Events = events[
        (events["side"] == side) & (events["ended_ns"] >= begin_ns) & (events["intended_ns"] < end_ns)
    ]
    return found


def _lost(events: Events) -> Lost:
    return Lost(len(events), int(np.count_nonzero(events["failure"] != Failure.NONE)))


def _before(case: EventCase) -> Events:
    """What came after it is not asked: an experiment may have hurt for longer than it lasted."""
    events, first_ns = case.history.events, min(strike.began_ns for strike in case.strikes)
    found: Events = events[(events["side"] == Side.EXTRA_CLUSTER) & (events["ended_ns"] < first_ns)]
    return found


def _recovery(case: EventCase, begin_ns: int, within_s: float) -> tuple[int | None, int]:
    """(recovered_s, unwell_s) of Toll. A second in which no request was due is neither well nor not.

    What is late is not held against the control's few requests a second; whether the control is sick as a whole is
    asked apart.
    """
    seconds = max(0, case.end_ns - begin_ns) // _S
    mine = served(replace(case, start_ns=begin_ns), Side.EXTRA_CLUSTER, begin_ns, case.end_ns)
    total, failed, bad = (mine.each_s(seconds, which) for which in (None, mine.failed, mine.bad))
    unwell = (failed > 0) | (bad > case.objectives.latency.margin * total)
    well = (total > 0) & ~unwell
    hurt = np.flatnonzero(unwell[: int(np.ceil(within_s))])
    first = int(hurt[-1]) + 1 if len(hurt) else 0
    again = next((at for at in range(first, seconds - QUIET_S + 1) if well[at : at + QUIET_S].all()), None)
    known = np.flatnonzero(unwell[:again])
    return again, int(known[-1]) + 1 if len(known) else 0
