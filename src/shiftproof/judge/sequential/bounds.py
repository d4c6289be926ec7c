"""Exact binomial statements that are looked at once: what a sample rules out, tails, and the best fixed sample."""

from __future__ import annotations

import math

from scipy import special  # not scipy.stats: importing that takes 4 s of every gate


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


def fixed_sample(p0: float, p1: float, alpha: float = 0.01, beta: float = 0.01) -> tuple[int, int]:
    """(n, c): the smallest sample that tells p0 from p1 > p0 when looked at once, at its end, by "more than c failed".

    P(X > c) <= alpha under p0 and P(X <= c) <= beta under p1, exactly. For each c the least n that holds beta is found
    by halving; the first c at which that n also holds alpha gives the smallest n, as n grows with c.
    """
    if not 0 < p0 < p1 < 1:
        raise ValueError(f"need 0 < p0 < p1 < 1, got {p0} and {p1}")
    c = 0
    while True:
        low, high = c, 1 + c
        while binomial_at_most(c, high, p1) > beta:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if binomial_at_most(c, middle, p1) > beta else (low, middle)
        if binomial_at_least(c + 1, high, p0) <= alpha:
            return high, c
        c += 1


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
