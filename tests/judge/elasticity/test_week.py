"""A week of load through the optimum: exact, and within its time."""

from __future__ import annotations

import time

import numpy as np
import pytest
from fakes.hindsight import programme

from benchmarks.hindsight_week import LEAST_PODS, PRICES, STEP_S, STEPS, planned, pods, read
from shiftproof.judge.elasticity import optimum


def test_a_week_takes_a_moment() -> None:
    rates = read()
    assert len(rates) == STEPS == 60_480
    begin_s = time.process_time()
    plan = planned(rates)
    assert time.process_time() - begin_s < 10
    assert np.all(plan.supply >= pods(rates))


@pytest.mark.parametrize("hour", [3, 12, 4 * 24 + 9])
def test_half_an_hour_of_it_is_what_the_programme_finds(hour: int) -> None:
    """At night, at noon, and when salaries land."""
    begin = hour * 3600 // STEP_S
    needed = pods(read()[begin : begin + 180])
    assert optimum(needed, STEP_S, PRICES, LEAST_PODS).cost == pytest.approx(
        programme(needed, STEP_S, PRICES, LEAST_PODS)
    )
