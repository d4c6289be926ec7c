"""Error rates and samples of the sequential tests, exactly: known answers, Wald's bound, and stated errors held.

Two ways that share no code: dynamic programming over every sample and every count on the test's own evidence (below),
and `Stopping.operating`, which goes from failure to failure over the boundaries.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.decisions.exact import RATES
from shiftproof.judge.case import PLANNED_TESTS
from shiftproof.judge.sequential import (
    Decision,
    RateTest,
    Sprt,
    Stopping,
    exact_sprt,
    fixed_sample,
    mcnemar,
    mcnemar_log_e,
    mcnemar_stopping,
    rate_log_e,
    rate_test,
)
from shiftproof.judge.sequential.pairs import MCNEMAR_Q, MCNEMAR_WEIGHTS
from shiftproof.judge.sequential.stopping import by_counts

ROWS = list(RATES)
SHARE = 0.01 / PLANNED_TESTS


def slowly(
    rejects: Callable[[int, int], bool], accepts: Callable[[int, int], bool], rate: float, cap: int
) -> tuple[float, float, float]:
    """(chance of REJECT, of ACCEPT, mean sample) sample by sample; the state is the number of failures."""
    alive = {0: 1.0}
    mean = rejected = accepted = 0.0
    for n in range(1, cap + 1):
        mean += sum(alive.values())  # E[N] = sum over n of P(N > n)
        grown: dict[int, float] = {}
        for k, chance in alive.items():
            grown[k] = grown.get(k, 0.0) + chance * (1 - rate)
            grown[k + 1] = grown.get(k + 1, 0.0) + chance * rate
        alive = {}
        for k, chance in grown.items():
            if rejects(k, n):
                rejected += chance
            elif accepts(k, n):
                accepted += chance
            else:
                alive[k] = chance
    return rejected, accepted, mean


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


@pytest.mark.parametrize(("rates", "means"), list(zip(ROWS, [(676, 386), (1893, 1258), (6790, 3869)], strict=True)))
def test_exact_samples_and_error_rates_of_walds_thresholds(
    rates: tuple[float, float], means: tuple[float, float]
) -> None:
    stopping = Sprt(*rates).stopping()
    at0, at1 = (stopping.operating(rate) for rate in rates)
    # The table says 3,869 where the sum gives 3,868.46.
    assert (at0.mean_samples, at1.mean_samples) == pytest.approx(means, abs=0.6)
    assert at0.reject + at1.accept <= 0.02  # Wald: each at most a/(1-b) and b/(1-a), and never more than a+b together
    assert max(at0.reject, at1.accept) <= 0.01 / 0.99
    assert at1.accept > 0.01  # why there are exact thresholds: just above what is stated


def test_between_the_two_rates_the_sample_grows_hence_the_cap() -> None:
    between = Sprt(0.001, 0.01).stopping().operating(0.003)
    assert round(between.mean_samples, -1) == 1150
    assert between.samples(0.99) == 4084


def test_with_ln_100_error_free_takes_509_and_5115() -> None:
    for (p0, p1), n in (((0.001, 0.01), 509), ((0.0001, 0.001), 5115)):
        assert Sprt(p0, p1, accept_at=math.log(100)).error_free_accept() == n


@pytest.mark.parametrize("make", [exact_sprt, rate_test, Sprt])
def test_a_total_outage_is_rejected_at_the_second_request(make: Callable[[float, float], Sprt | RateTest]) -> None:
    test = make(0.001, 0.01)
    stopping = test.stopping if isinstance(test, RateTest) else test.stopping()
    stopped = stopping.decide(np.ones(100, dtype=bool))
    assert (stopped.decision, stopped.used) == (Decision.REJECT, 2)


def test_one_error_alone_never_rejects() -> None:
    assert Sprt(0.0001, 0.5).stopping().decide(np.array([True])).decision is Decision.OPEN


def test_the_cap_leaves_it_open() -> None:
    stopped = Sprt(0.001, 0.01).stopping(cap=500).decide(np.zeros(1000, dtype=bool))
    assert (stopped.decision, stopped.used) == (Decision.OPEN, 500)
    at0 = Sprt(0.001, 0.01).stopping(cap=500).operating(0.001)
    assert at0.open == pytest.approx(1 - at0.reject)
    assert at0.samples(0.99) == 500


@pytest.mark.parametrize("bad", [(0.01, 0.001), (0.0, 0.1), (0.1, 1.0)])
def test_rates_in_the_wrong_order_are_refused(bad: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="p0 < p1"):
        Sprt(*bad)
    with pytest.raises(ValueError, match="p0 < p1"):
        rate_test(*bad)


@pytest.mark.parametrize("bad", [(0.0, 0.01), (0.01, 0.5)])
def test_error_rates_out_of_range_are_refused(bad: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="alpha and beta"):
        Sprt(0.001, 0.01, *bad)
    with pytest.raises(ValueError, match="alpha and beta"):
        rate_test(0.001, 0.01, *bad)


def test_an_impossible_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="rate"):
        Sprt(0.001, 0.01).stopping().operating(1.0)


@pytest.mark.parametrize("rates", ROWS)
def test_exact_thresholds_hold_what_is_stated_and_come_within_five_percent_of_walds_bound(
    rates: tuple[float, float],
) -> None:
    """Wald's approximation is a lower bound of the mean sample of any test with these errors, fixed or sequential."""
    test = exact_sprt(*rates)
    at0, at1 = (test.stopping().operating(rate) for rate in rates)
    assert 0.0099 < at0.reject <= 0.01
    assert 0.0099 < at1.accept <= 0.01
    least0, least1 = Sprt(*rates).wald_expected()
    assert least0 <= at0.mean_samples <= 1.05 * least0
    assert least1 <= at1.mean_samples <= 1.05 * least1


@pytest.mark.parametrize("rates", ROWS)
def test_the_composite_test_holds_its_errors_and_costs_little_more_than_the_exact_sprt(
    rates: tuple[float, float],
) -> None:
    p0, p1 = rates
    composite, simple = rate_test(p0, p1), exact_sprt(p0, p1).stopping()
    assert 0.0099 < composite.operating(p0).reject <= 0.01
    assert 0.0099 < composite.operating(p1).accept <= 0.01
    for rate in (p0, p1):
        assert composite.operating(rate).mean_samples <= 1.10 * simple.operating(rate).mean_samples
    between = math.sqrt(p0 * p1)  # where the SPRT is at its worst
    assert composite.operating(between).mean_samples < simple.operating(between).mean_samples
    assert composite.operating(between).open < 1e-4


@pytest.mark.parametrize("rates", ROWS)
@pytest.mark.parametrize("beyond", [-4, -2, 1.5, 2, 5, 20])
def test_the_composite_test_comes_within_25_percent_of_the_sprt_that_knows_the_rate(
    rates: tuple[float, float], beyond: float
) -> None:
    """beyond: so many times above p1, or (negative) below p0."""
    p0, p1 = rates
    rate = p1 * beyond if beyond > 0 else p0 / -beyond
    knowing = exact_sprt(rate, p1) if rate < p0 else exact_sprt(p0, rate)
    needed = knowing.stopping().operating(rate).mean_samples
    assert rate_test(p0, p1).operating(rate).mean_samples <= 1.25 * needed


@pytest.mark.parametrize("rates", ROWS)
@pytest.mark.parametrize("factor", [0.0, 0.1, 0.5, 0.9])
def test_errors_hold_at_every_rate_beyond_the_two(rates: tuple[float, float], factor: float) -> None:
    test = rate_test(*rates)
    assert test.operating(rates[0] * factor).reject <= 0.01
    assert test.operating(rates[1] + 0.9 * factor).accept <= 0.01


@pytest.mark.parametrize("rate", [0.01, 0.03, 0.1, 0.6])
def test_operating_agrees_with_a_sum_over_every_sample(rate: float) -> None:
    p0, p1, cap = 0.01, 0.1, 300
    sprt, composite = Sprt(p0, p1), rate_test(p0, p1, cap=cap)
    cases: list[tuple[Stopping, Callable[[int, int], bool], Callable[[int, int], bool]]] = [
        (
            sprt.stopping(cap=cap),
            lambda k, n: bool(sprt.llr(k, n) >= sprt.upper) and k >= 2,
            lambda k, n: bool(sprt.llr(k, n) <= sprt.lower),
        ),
        (
            composite.stopping,
            lambda k, n: bool(composite.log_e_above(k, n) >= composite.reject_at) and k >= 2,
            lambda k, n: bool(composite.log_e_below(k, n) >= composite.accept_at),
        ),
    ]
    for stopping, rejects, accepts in cases:
        got = stopping.operating(rate)
        want = slowly(rejects, accepts, rate, cap)
        assert (got.reject, got.accept, got.mean_samples) == pytest.approx(want, rel=1e-9, abs=1e-12)
        assert got.reject + got.accept + got.open == pytest.approx(1.0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 400), max_size=30, unique=True), st.integers(1, 400))
def test_deciding_is_the_evidence_looked_at_after_every_sample(failures: list[int], samples: int) -> None:
    test = rate_test(0.01, 0.1, cap=300)
    failed = np.zeros(samples, dtype=bool)
    failed[[n - 1 for n in failures if n <= samples]] = True
    want, k = (Decision.OPEN, min(samples, 300)), 0
    for n, one in enumerate(failed[:300], start=1):
        k += int(one)
        if k >= 2 and test.log_e_above(k, n) >= test.reject_at:
            want = (Decision.REJECT, n)
        elif test.log_e_below(k, n) >= test.accept_at:
            want = (Decision.ACCEPT, n)
        if want[0] is not Decision.OPEN:
            break
    got = test.decide(failed)
    assert (got.decision, got.used) == want


def test_what_is_exact_is_what_is_drawn() -> None:
    """8,000 streams at three rates, against five standard deviations: the streams test the sum, not the other way."""
    rng, test, streams = np.random.default_rng(3), rate_test(0.01, 0.1), 8_000
    for rate in (0.01, 0.03, 0.1):
        exact = test.operating(rate)
        drawn = [test.decide(row) for row in rng.random((streams, 700)) < rate]
        rejected = sum(one.decision is Decision.REJECT for one in drawn) / streams
        used = np.array([one.used for one in drawn])
        assert rejected == pytest.approx(exact.reject, abs=5 * math.sqrt(exact.reject / streams))
        assert used.mean() == pytest.approx(exact.mean_samples, abs=5 * used.std() / math.sqrt(streams))
        assert float(np.quantile(used, 0.99)) == pytest.approx(exact.samples(0.99), rel=0.05)


def test_mcnemar_never_errs_more_often_than_its_share_however_long_it_goes_on() -> None:
    """P(ever) <= P(within the cap) + alpha E[e-value where still open at the cap], and an e-value's mean over the open
    streams is, by the change of measure that it is, the mixture's chance of being open."""
    stopping = mcnemar_stopping(SHARE, 2_500)
    within = stopping.operating(0.5).reject
    tail = sum(w * stopping.operating(q).open for q, w in zip(MCNEMAR_Q, MCNEMAR_WEIGHTS, strict=True))
    assert within > 0.5 * SHARE
    assert within + SHARE * tail <= SHARE
    assert stopping.operating(0.4).reject < within


@pytest.mark.parametrize("p0", [0.001, 0.01])
def test_the_rates_e_process_holds_alpha(p0: float) -> None:
    threshold = math.log(1 / SHARE)
    stopping = by_counts(lambda k, n: rate_log_e(k, n, p0) >= threshold, None, round(100 / p0), min_errors=2)
    assert 0.2 * SHARE < stopping.operating(p0).reject < SHARE


@pytest.mark.parametrize("q", [0.55, 0.6, 0.65, 0.7, 0.8, 0.9, 0.95, 0.99, 1 - 1e-9])
def test_mcnemar_comes_within_25_percent_of_walds_bound_whatever_the_excess(q: float) -> None:
    """No test of that alpha needs fewer discordant pairs in the mean than ln(1/alpha) / KL(q || 1/2)."""
    information = q * math.log(2 * q) + (1 - q) * math.log(2 * (1 - q))
    least = math.log(1 / SHARE) / information
    cap = math.ceil(4 * least)
    found = mcnemar_stopping(SHARE, cap).operating(q)
    assert found.reject > 0.99
    assert found.mean_samples <= 1.25 * least


def test_mcnemars_boundaries_are_mcnemar() -> None:
    rng = np.random.default_rng(5)
    stopping = mcnemar_stopping(0.001, 400)
    reached = 0
    for _ in range(300):
        treatment = rng.random(400) < rng.uniform(0.45, 0.9)
        crossing, stopped = mcnemar(treatment, ~treatment, 0.001), stopping.decide(treatment)
        assert crossing.reached == (stopped.decision is Decision.REJECT)
        if crossing.reached:
            reached += 1
            assert crossing.index + 1 == stopped.used
            assert float(mcnemar_log_e(stopped.failures, stopped.used - stopped.failures)) >= math.log(1000)
    assert 50 < reached < 300


def test_the_best_fixed_sample_needs_more_than_any_of_them() -> None:
    for p0, p1 in ROWS:
        n, _ = fixed_sample(p0, p1)
        assert rate_test(p0, p1).operating(p0).mean_samples < 0.6 * n
