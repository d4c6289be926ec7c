"""Tests that may be looked at after every request and stay valid (docs/STATISTICS.md: who uses which).

Sources
- A. Wald, "Sequential Tests of Statistical Hypotheses", Ann. Math. Statist. 16 (1945): the SPRT, its thresholds and
  the approximations of its expected sample.
- Q. McNemar, Psychometrika 12 (1947): of discordant pairs, each direction is as likely under "no difference".
- J. Ville (1939): a non-negative supermartingale that starts at 1 reaches 1/alpha with probability at most alpha. All
  e-processes here lean on it; A. Ramdas, P. Gruenwald, V. Vovk, G. Shafer, "Game-theoretic statistics and safe
  anytime-valid inference", Statist. Sci. 38 (2023).
- I. Waudby-Smith, A. Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86 (2024).
- C. Clopper, E. Pearson, Biometrika 26 (1934): the exact binomial bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy import special  # not scipy.stats: importing that takes 4 s of every gate

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Of this many errors one alone never makes a FAIL, however unlikely it was.
MIN_ERRORS = 2


#: Shares of the highest stake that cannot go bankrupt; half of the wealth starts on the last.
STAKES = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.99)


class Decision(StrEnum):
    ACCEPT = "accept"  # the lower rate
    REJECT = "reject"  # the higher rate
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class SprtResult:
    """decision after `used` samples (of all given, when OPEN), at log-likelihood ratio `llr`."""

    decision: Decision
    used: int
    llr: float


@dataclass(frozen=True, slots=True)
class Sprt:
    """Wald's test of a Bernoulli rate: acceptable `p0` against unacceptable `p1` > p0.

    After each sample the log-likelihood ratio grows by ln(p1/p0) on a failure and by ln((1-p1)/(1-p0)) on a success.
    REJECT (the rate is p1) at or above ln((1-beta)/alpha), ACCEPT at or below -ln((1-alpha)/beta).
    alpha: chance of REJECT under p0; beta: chance of ACCEPT under p1. Wald's bound: the true two add up to at most
    alpha + beta, and are at most alpha/(1-beta) and beta/(1-alpha).
    """

    p0: float
    p1: float
    alpha: float = 0.01
    beta: float = 0.01

    def __post_init__(self) -> None:
        if not 0 < self.p0 < self.p1 < 1:
            raise ValueError(f"need 0 < p0 < p1 < 1, got {self.p0} and {self.p1}")
        if not (0 < self.alpha < 0.5 and 0 < self.beta < 0.5):
            raise ValueError(f"need alpha and beta in (0, 0.5), got {self.alpha} and {self.beta}")

    @property
    def upper(self) -> float:
        return math.log((1 - self.beta) / self.alpha)

    @property
    def lower(self) -> float:
        return -math.log((1 - self.alpha) / self.beta)

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

    def decide(self, failed: Bools, *, cap: int | None = None, min_errors: int = MIN_ERRORS) -> SprtResult:
        """Run the test over `failed`, in order, up to `cap` samples. REJECT waits for `min_errors` failures."""
        failed = np.asarray(failed, dtype=np.bool_)[:cap]
        if not len(failed):
            return SprtResult(Decision.OPEN, 0, 0.0)
        k = np.cumsum(failed, dtype=np.int64)
        n = np.arange(1, len(failed) + 1)
        llr = self.llr(k, n)
        reject = (llr >= self.upper) & (k >= min_errors)
        accept = llr <= self.lower
        stop = reject | accept
        at = int(np.argmax(stop))
        if not stop[at]:
            return SprtResult(Decision.OPEN, len(failed), float(llr[-1]))
        return SprtResult(Decision.REJECT if reject[at] else Decision.ACCEPT, at + 1, float(llr[at]))

    def error_free_accept(self) -> int:
        """Samples without any failure after which ACCEPT is reached: ceil(ln((1-alpha)/beta) / -on_success)."""
        return math.ceil(self.lower / self.on_success)

    def wald_expected(self) -> tuple[float, float]:
        """Wald's approximations of the mean sample under p0 and under p1 (both ignore the overshoot, so are low)."""
        drift0 = self.p0 * self.on_failure + (1 - self.p0) * self.on_success
        drift1 = self.p1 * self.on_failure + (1 - self.p1) * self.on_success
        at0 = self.alpha * self.upper + (1 - self.alpha) * self.lower
        at1 = (1 - self.beta) * self.upper + self.beta * self.lower
        return at0 / drift0, at1 / drift1


def split_alpha(alpha: float, tests: int) -> float:
    """Bonferroni: with alpha/tests each, the chance that any of `tests` errs is at most alpha, however they depend."""
    if tests < 1:
        raise ValueError(f"need at least one test, got {tests}")
    return alpha / tests


def ruled_out_rate(n: int, k: int = 0, confidence: float = 0.99) -> float:
    """The smallest rate that `k` failures of `n` rule out at `confidence`: the exact (Clopper-Pearson) upper bound.

    The p with P(Binomial(n, p) <= k) = 1 - confidence; for k = 0 it is 1 - (1-confidence)^(1/n). 1.0 when n is 0:
    nothing seen, nothing ruled out.
    """
    if not 0 <= k <= n:
        raise ValueError(f"need 0 <= k <= n, got k={k}, n={n}")
    if k == n:
        return 1.0
    if k == 0:
        return float(-math.expm1(math.log1p(-confidence) / n))
    return float(special.betaincinv(k + 1, n - k, confidence))


def least_rate(n: int, k: int, confidence: float = 0.99) -> float:
    """The exact lower bound of the rate, at `confidence`: the mirror of `ruled_out_rate`. 0.0 without a failure."""
    return 0.0 if k == 0 else 1.0 - ruled_out_rate(n, n - k, confidence)


def samples_to_rule_out(rate: float, confidence: float = 0.99) -> int:
    """Error-free samples that `ruled_out_rate` needs to fall to `rate`."""
    return math.ceil(math.log1p(-confidence) / math.log1p(-rate))


def mcnemar_log_e(treatment_only: Ints | int, control_only: Ints | int) -> Floats:
    """Log e-value of "the treatment fails alone no more often than the control does" (one-sided McNemar).

    Of the discordant pairs, each is the treatment's with probability q <= 1/2 under the null. The e-value is the
    likelihood ratio against q = 1/2 of a mixture of alternatives: half a point at q = 0.99 (an outage of the treatment
    alone), half uniform on (1/2, 1):
        (1/2) 2^(t+c) 0.99^t 0.01^c + (1/2) 2^(t+c+1) B(t+1, c+1) I_{1/2}(c+1, t+1)
    with t, c the counts so far and I the regularised incomplete beta function. As every alternative exceeds 1/2, the
    ratio is a supermartingale for all q <= 1/2; it may be looked at after every pair.
    """
    t = np.asarray(treatment_only, dtype=np.float64)
    c = np.asarray(control_only, dtype=np.float64)
    doubled = (t + c) * math.log(2)
    point = doubled + t * math.log(0.99) + c * math.log(0.01)
    with np.errstate(divide="ignore"):
        tail = np.log(special.betainc(c + 1, t + 1, 0.5))
    uniform = doubled + math.log(2) + special.betaln(t + 1, c + 1) + tail
    result: Floats = np.asarray(np.logaddexp(point, uniform) - math.log(2), dtype=np.float64)
    return result


@dataclass(frozen=True, slots=True)
class Crossing:
    """Whether and where an e-process reached ln(1/alpha). index: position in what was given; -1 when it never did."""

    index: int
    log_e: float  # the largest it ever reached: by Ville the evidence stays good after it

    @property
    def reached(self) -> bool:
        return self.index >= 0


def mcnemar(treatment_only: Bools, control_only: Bools, alpha: float, *, min_errors: int = MIN_ERRORS) -> Crossing:
    """The McNemar e-process over pairs in order (two columns of one length); index is the row that decided."""
    discordant = np.flatnonzero(treatment_only | control_only)
    if not len(discordant):
        return Crossing(-1, 0.0)
    t = np.cumsum(treatment_only[discordant], dtype=np.int64)
    c = np.cumsum(control_only[discordant], dtype=np.int64)
    return _first(mcnemar_log_e(t, c), alpha, t >= min_errors, discordant)


def rate_log_e(failures: Ints | int, samples: Ints | int, p0: float) -> Floats:
    """Log e-value of "the rate is at most p0": a mixture of likelihood ratios over rates above p0.

    Sixteen alternatives p_j, log-uniform from p0 to 1/2, equal weights: mean over j of
    (p_j/p0)^k ((1-p_j)/(1-p0))^(n-k). For every true rate <= p0 each term is a supermartingale, as the likelihood
    ratio of a Bernoulli rises with the rate; so is their mean.
    """
    k = np.asarray(failures, dtype=np.float64)[..., None]
    n = np.asarray(samples, dtype=np.float64)[..., None]
    p = np.geomspace(p0, 0.5, 17)[1:]
    terms = k * np.log(p / p0) + (n - k) * (np.log1p(-p) - math.log1p(-p0))
    result: Floats = special.logsumexp(terms, axis=-1) - math.log(len(p))
    return result


def rate_above(failed: Bools, p0: float, alpha: float, *, min_errors: int = MIN_ERRORS) -> Crossing:
    """The e-process of `rate_log_e` over samples in order (computed at failures only: it cannot rise elsewhere)."""
    at = np.flatnonzero(failed)
    if not len(at):
        return Crossing(-1, 0.0)
    k = np.arange(1, len(at) + 1)
    return _first(rate_log_e(k, at + 1, p0), alpha, k >= min_errors, at)


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
    return _first(log_e, alpha, np.ones(len(x), dtype=np.bool_), np.arange(len(x)))


def mean_below(values: Floats, mean: float, alpha: float) -> Crossing:
    """The mirror: evidence that the mean of values in [-1, 1] is below `mean`."""
    return mean_above(-np.asarray(values, dtype=np.float64), -mean, alpha)


def seconds_to_show_below(mean: float, alpha: float) -> int:
    """Values of zero that `mean_below` needs at most: the half on the highest stake has to reach 1/alpha alone."""
    return math.ceil((math.log(1 / alpha) + math.log(2)) / math.log1p(STAKES[-1] * mean / (1 - mean)))


def _first(log_e: Floats, alpha: float, allowed: Bools, where: npt.NDArray[np.intp] | Ints) -> Crossing:
    crossed = (log_e >= math.log(1 / alpha)) & allowed
    best = float(max(log_e.max(), 0.0))
    at = int(np.argmax(crossed))
    return Crossing(int(where[at]) if crossed[at] else -1, best)


def excess_p(k: int, n: int, base_k: int, base_n: int, base_rate: float) -> float:
    """One-sided p-value of "the rate in k of n is no higher than in base_k of base_n".

    Conditional exact test (Fisher's idea): of the k + base_k events, each falls into the first sample with probability
    n / (n + base_n). Without a base sample, against the fixed `base_rate`.
    """
    if k == 0:
        return 1.0
    if base_n == 0:
        return binomial_at_least(k, n, base_rate)
    return binomial_at_least(k, k + base_k, n / (n + base_n))


def binomial_at_least(k: int, n: int, p: float) -> float:
    """P(X >= k) of X ~ Binomial(n, p), exact: the regularised incomplete beta function I_p(k, n - k + 1)."""
    if k <= 0:
        return 1.0
    return float(special.betainc(k, n - k + 1, p)) if k <= n else 0.0


def binomial_at_most(k: int, n: int, p: float) -> float:
    """P(X <= k) of X ~ Binomial(n, p), exact."""
    return 1.0 if k >= n else float(special.betaincc(k + 1, n - k, p)) if k >= 0 else 0.0
