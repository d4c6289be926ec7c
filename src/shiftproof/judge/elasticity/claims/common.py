"""What several scaling claims share: the supply of a case, its moments in words, what was bad beside the control."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shiftproof.judge.counting import is_sick
from shiftproof.judge.elasticity.case import EventCase
from shiftproof.judge.elasticity.served import Served, of_control, of_event
from shiftproof.judge.elasticity.supply import Supply, read_supply
from shiftproof.judge.sequential import least_rate, ruled_out_rate
from shiftproof.judge.words import count, percent

S = 1_000_000_000


def supply_of(case: EventCase) -> Supply:
    """What the timeline says of the service's pods and of the nodes."""
    return read_supply(case.history.timeline, case.deployment, case.namespace)


def since_start(case: EventCase, t_ns: int) -> float:
    """Seconds from the event's start, for data; rounded to a tenth."""
    return round((t_ns - case.start_ns) / S, 1)


def at_s(case: EventCase, t_ns: int) -> str:
    """A moment as findings name it: "46.7 s into the event"."""
    return f"{since_start(case, t_ns):g} s into the event"


@dataclass(frozen=True, slots=True)
class Shortfall:
    """What was missing: bad requests of the event beside those of the control, in the same seconds.

    n, bad, failed: of the event; control_*: of the old side. excess: share of bad ones less the control's; least, most:
    its bounds at the case's confidence.
    """

    n: int
    bad: int
    failed: int
    control_n: int
    control_bad: int
    control_failed: int
    excess: float
    least: float
    most: float

    @property
    def words(self) -> str:
        """As in "12 of 28,512 requests failed or were too slow (0.042%; the control: 0 of 3,000)"."""
        share = percent(self.bad / self.n) if self.n else "none"
        control = f"the control: {self.control_bad:,} of {self.control_n:,}"
        return f"{self.bad:,} of {count(self.n, 'request')} failed or were too slow ({share}; {control})"


def shortfall_of(case: EventCase) -> Shortfall:
    """Bounds are exact (Clopper-Pearson), each side's at half of what may be wrong, so that both hold together."""
    mine, control = of_event(case), of_control(case)
    n, bad, control_n, control_bad = len(mine), _sum(mine), len(control), _sum(control)
    each = 1 - (1 - case.confidence) / 2
    control_rate = control_bad / control_n if control_n else 0.0
    control_most = ruled_out_rate(control_n, control_bad, each) if control_n else 1.0
    return Shortfall(
        n=n,
        bad=bad,
        failed=int(mine.failed.sum()),
        control_n=control_n,
        control_bad=control_bad,
        control_failed=int(control.failed.sum()),
        excess=(bad / n if n else 0.0) - control_rate,
        least=least_rate(n, bad, each) - control_most,
        most=(ruled_out_rate(n, bad, each) if n else 1.0) - least_rate(control_n, control_bad, each),
    )


def sick_control(case: EventCase, seen: Shortfall) -> str | None:
    """Why the control itself is beyond its own objective, if it is proven to be: then nothing can be laid to scaling.

    It fails more often than its unacceptable rate, or misses the threshold more often than the margin.
    """
    if is_sick(seen.control_failed, seen.control_n, case.objectives.availability.unacceptable):
        return f"the control itself failed {seen.control_failed:,} of {count(seen.control_n, 'request')}"
    if is_sick(seen.control_bad, seen.control_n, case.objectives.latency.margin):
        return (
            f"{seen.control_bad:,} of {count(seen.control_n, 'request')} of the control itself failed or were too slow"
        )
    return None


def _sum(requests: Served) -> int:
    return int(np.count_nonzero(requests.bad))
