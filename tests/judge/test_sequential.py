"""Known answers, properties, and error rates by simulation. Exact error rates: test_sequential_exact.py."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from shiftproof.judge.case import PLANNED_TESTS
from shiftproof.judge.sequential import (
    binomial_at_least,
    binomial_at_most,
    excess_p,
    fixed_sample,
    least_rate,
    mcnemar,
    mcnemar_log_e,
    mean_above,
    mean_below,
    rate_log_e,
    ruled_out_rate,
    samples_to_rule_out,
    seconds_to_show_below,
    split_alpha,
)


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


@pytest.mark.parametrize(
    ("rates", "sample"), [((0.001, 0.01), (1157, 4)), ((0.001, 0.005), (3476, 8)), ((0.0001, 0.001), (11_601, 4))]
)
def test_the_best_fixed_sample_is_that_of_the_table_and_holds_both_errors(
    rates: tuple[float, float], sample: tuple[int, int]
) -> None:
    n, c = fixed_sample(*rates)
    assert (n, c) == sample
    assert stats.binom.sf(c, n, rates[0]) <= 0.01
    assert stats.binom.cdf(c, n, rates[1]) <= 0.01
    fewer = range(max(1, n - 200), n)
    assert not any(
        stats.binom.sf(x, m, rates[0]) <= 0.01 and stats.binom.cdf(x, m, rates[1]) <= 0.01
        for m in fewer
        for x in range(c + 2)
    )


def test_a_fixed_sample_needs_rates_in_their_order() -> None:
    with pytest.raises(ValueError, match="p0 < p1"):
        fixed_sample(0.01, 0.001)


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
    crossing = mcnemar(outage, ~outage, split_alpha(0.01, PLANNED_TESTS))
    assert crossing.reached
    assert crossing.index + 1 == 15


@given(k=st.integers(0, 30), n=st.integers(30, 3000), p0=st.sampled_from([1e-4, 1e-3, 1e-2]))
def test_rate_e_process_is_a_martingale_step_at_p0(k: int, n: int, p0: float) -> None:
    now = float(rate_log_e(k, n, p0))
    failed, passed = float(rate_log_e(k + 1, n + 1, p0)), float(rate_log_e(k, n + 1, p0))
    assert p0 * math.exp(failed - now) + (1 - p0) * math.exp(passed - now) == pytest.approx(1.0, rel=1e-6)


def test_betting_errs_less_often_than_alpha_with_looks_after_every_value() -> None:
    """2,000 streams under the null; the bound is what a true 5% would exceed once in a thousand."""
    rng, alpha, streams = np.random.default_rng(1), 0.05, 2_000
    wrong = {"above": 0, "below": 0}
    for row in rng.random((streams, 200)):
        bursty = np.where(row < 0.1, 1.0, -0.05 / 0.9)  # mean 0.05, in rare full seconds
        wrong["above"] += mean_above(bursty, 0.05, alpha).reached
        wrong["below"] += mean_below(bursty, 0.05, alpha).reached
    assert max(wrong.values()) <= int(stats.binom.ppf(0.999, streams, alpha))


def test_they_have_power() -> None:
    assert rate_log_e(30, 1_000, 0.001) > math.log(1e6)
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
