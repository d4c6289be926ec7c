"""A rate, acceptable up to p0 and unacceptable from p1 on, whatever it really is: mixtures with exact thresholds."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from scipy import special

from shiftproof.judge.sequential.bounds import fixed_sample
from shiftproof.judge.sequential.calibrate import calibrated, check_errors, check_rates
from shiftproof.judge.sequential.evidence import MIN_ERRORS, Bools, Floats, Ints
from shiftproof.judge.sequential.stopping import Operating, Stopped, Stopping, by_counts

_ABOVE = 16  # rates that the evidence against p0 mixes
_BELOW = 8  # and the evidence against p1
_CAP_IN_FIXED_SAMPLES = 4


def log_mixture(failures: Ints | int, samples: Ints | int, rates: Floats, against: float) -> Floats:
    """ln of the mean over `rates` p of the likelihood ratio (p/a)^k ((1-p)/(1-a))^(n-k), a being `against`.

    With all p above a, each ratio is a supermartingale for every true rate up to a, as it rises with the rate, and so
    is their mean: an e-process of "the rate is at most a". With all p below a, of "the rate is at least a".
    """
    k = np.asarray(failures, dtype=np.float64)[..., None]
    n = np.asarray(samples, dtype=np.float64)[..., None]
    terms = k * np.log(rates / against) + (n - k) * (np.log1p(-rates) - math.log1p(-against))
    result: Floats = special.logsumexp(terms, axis=-1) - math.log(len(rates))
    return result


def rate_log_e(failures: Ints | int, samples: Ints | int, p0: float) -> Floats:
    """Log e-value of "the rate is at most p0", for a test without an end: sixteen rates, log-uniform from p0 to 1/2."""
    return log_mixture(failures, samples, np.geomspace(p0, 0.5, _ABOVE + 1)[1:], p0)


@dataclass(frozen=True, slots=True)
class RateTest:
    """Is the rate at most `p0`, or at least `p1`? Made by `rate_test`.

    REJECT (it is above p0) once ln of the mean likelihood ratio against p0 of sixteen rates, log-uniform from
    sqrt(p0 p1) to 1/2, reaches `reject_at`; ACCEPT (it is below p1) once that against p1 of eight rates from p0/10 to
    sqrt(p0 p1) reaches `accept_at`. The thresholds are the lowest at which a true rate of p0 (and so any below) is
    rejected with chance alpha at most, and one of p1 (and so any above) accepted with chance beta at most, both exact
    for independent failures. Undecided at the cap: OPEN.

    Why not the SPRT, whose error rates hold for all rates beyond p0 and p1 too: it needs up to 4 times as many samples
    at its 99th percentile when the rate lies between the two, and more when it is far above p1. What this costs at p0
    and p1 themselves is a few percent (docs/STATISTICS.md).
    """

    p0: float
    p1: float
    alpha: float
    beta: float
    reject_at: float
    accept_at: float
    stopping: Stopping = field(repr=False, compare=False)

    def log_e_above(self, failures: Ints | int, samples: Ints | int) -> Floats:
        """Log e-value of "the rate is at most p0"."""
        return _above(self.p0, self.p1, failures, samples)

    def log_e_below(self, failures: Ints | int, samples: Ints | int) -> Floats:
        """Log e-value of "the rate is at least p1"."""
        return _below(self.p0, self.p1, failures, samples)

    def decide(self, failed: Bools) -> Stopped:
        """Run it over `failed`, in order."""
        return self.stopping.decide(failed)

    def operating(self, rate: float) -> Operating:
        """Its exact error rates and samples at a true rate."""
        return self.stopping.operating(rate)


@lru_cache(maxsize=64)
def rate_test(
    p0: float,
    p1: float,
    alpha: float = 0.01,
    beta: float = 0.01,
    *,
    cap: int | None = None,
    min_errors: int = MIN_ERRORS,
) -> RateTest:
    """A RateTest with thresholds that just hold alpha and beta. cap: samples, four fixed samples when left out.

    Takes about a second for rates of 0.1%; remembered. Raises ValueError for rates or error rates out of range.
    """
    check_rates(p0, p1)
    check_errors(alpha, beta)
    samples = cap or _CAP_IN_FIXED_SAMPLES * fixed_sample(p0, p1, alpha, beta)[0]

    def build(reject_at: float, accept_at: float) -> Stopping:
        return by_counts(
            lambda k, n: _above(p0, p1, k, n) >= reject_at,
            lambda k, n: _below(p0, p1, k, n) >= accept_at,
            samples,
            min_errors=min_errors,
        )

    reject_at, accept_at = calibrated(build, p0, p1, alpha, beta)
    return RateTest(p0, p1, alpha, beta, reject_at, accept_at, build(reject_at, accept_at))


def _above(p0: float, p1: float, failures: Ints | int, samples: Ints | int) -> Floats:
    return log_mixture(failures, samples, np.geomspace(math.sqrt(p0 * p1), max(0.5, p1), _ABOVE), p0)


def _below(p0: float, p1: float, failures: Ints | int, samples: Ints | int) -> Floats:
    return log_mixture(failures, samples, np.geomspace(p0 / 10, math.sqrt(p0 * p1), _BELOW), p1)
