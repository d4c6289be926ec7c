"""How many pods the load asks for, from its rates: exactly when it asks for more, and in which ramps it rises.

What reaches the service is the event's own rate and, beside it, the treatment of the pairs that go on meanwhile; that
is the same all the time, so it is taken from the record as one rate.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shiftproof.judge.elasticity.case import EventCase
from shiftproof.judge.elasticity.steps import Steps
from shiftproof.model.demand import Demand
from shiftproof.model.event import Side
from shiftproof.model.scaling import Scaling

Floats = npt.NDArray[np.float64]
_S = 1_000_000_000
#: Sides of pairs and triples whose requests the service's own pods answer.
_BESIDE = (Side.CLUSTER, Side.WEIGHTED)


@dataclass(frozen=True, slots=True)
class Crossing:
    """The moment from which on the load asks for `pods`."""

    t_ns: int
    pods: int


@dataclass(frozen=True, slots=True)
class Rise:
    """One ramp, however many lines it is drawn with: what it asked for before, and each crossing on the way up."""

    before: int
    crossings: tuple[Crossing, ...]

    @property
    def first(self) -> Crossing:
        return self.crossings[0]

    @property
    def peak(self) -> Crossing:
        return self.crossings[-1]


def beside_per_s(case: EventCase) -> float:
    """Requests a second that the pairs sent to the service's pods during the event, its mean."""
    events = case.history.events
    if case.end_ns <= case.start_ns or not len(events):
        return 0.0
    inside = (events["intended_ns"] >= case.start_ns) & (events["intended_ns"] < case.end_ns)
    count = int(np.count_nonzero(inside & np.isin(events["side"], _BESIDE)))
    return count * _S / (case.end_ns - case.start_ns)


def pods_needed(case: EventCase) -> Steps:
    """Pods that the load asks for at every moment: before and after the event what the pairs alone do."""
    return _steps(case, beside_per_s(case))


def rises(case: EventCase) -> tuple[Rise, ...]:
    """The ramps on which the load asks for more pods than before, in order; a plateau ends a ramp."""
    beside = beside_per_s(case)
    needed = _steps(case, beside)
    found = []
    for begin_s, end_s in _ramps(case.demand):
        begin_ns, end_ns = (case.start_ns + round(t_s * _S) for t_s in (begin_s, end_s))
        before = needed.at(begin_ns - 1)
        moves = zip(needed.at_ns.tolist(), needed.values.tolist(), strict=True)
        crossings = tuple(Crossing(t, v) for t, v in moves if begin_ns <= t <= end_ns and v > before)
        if crossings:
            found.append(Rise(before, crossings))
    return tuple(found)


def asks_to_scale(case: EventCase) -> bool:
    """Whether the event is one for scaling at all: its load rises, or asks for more pods than the base has.

    One that rises and still asks for no more is meant as such, and has to be said to have proven nothing.
    """
    if _ramps(case.demand):
        return True
    needed = pods_needed(case).between(case.start_ns, case.end_ns)
    return int(needed.values.max(initial=0)) > case.scaling.least_pods


def rates_at(demand: Demand, times_s: Floats) -> Floats:
    """`Demand.rate_at` of many times at once."""
    times, rates = np.array(demand.times_s), np.array(demand.rates_per_s)
    index = np.clip(np.searchsorted(times, times_s, side="right") - 1, 0, len(times) - 2)
    span = np.maximum(times[index + 1] - times[index], 1e-12)
    found = rates[index] + (rates[index + 1] - rates[index]) * (times_s - times[index]) / span
    inside: Floats = np.where((times_s >= 0) & (times_s < demand.seconds), found, 0.0)
    return inside


def due_each_s(demand: Demand, seconds: int) -> Floats:
    """Requests due in each of the first `seconds` seconds: the area below the lines."""
    times, rates = np.array(demand.times_s), np.array(demand.rates_per_s)
    areas = np.concatenate([[0.0], np.cumsum(np.diff(times) * (rates[1:] + rates[:-1]) / 2)])
    at = np.minimum(np.arange(seconds + 1, dtype=np.float64), demand.seconds)
    index = np.clip(np.searchsorted(times, at, side="right") - 1, 0, len(times) - 2)
    passed, span = at - times[index], np.maximum(times[index + 1] - times[index], 1e-12)
    slope = (rates[index + 1] - rates[index]) / span
    due: Floats = np.diff(areas[index] + rates[index] * passed + slope * passed**2 / 2)
    return due


def rises_to_its_end(demand: Demand) -> bool:
    """Whether it goes up until it ends, as a ramp does that looks for where a service breaks.

    By its shape: the last line rises to the peak, and nothing before was as high.
    """
    *before, last = demand.rates_per_s
    return last > max(before)


def _steps(case: EventCase, beside: float) -> Steps:
    least = case.scaling.pods_for(beside)
    changes = [(0, least), *_changes(case, beside), (case.start_ns + round(case.demand.seconds * _S), least)]
    return Steps.of(changes)


def _changes(case: EventCase, beside: float) -> Iterator[tuple[int, int]]:
    """(t_ns, pods) of each line of the demand: its beginning, and where it crosses what so many pods carry."""
    demand, scaling = case.demand, case.scaling
    points = zip(demand.times_s, (rate + beside for rate in demand.rates_per_s), strict=True)
    for (begin_s, low), (end_s, high) in itertools.pairwise(points):
        if end_s <= begin_s:
            continue
        yield case.start_ns + round(begin_s * _S), scaling.pods_for(low)
        for share, pods in _crossed(low, high, scaling):
            yield case.start_ns + round((begin_s + share * (end_s - begin_s)) * _S), pods


def _crossed(low: float, high: float, scaling: Scaling) -> Iterator[tuple[float, int]]:
    """(share of the line, pods from there on), in the order of time."""
    each = scaling.enough_per_pod
    first, last = math.floor(min(low, high) / each), math.ceil(max(low, high) / each)
    full = [k for k in range(first, last + 1) if min(low, high) <= k * each < max(low, high)]
    rising = high > low
    for k in full if rising else reversed(full):
        yield (k * each - low) / (high - low), max(scaling.least_pods, k + 1 if rising else k)


def _ramps(demand: Demand) -> list[tuple[float, float]]:
    """(begin, end) in seconds of each stretch in which the rate only goes up."""
    found: list[tuple[float, float]] = []
    lines = itertools.pairwise(zip(demand.times_s, demand.rates_per_s, strict=True))
    for (begin_s, low), (end_s, high) in lines:
        if high <= low:
            continue
        if found and found[-1][1] == begin_s:
            found[-1] = (found[-1][0], end_s)
        else:
            found.append((begin_s, end_s))
    return found
