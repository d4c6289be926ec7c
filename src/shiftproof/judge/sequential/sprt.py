"""Wald's test of a simple hypothesis against a simple one, with his thresholds or with exact ones."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from shiftproof.judge.sequential.bounds import fixed_sample
from shiftproof.judge.sequential.calibrate import calibrated, check_errors, check_rates
from shiftproof.judge.sequential.evidence import MIN_ERRORS, Floats, Ints
from shiftproof.judge.sequential.stopping import Stopping, by_counts

#: An SPRT has no cap of its own; at this many fixed samples hardly any is still open.
_CAP_IN_FIXED_SAMPLES = 20


@dataclass(frozen=True, slots=True)
class Sprt:
    """Wald's test of a Bernoulli rate: acceptable `p0` against unacceptable `p1` > p0.

    After each sample the log-likelihood ratio grows by ln(p1/p0) on a failure and by ln((1-p1)/(1-p0)) on a success.
    REJECT (the rate is p1) at or above `reject_at`, ACCEPT at or below -`accept_at`; both Wald's when left out,
    ln((1-beta)/alpha) and ln((1-alpha)/beta).
    alpha: chance of REJECT under p0; beta: chance of ACCEPT under p1. With Wald's thresholds the true two add up to at
    most alpha + beta, and are at most alpha/(1-beta) and beta/(1-alpha): a little above what is stated on the side
    without overshoot, and well below on the other (1.0017% and 0.45% for 0.1% against 1% at 1% each). `exact_sprt`
    spends all that is stated and no more.
    """

    p0: float
    p1: float
    alpha: float = 0.01
    beta: float = 0.01
    reject_at: float | None = None
    accept_at: float | None = None

    def __post_init__(self) -> None:
        check_rates(self.p0, self.p1)
        check_errors(self.alpha, self.beta)

    @property
    def upper(self) -> float:
        return math.log((1 - self.beta) / self.alpha) if self.reject_at is None else self.reject_at

    @property
    def lower(self) -> float:
        return -(math.log((1 - self.alpha) / self.beta) if self.accept_at is None else self.accept_at)

    @property
    def on_failure(self) -> float:
        return math.log(self.p1 / self.p0)

    @property
    def on_success(self) -> float:
        return math.log1p(-self.p1) - math.log1p(-self.p0)

    def llr(self, failures: Ints | int, samples: Ints | int) -> Floats:
        """Log-likelihood ratio after `failures` of `samples` (arrays or numbers)."""
        k = np.asarray(failures, dtype=np.float64)
        n = np.asarray(samples, dtype=np.float64)
        return k * self.on_failure + (n - k) * self.on_success

    def stopping(self, cap: int | None = None, *, min_errors: int = MIN_ERRORS) -> Stopping:
        """When it stops; REJECT waits for `min_errors` failures. cap: 20 fixed samples when left out."""
        cap = cap or _CAP_IN_FIXED_SAMPLES * fixed_sample(self.p0, self.p1, self.alpha, self.beta)[0]
        return by_counts(
            lambda k, n: self.llr(k, n) >= self.upper,
            lambda k, n: self.llr(k, n) <= self.lower,
            cap,
            min_errors=min_errors,
        )

    def error_free_accept(self) -> int:
        """Samples without any failure after which ACCEPT is reached: lower / on_success, rounded up."""
        return math.ceil(self.lower / self.on_success)

    def wald_expected(self) -> tuple[float, float]:
        """Wald's approximations of the mean sample under p0 and under p1 (both ignore the overshoot, so are low)."""
        drift0 = self.p0 * self.on_failure + (1 - self.p0) * self.on_success
        drift1 = self.p1 * self.on_failure + (1 - self.p1) * self.on_success
        at0 = self.alpha * self.upper + (1 - self.alpha) * self.lower
        at1 = (1 - self.beta) * self.upper + self.beta * self.lower
        return at0 / drift0, at1 / drift1


@lru_cache(maxsize=64)
def exact_sprt(p0: float, p1: float, alpha: float = 0.01, beta: float = 0.01) -> Sprt:
    """The SPRT whose true error rates are as near below `alpha` and `beta` as its thresholds can bring them.

    So, by Wald and Wolfowitz, the fewest samples in the mean under p0 and p1 that any test can have. Takes about a
    second for rates of 0.1% (dynamic programming for each pair of thresholds that is tried); remembered.
    """
    wald = Sprt(p0, p1, alpha, beta)

    def build(reject_at: float, accept_at: float) -> Stopping:
        return replace(wald, reject_at=reject_at, accept_at=accept_at).stopping()

    reject_at, accept_at = calibrated(build, p0, p1, alpha, beta)
    return replace(wald, reject_at=reject_at, accept_at=accept_at)
