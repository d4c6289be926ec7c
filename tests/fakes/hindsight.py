"""The optimum with hindsight by brute force, to hold the quick one against."""

from __future__ import annotations

import numpy as np

from shiftproof.judge.elasticity import Prices
from shiftproof.judge.elasticity.hindsight import Units


def programme(demand: Units, step_s: float, prices: Prices, base: int) -> float:
    """Its cost by dynamic programming over the number of units, forward in time."""
    top = max(int(demand.max(initial=0)), base)
    states = np.arange(top + 1)
    cost = np.where(states == base, 0.0, np.inf)
    starts = np.maximum(states[None, :] - states[:, None], 0) * prices.of_start
    for wanted in demand:
        cost = (cost[:, None] + starts).min(axis=0) + states * step_s * prices.per_s
        cost[: max(int(wanted), base)] = np.inf
    return float(cost.min())
