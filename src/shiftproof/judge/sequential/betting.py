"""The mean of bounded values by betting: no distribution, and no independence beyond the conditional mean."""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from shiftproof.judge.sequential.evidence import Crossing, Floats, first_crossing

#: Shares of the highest stake that cannot go bankrupt; half of the wealth starts on the last.
STAKES = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.99)


def mean_log_e(values: Floats, mean: float) -> Floats:
    """log of the e-value after each value, against "the mean of these in [-1, 1], given the past, is at most `mean`".

    A gambler who stakes the share l of the wealth on every value multiplies it by 1 + l (x - mean); with
    0 < l < 1/(1 + mean) it stays positive since x >= -1. The wealth of a mixture of stakes (half on the highest, as
    slow seconds are mostly all slow and good ones all good; fixed before the first value) is the e-value. Needs no
    distribution and no independence beyond the conditional mean, which is why latency, which comes in bursts, is
    judged by it with one value a second. Raises ValueError for values or a mean outside [-1, 1].
    """
    return _mixed(np.cumsum(_gains(values, mean), axis=0))


def tails_log_e(values: Floats, mean: float) -> Floats:
    """What `mean_log_e` says at the end when it begins with each value in turn: entry i is of values[i:].

    All of them in one pass: the wealth of a tail is that of the whole less that before it, stake by stake.
    """
    gains = _gains(values, mean)
    return _mixed(np.cumsum(gains[::-1], axis=0)[::-1])


def _gains(values: Floats, mean: float) -> Floats:
    """log of what each stake makes of the wealth at each value; a row a value, a column a stake."""
    x = np.asarray(values, dtype=np.float64)
    if np.any(np.abs(x) > 1) or not -1 < mean < 1:
        raise ValueError("values and mean must lie in [-1, 1]")
    stakes = np.array(STAKES) / (1 + mean)
    gains: Floats = np.log1p(stakes[None, :] * (x[:, None] - mean))
    return gains


def _mixed(wealth: Floats) -> Floats:
    """log of the mixture's wealth, from that of each stake."""
    weights = np.full(len(STAKES), 0.5 / (len(STAKES) - 1))
    weights[-1] = 0.5
    log_e: Floats = special.logsumexp(wealth, axis=1, b=weights)
    return log_e


def mean_above(values: Floats, mean: float, alpha: float) -> Crossing:
    """Whether `mean_log_e` shows, after any of the values, that their mean is above `mean`."""
    log_e = mean_log_e(values, mean)
    if not len(log_e):
        return Crossing(-1, 0.0)
    return first_crossing(log_e, alpha, np.ones(len(log_e), dtype=np.bool_), np.arange(len(log_e)))


def mean_below(values: Floats, mean: float, alpha: float) -> Crossing:
    """The mirror: evidence that the mean of values in [-1, 1] is below `mean`."""
    return mean_above(-np.asarray(values, dtype=np.float64), -mean, alpha)


def seconds_to_show_below(mean: float, alpha: float) -> int:
    """Values of zero that `mean_below` needs at most: the half on the highest stake has to reach 1/alpha alone."""
    return math.ceil((math.log(1 / alpha) + math.log(2)) / math.log1p(STAKES[-1] * mean / (1 - mean)))
