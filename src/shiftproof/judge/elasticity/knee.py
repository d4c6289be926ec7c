"""Headroom: the largest load that a service still carried on a ramp, with its error.

A ramp raises the rate slowly, and each second says what share of its requests failed or missed the objective. The knee
is where these seconds turn from good to bad for good: the second from which on, to the end, the evidence against "no
more than the margin are bad" is largest. That is the change point of a CUSUM (Page: Continuous Inspection Schemes,
Biometrika 1954) with the e-value of `mean_log_e` in place of a likelihood ratio, since seconds know no distribution.
What was bad for a while and healed, as pods came, is no knee.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shiftproof.judge.sequential import mean_log_e, split_alpha, tails_log_e

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Knee:
    """carried_per_s: the rate before it broke; error_per_s: how far off that may be, either way.

    broke: False when the ramp ended first, so that the service carries at least that much.
    """

    carried_per_s: float
    error_per_s: float
    broke: bool


def knee(rates_per_s: Floats, bad_shares: Floats, margin: float, alpha: float, settle_s: int = 1) -> Knee:
    """From one value a second: the rate that was sent, and the share of requests that failed or missed the objective.

    The rate must not fall. settle_s: what a request may take, so that a load which is too high shows that much later.
    The error is what the rate rose by in that time, and until the evidence sufficed. Raises ValueError when the two
    differ in length, are empty, or hold what is no share.
    """
    rates, bad = np.asarray(rates_per_s, dtype=np.float64), np.asarray(bad_shares, dtype=np.float64)
    if len(rates) != len(bad) or not len(rates):
        raise ValueError(f"need a rate and a share for each second, got {len(rates)} and {len(bad)}")
    if bad.min() < 0 or bad.max() > 1 or not 0 < margin < 1 or np.any(np.diff(rates) < 0):
        raise ValueError("shares lie in [0, 1], the margin in (0, 1), and the rate of a ramp does not fall")
    suffices = math.log(1 / split_alpha(alpha, len(bad)))
    stretched, level = 2 * bad - 1, 2 * margin - 1
    to_the_end = tails_log_e(stretched, level)
    best = int(np.argmax(to_the_end))
    if to_the_end[best] < suffices:
        return Knee(float(rates[-1]), _rise(rates, len(rates) - 1, settle_s), broke=False)
    decided = best + int(np.argmax(mean_log_e(stretched[best:], level) >= suffices))
    error = float(rates[decided] - rates[best]) + _rise(rates, best, settle_s)
    return Knee(float(rates[max(0, best - 1)]), error, broke=True)


def _rise(rates: Floats, at: int, seconds: int) -> float:
    """How much the rate rose in the seconds before `at`, the step to `at` included."""
    return float(rates[at] - rates[max(0, at - 1 - seconds)])
