"""A load over time, as rates: what an event asks of a service, second by second, and when each request of it is due."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_LESS_A_HAIR = 1 - 1e-12
"""A sum of floats may come out a hair above a whole number: one more would then be due at the very end, outside."""


@dataclass(frozen=True, slots=True)
class Demand:
    """Straight lines between points: at times_s[i] the rate is rates_per_s[i]; there is nothing beyond the last.

    Two points at one time are a step. Raises ValueError unless there are two points or more, the first at 0 s, times
    that never fall and rates that are never negative, and some load.
    """

    times_s: tuple[float, ...]
    rates_per_s: tuple[float, ...]

    def __post_init__(self) -> None:
        times, rates = self.times_s, self.rates_per_s
        if len(times) != len(rates) or len(times) < 2:
            raise ValueError("a demand needs two points or more, each with a time and a rate")
        if times[0] != 0 or any(later < earlier for earlier, later in itertools.pairwise(times)):
            raise ValueError("the times of a demand begin at 0 and never fall")
        if min(rates) < 0 or self.requests <= 0:
            raise ValueError("the rates of a demand are not negative, and some are above 0")

    @classmethod
    def of(cls, points: Sequence[tuple[float, float]]) -> Demand:
        """From (seconds, rate a second)."""
        return cls(tuple(float(t) for t, _ in points), tuple(float(rate) for _, rate in points))

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.times_s[-1]

    @property
    def peak_per_s(self) -> float:
        return max(self.rates_per_s)

    @property
    def requests(self) -> float:
        """All of them together: the area below the lines."""
        return float(self._areas()[-1])

    def scaled(self, factor: float) -> Demand:
        """The same shape with every rate times `factor`. Raises ValueError unless that is above 0."""
        return Demand(self.times_s, tuple(rate * factor for rate in self.rates_per_s))

    def rate_at(self, t_s: float) -> float:
        """The rate at t_s; at a step the one after it."""
        if not 0 <= t_s < self.seconds:
            return 0.0
        index = int(np.searchsorted(self.times_s, t_s, side="right")) - 1
        begin_s, end_s = self.times_s[index : index + 2]
        low, high = self.rates_per_s[index : index + 2]
        return low + (high - low) * (t_s - begin_s) / (end_s - begin_s)

    def due_s(self, number: float) -> float | None:
        """When the request of that number (from 0) is due: the time at which as many were due before; None: never.

        On a line from rate a with slope b the requests since its beginning are a t + b t^2 / 2; the t for n of them
        is 2 n / (a + sqrt(a^2 + 2 b n)), which divides by no slope that may be 0.
        """
        areas = self._areas()
        if not 0 <= number < areas[-1] * _LESS_A_HAIR:
            return None
        index = int(np.searchsorted(areas, number, side="right")) - 1
        begin_s, end_s = self.times_s[index : index + 2]
        low, high = self.rates_per_s[index : index + 2]
        left = number - float(areas[index])
        slope = (high - low) / (end_s - begin_s)
        root = float(np.sqrt(max(0.0, low * low + 2 * slope * left)))
        return begin_s + (2 * left / (low + root) if low + root > 0 else 0.0)

    @property
    def count(self) -> int:
        """How many are due: number 0 is as soon as there is some load, so a part of one more is one."""
        return math.ceil(self.requests * _LESS_A_HAIR)

    @property
    def last_due_s(self) -> float:
        """When the last of them is due: before the end, and long before it where the rate falls to 0."""
        last_s = self.due_s(self.count - 1)
        assert last_s is not None, "there is some load, so number 0 is due"
        return last_s

    def _areas(self) -> Floats:
        """Requests due before each point."""
        times, rates = np.array(self.times_s), np.array(self.rates_per_s)
        areas: Floats = np.concatenate([[0.0], np.cumsum(np.diff(times) * (rates[1:] + rates[:-1]) / 2)])
        return areas
