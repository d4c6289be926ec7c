"""What needs no simulation: independent failures, by dynamic programming."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from benchmarks.decisions.streams import PAIRS_PER_S
from shiftproof.judge.case import PLANNED_TESTS
from shiftproof.judge.sequential import (
    Sprt,
    Stopping,
    binomial_at_least,
    binomial_at_most,
    exact_sprt,
    fixed_sample,
    mcnemar_stopping,
    rate_test,
    split_alpha,
)

RATES = ((0.001, 0.01), (0.001, 0.005), (0.0001, 0.001))
Q = (0.55, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1 - 1e-9)


def two_rates() -> Iterator[dict[str, Any]]:
    """For each pair of rates and each test: errors, mean and 99th percentile at p0, between, at p1 and beyond."""
    for p0, p1 in RATES:
        bound0, bound1 = Sprt(p0, p1).wald_expected()
        yield {"p0": p0, "p1": p1, "test": "Wald's bound", "mean_p0": bound0, "mean_p1": bound1}
        tests = {
            "rate test": rate_test(p0, p1).stopping,
            "exact SPRT": exact_sprt(p0, p1).stopping(),
            "Wald's SPRT": Sprt(p0, p1).stopping(),
        }
        for name, stopping in tests.items():
            yield {"p0": p0, "p1": p1, "test": name} | _figures(stopping, p0, p1)
        n, c = fixed_sample(p0, p1)
        yield {
            "p0": p0,
            "p1": p1,
            "test": "fixed sample",
            "false_fail": binomial_at_least(c + 1, n, p0),
            "false_pass": binomial_at_most(c, n, p1),
        } | {f"{what}_{where}": n for where in ("p0", "between", "p1", "5p1", "all") for what in ("mean", "p99")}


def _figures(stopping: Stopping, p0: float, p1: float) -> dict[str, float]:
    figures = {
        "false_fail": stopping.operating(p0).reject,
        "false_pass": stopping.operating(p1).accept,
    }
    places = {"p0": p0, "between": math.sqrt(p0 * p1), "p1": p1, "5p1": 5 * p1, "all": 1 - 1e-12}
    for where, rate in places.items():
        found = stopping.operating(rate)
        figures |= {f"mean_{where}": found.mean_samples, f"p99_{where}": found.samples(0.99)}
    return figures


def pairs() -> Iterator[dict[str, Any]]:
    """McNemar as the gate uses it, in discordant pairs, against the least that any test of its alpha needs."""
    share = split_alpha(0.01, PLANNED_TESTS)
    for alpha in (share, 0.01):
        for q in Q:
            information = q * math.log(2 * q) + (1 - q) * math.log(2 * (1 - q))
            least = math.log(1 / alpha) / information
            found = mcnemar_stopping(alpha, math.ceil(5 * least)).operating(q)
            yield {
                "alpha": alpha,
                "q": round(q, 6),
                "wald_bound": least,
                "mean": found.mean_samples,
                "p99": found.samples(0.99),
                "seconds_if_all_fail": found.mean_samples / PAIRS_PER_S,
            }
        half = mcnemar_stopping(alpha, 2_500).operating(0.5)
        yield {"alpha": alpha, "q": 0.5, "wrong": half.reject}
