"""The mean of bounded values by betting: no distribution, and no independence beyond the conditional mean."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from shiftproof.judge.sequential.evidence import Crossing, Floats, first_crossing

#: Shares of the highest stake that cannot go bankrupt; half of the wealth starts on the last.
STAKES = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.99)


def mean_above(values: Floats, mean: float, alpha: float) -> Crossing:
    """E-process against "the mean of these values in [-1, 1], given the past, is at most `mean`" by betting.

    A gambler who stakes the share l of the wealth on every value multiplies it by 1 + l (x - mean); with
    0 < l < 1/(1 + mean) it stays positive since x >= -1. The wealth of a mixture of stakes (half on the highest, as
    slow seconds are mostly all slow and good ones all good; fixed before the first value) is the e-value. Needs no
    distribution and no independence beyond the conditional mean, which is why latency, which comes in bursts, is
    judged by it with one value a second.
    """
    x = np.asarray(values, dtype=np.float64)
    if not len(x):
        return Crossing(-1, 0.0)
    if np.any(np.abs(x) > 1) or not -1 < mean < 1:
        raise ValueError("values and mean must lie in [-1, 1]")
    stakes = np.array(STAKES) / (1 + mean)
    wealth = np.cumsum(np.log1p(stakes[None, :] * (x[:, None] - mean)), axis=0)
    weights = np.full(len(stakes), 0.5 / (len(stakes) - 1))
    weights[-1] = 0.5
    log_e = special.logsumexp(wealth, axis=1, b=weights)
    return first_crossing(log_e, alpha, np.ones(len(x), dtype=np.bool_), np.arange(len(x)))


def mean_below(values: Floats, mean: float, alpha: float) -> Crossing:
    """The mirror: evidence that the mean of values in [-1, 1] is below `mean`."""
    return mean_above(-np.asarray(values, dtype=np.float64), -mean, alpha)


def seconds_to_show_below(mean: float, alpha: float) -> int:
    """Values of zero that `mean_below` needs at most: the half on the highest stake has to reach 1/alpha alone."""
    return math.ceil((math.log(1 / alpha) + math.log(2)) / math.log1p(STAKES[-1] * mean / (1 - mean)))
