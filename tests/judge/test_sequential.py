"""Known answers, exact dynamic programming, properties, and error rates by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from shiftproof.judge.sequential import (
    Decision,
    Sprt,
    binomial_at_least,
    binomial_at_most,
    excess_p,
    least_rate,
    mcnemar,
    mcnemar_log_e,
    mean_above,
    mean_below,
    rate_above,
    rate_log_e,
    ruled_out_rate,
    samples_to_rule_out,
    seconds_to_show_below,
    split_alpha,
)

ROWS = [(0.001, 0.01), (0.001, 0.005), (0.0001, 0.001)]


def exact(test: Sprt, rate: float) -> tuple[float, float, int]:
    """(mean sample, chance of REJECT, 99th percentile of the sample) at a true rate, by dynamic programming.

    The state after n samples is the number of failures k; within the thresholds only a handful of k are possible.
    """
    alive = {0: 1.0}
    mean = rejected = ended = 0.0
    p99 = 0
    n = 0
    while sum(alive.values()) > 1e-9:
        mean += sum(alive.values())  # E[N] = sum over n of P(N > n)
        n += 1
        grown: dict[int, float] = {}
        for k, chance in alive.items():
            grown[k] = grown.get(k, 0.0) + chance * (1 - rate)
            grown[k + 1] = grown.get(k + 1, 0.0) + chance * rate
        alive = {}
        for k, chance in grown.items():
            llr = k * test.on_failure + (n - k) * test.on_success
            if llr >= test.upper:
                rejected += chance
                ended += chance
            elif llr <= test.lower:
                ended += chance
            else:
                alive[k] = chance
        if not p99 and ended >= 0.99:
            p99 = n
    return mean, rejected, p99


@pytest.mark.parametrize(
    ("rates", "wald", "error_free"),
    list(zip(ROWS, [(668, 320), (1877, 1110), (6720, 3210)], [508, 1146, 5103], strict=True)),
)
def test_wald_and_error_free_samples_are_those_of_the_table(
    rates: tuple[float, float], wald: tuple[int, int], error_free: int
) -> None:
    test = Sprt(*rates)
    assert [round(n) for n in test.wald_expected()] == list(wald)
    assert test.error_free_accept() == error_free
    clean = np.zeros(error_free, dtype=bool)
    assert test.decide(clean).decision is Decision.ACCEPT
    assert test.decide(clean[:-1]).decision is Decision.OPEN


@pytest.mark.parametrize(("rates", "means"), list(zip(ROWS, [(676, 386), (1893, 1258), (6790, 3869)], strict=True)))
def test_exact_mean_samples_are_those_of_the_table(rates: tuple[float, float], means: tuple[int, int]) -> None:
    test = Sprt(*rates)
    under0, alpha, _ = exact(test, rates[0])
    under1, power, _ = exact(test, rates[1])
    assert (under0, under1) == pytest.approx(means, abs=0.6)  # the table says 3,869 where the sum gives 3,868.46
    beta = 1 - power  # Wald: each at most a/(1-b) and b/(1-a), and never more than a+b together
    assert alpha + beta <= 0.02
    assert max(alpha, beta) <= 0.01 / 0.99


def test_between_the_two_rates_the_sample_grows_hence_the_cap() -> None:
    mean, _, p99 = exact(Sprt(0.001, 0.01), 0.003)
    assert round(mean, -1) == 1150
    assert abs(p99 - 4084) <= 1


def test_with_ln_100_error_free_takes_509_and_5115() -> None:
    # ln(1/beta) instead of ln((1-alpha)/beta)
    for (p0, p1), n in (((0.001, 0.01), 509), ((0.0001, 0.001), 5115)):
        assert math.ceil(math.log(100) / -Sprt(p0, p1).on_success) == n


def test_a_total_outage_is_rejected_at_the_second_request() -> None:
    result = Sprt(0.001, 0.01).decide(np.ones(100, dtype=bool))
    assert (result.decision, result.used) == (Decision.REJECT, 2)


def test_one_error_alone_never_rejects() -> None:
    assert Sprt(0.0001, 0.5).decide(np.array([True])).decision is Decision.OPEN


def test_cap_leaves_it_open() -> None:
    assert Sprt(0.001, 0.01).decide(np.zeros(1000, dtype=bool), cap=500).decision is Decision.OPEN


@pytest.mark.parametrize("bad", [(0.01, 0.001), (0.0, 0.1), (0.1, 1.0)])
def test_rates_in_the_wrong_order_are_refused(bad: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="p0 < p1"):
        Sprt(*bad)


def test_error_free_bounds_as_they_are_printed() -> None:
    assert ruled_out_rate(5103) == pytest.approx(0.000902, abs=1e-6)
    assert ruled_out_rate(14_880) < 0.00031
    assert ruled_out_rate(0) == 1.0
    assert samples_to_rule_out(0.001) == 4603
    assert samples_to_rule_out(0.01) == 459


@given(n=st.integers(1, 50_000), k=st.integers(0, 40), confidence=st.sampled_from([0.8, 0.95, 0.99]))
def test_exact_bound_has_its_defining_property(n: int, k: int, confidence: float) -> None:
    k = min(k, n)
    upper, least = ruled_out_rate(n, k, confidence), least_rate(n, k, confidence)
    assert least <= k / n <= upper
    if k < n:
        assert stats.binom.cdf(k, n, upper) == pytest.approx(1 - confidence, rel=1e-6)
    if k:
        assert stats.binom.sf(k - 1, n, least) == pytest.approx(1 - confidence, rel=1e-6)


@given(n=st.integers(2, 10_000), k=st.integers(0, 20))
def test_more_clean_requests_rule_out_more(n: int, k: int) -> None:
    assert ruled_out_rate(n + 1, min(k, n)) < ruled_out_rate(n, min(k, n)) or k >= n


def test_ruled_out_rate_refuses_nonsense() -> None:
    with pytest.raises(ValueError, match="0 <= k <= n"):
        ruled_out_rate(3, 4)
    with pytest.raises(ValueError, match="at least one"):
        split_alpha(0.01, 0)


@given(t=st.integers(0, 60), c=st.integers(0, 60))
def test_mcnemar_is_a_martingale_step_at_one_half(t: int, c: int) -> None:
    now = float(mcnemar_log_e(t, c))
    later = 0.5 * math.exp(float(mcnemar_log_e(t + 1, c)) - now) + 0.5 * math.exp(float(mcnemar_log_e(t, c + 1)) - now)
    assert later == pytest.approx(1.0, rel=1e-6)


@given(t=st.integers(0, 200), c=st.integers(0, 200))
def test_mcnemar_rises_with_the_treatments_failures_and_falls_with_the_controls(t: int, c: int) -> None:
    assert mcnemar_log_e(t + 1, c) > mcnemar_log_e(t, c)
    assert mcnemar_log_e(t, c + 1) < mcnemar_log_e(t, c)


def test_mcnemar_decides_an_outage_within_a_few_failures_at_its_share_of_alpha() -> None:
    outage = np.ones(100, dtype=bool)
    crossing = mcnemar(outage, ~outage, split_alpha(0.01, 60))
    assert crossing.reached
    assert crossing.index + 1 == 14


@given(k=st.integers(0, 30), n=st.integers(30, 3000), p0=st.sampled_from([1e-4, 1e-3, 1e-2]))
def test_rate_e_process_is_a_martingale_step_at_p0(k: int, n: int, p0: float) -> None:
    now = float(rate_log_e(k, n, p0))
    failed, passed = float(rate_log_e(k + 1, n + 1, p0)), float(rate_log_e(k, n + 1, p0))
    assert p0 * math.exp(failed - now) + (1 - p0) * math.exp(passed - now) == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_type_one_errors_stay_below_alpha_with_looks_after_every_sample(seed: int) -> None:
    """2,000 streams under each null; the bound is what a true 5% would exceed once in a thousand."""
    rng = np.random.default_rng(seed)
    alpha, streams = 0.05, 2_000
    allowed = int(stats.binom.ppf(0.999, streams, alpha))
    wrong = {"mcnemar": 0, "rate": 0, "above": 0, "below": 0}
    for _ in range(streams):
        heads = rng.random(200) < 0.5
        wrong["mcnemar"] += mcnemar(heads, ~heads, alpha).reached
        wrong["rate"] += rate_above(rng.random(2_000) < 0.01, 0.01, alpha).reached
        bursty = np.where(rng.random(200) < 0.1, 1.0, -0.05 / 0.9)  # mean 0.05, in rare full seconds
        wrong["above"] += mean_above(bursty, 0.05, alpha).reached
        wrong["below"] += mean_below(bursty, 0.05, alpha).reached
    assert max(wrong.values()) <= allowed


def test_they_have_power() -> None:
    rng = np.random.default_rng(1)
    assert rate_above(rng.random(3_000) < 0.03, 0.001, 0.001).reached
    assert mean_above(np.full(20, 1.0), 0.05, 0.001).reached
    quiet = seconds_to_show_below(0.05, 0.05)
    assert quiet == 73
    assert mean_below(np.zeros(quiet), 0.05, 0.05).reached
    assert not mean_below(np.zeros(quiet - 10), 0.05, 0.05).reached


@settings(max_examples=50)
@given(st.lists(st.floats(-1, 1), max_size=50), st.floats(-0.9, 0.9))
def test_betting_never_goes_bankrupt(values: list[float], mean: float) -> None:
    for crossing in (mean_above(np.array(values), mean, 0.01), mean_below(np.array(values), mean, 0.01)):
        assert math.isfinite(crossing.log_e)


def test_values_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[-1, 1\]"):
        mean_above(np.array([1.5]), 0.0, 0.01)


def test_excess_compares_with_the_base_or_a_rate() -> None:
    assert excess_p(0, 1000, 5, 1000, 0.001) == 1.0
    assert excess_p(10, 1000, 0, 2000, 0.001) == pytest.approx((1 / 3) ** 10)
    assert excess_p(5, 1000, 10, 2000, 0.001) > 0.5
    assert excess_p(2, 1000, 0, 0, 0.001) == pytest.approx(float(stats.binom.sf(1, 1000, 0.001)))


@given(st.integers(0, 400), st.integers(0, 400), st.floats(0.0001, 0.9999))
def test_binomial_tails_are_scipys(k: int, n: int, p: float) -> None:
    assert binomial_at_least(k, n, p) == pytest.approx(float(stats.binom.sf(k - 1, n, p)), rel=1e-9, abs=1e-300)
    assert binomial_at_most(k, n, p) == pytest.approx(float(stats.binom.cdf(k, n, p)), rel=1e-9, abs=1e-300)
