"""What a load event's page is drawn from, beside its result.

The report knows no judge, so what a judge computed comes in by its shape: `EventFigures` of judge.elasticity fit
`Curves` as they are. Stages and shares are in the data of the findings already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from shiftproof.model.demand import Demand
from shiftproof.model.history import Happening

Numbers = npt.NDArray[np.int64] | npt.NDArray[np.float64]


class Curves(Protocol):
    """Arrays with one entry a second: seconds since the event's start (negative before it), states at its beginning.

    Rates are requests a second; of those sent, bad_per_s failed or were over the threshold and failed_per_s failed.
    Latencies in ms, NaN where no request succeeded; control_p99_ms: of the side that needs no scaling. Pods and nodes
    are counts, nodes_spot of nodes_ready on Spot. Costs are cumulative.
    """

    @property
    def seconds(self) -> Numbers: ...
    @property
    def demand_per_s(self) -> Numbers: ...
    @property
    def sent_per_s(self) -> Numbers: ...
    @property
    def failed_per_s(self) -> Numbers: ...
    @property
    def bad_per_s(self) -> Numbers: ...
    @property
    def p50_ms(self) -> Numbers: ...
    @property
    def p99_ms(self) -> Numbers: ...
    @property
    def control_p99_ms(self) -> Numbers: ...
    @property
    def pods_needed(self) -> Numbers: ...
    @property
    def pods_wanted(self) -> Numbers: ...
    @property
    def pods_ready(self) -> Numbers: ...
    @property
    def pods_pending(self) -> Numbers: ...
    @property
    def nodes_ready(self) -> Numbers: ...
    @property
    def nodes_spot(self) -> Numbers: ...
    @property
    def hindsight_pods(self) -> Numbers: ...
    @property
    def cost(self) -> Numbers: ...
    @property
    def hindsight_cost(self) -> Numbers: ...


@dataclass(frozen=True, slots=True)
class Variant:
    """The same event with another supply, e.g. "autoscaled", "fixed for the peak". None: not measured.

    pods: as said, "2 to 5". sent, bad: requests of the event. cost: of pods; hindsight_cost: of perfect foresight.
    machine_s: machines on demand x s that were rented. under_share, over_share: of the time with pods missing, or idle.
    doubt: why it cannot be compared; None: it can.
    """

    name: str
    pods: str
    sent: int
    bad: int
    p99_ms: float | None = None
    cost: float | None = None
    hindsight_cost: float | None = None
    machine_s: float | None = None
    under_share: float | None = None
    over_share: float | None = None
    doubt: str | None = None


@dataclass(frozen=True, slots=True)
class EventEvidence:
    """start_ns: the event's start on the run's clock, second 0 of the curves. timeline: of the run, see TIMELINE.md.

    threshold_ms: of latency. variants: what it is compared with, this run among them.
    """

    start_ns: int
    demand: Demand
    curves: Curves
    timeline: Sequence[Happening] = ()
    threshold_ms: float | None = None
    variants: Sequence[Variant] = ()
