"""What became of the requests of an event, and of the control's beside it, by the second in which they were due."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shiftproof.judge.elasticity.case import EventCase
from shiftproof.model.event import Failure, Side

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Served:
    """Requests of one side, one entry each. due_ns: on the run's clock. second: that from the event's start, negative
    before it.

    bad: it failed, or took longer than the objective's threshold. latency_ms: from when it was due. late_ns: how much
    later than due it was sent, 0 for one that could not be sent.
    """

    due_ns: Ints
    second: Ints
    failed: Bools
    bad: Bools
    latency_ms: Floats
    late_ns: Ints

    def __len__(self) -> int:
        return len(self.second)

    def each_s(self, seconds: int, which: Bools | None = None, first_s: int = 0) -> Ints:
        """How many (of `which`) were due in each of `seconds` seconds, from first_s on."""
        at = self.second - first_s
        inside = (at >= 0) & (at < seconds)
        if which is not None:
            inside &= which
        return np.bincount(at[inside], minlength=seconds).astype(np.int64)


def served(case: EventCase, side: Side, from_ns: int, to_ns: int) -> Served:
    """The requests of `side` that were due in [from_ns, to_ns)."""
    events = case.history.events
    wanted = events["side"] == side
    wanted &= (events["intended_ns"] >= from_ns) & (events["intended_ns"] < to_ns)
    mine = events[wanted]
    due_ns = mine["intended_ns"]
    failed = mine["failure"] != Failure.NONE
    latency_ms = (mine["ended_ns"] - due_ns) / 1e6
    unsent = mine["failure"] == Failure.NOT_SENT
    return Served(
        due_ns=due_ns,
        second=(due_ns - case.start_ns) // _S,
        failed=failed,
        bad=failed | (latency_ms > case.objectives.latency.threshold_ms),
        latency_ms=latency_ms,
        late_ns=np.where(unsent, 0, mine["sent_ns"] - due_ns),
    )


def of_event(case: EventCase) -> Served:
    """The event's own requests, all of them."""
    return served(case, Side.EXTRA_CLUSTER, case.start_ns, case.end_ns)


def of_control(case: EventCase) -> Served:
    """The control's, while the event went on: the old side, which does not scale."""
    return served(case, Side.LEGACY, case.start_ns, case.end_ns)
