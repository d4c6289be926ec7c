"""A load over time: rates, and when each request is due."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shiftproof.model.demand import Demand

BURST = Demand.of([(0, 10), (60, 10), (80, 50), (120, 50), (120, 10), (150, 10)])


@pytest.mark.parametrize(
    ("t_s", "rate_per_s"), [(-1, 0), (0, 10), (59, 10), (70, 30), (80, 50), (119.9, 50), (120, 10), (149, 10), (150, 0)]
)
def test_rates_lie_on_the_lines_and_steps_are_steps(t_s: float, rate_per_s: float) -> None:
    assert BURST.rate_at(t_s) == pytest.approx(rate_per_s)


def test_what_it_amounts_to() -> None:
    assert (BURST.seconds, BURST.peak_per_s, BURST.requests) == (150, 50, 600 + 600 + 2000 + 300)


def test_scaled_it_keeps_its_shape() -> None:
    twice = BURST.scaled(2)
    assert twice.times_s == BURST.times_s
    assert twice.rate_at(70) == 60
    with pytest.raises(ValueError, match="above 0"):
        BURST.scaled(0)


@pytest.mark.parametrize(
    ("number", "due_s"),
    [(0, 0), (1, 0.1), (600, 60), (1200, 80), (1250, 81), (3200, 120), (3201, 120.1), (3499, 149.9)],
)
def test_when_a_request_is_due(number: int, due_s: float) -> None:
    assert BURST.due_s(number) == pytest.approx(due_s)


def test_there_are_no_more_than_it_amounts_to() -> None:
    assert (BURST.due_s(3500), BURST.due_s(-1)) == (None, None)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 40)), min_size=2, max_size=8),
    st.integers(0, 99),
)
def test_as_many_are_due_before_as_the_area_below_the_lines(pieces: list[tuple[int, int]], share_pct: int) -> None:
    t_s, points = 0.0, []
    for seconds, rate in pieces:
        points.append((t_s, float(rate)))
        t_s += seconds
    assume(sum((b[0] - a[0]) * (a[1] + b[1]) for a, b in itertools.pairwise(points)) > 0)
    demand = Demand.of(points)
    number = share_pct / 100 * demand.requests
    due_s = demand.due_s(number)
    assert due_s is not None
    steps = 300
    width = due_s / steps
    area = sum(demand.rate_at((step + 0.5) * width) * width for step in range(steps))
    assert area == pytest.approx(number, rel=0.01, abs=8 * 40 * width)


@pytest.mark.parametrize(
    ("points", "what"),
    [
        ([(0, 1)], "two points"),
        ([(1, 1), (2, 1)], "begin at 0"),
        ([(0, 1), (2, 1), (1, 1)], "never fall"),
        ([(0, 1), (2, -1)], "not negative"),
        ([(0, 0), (2, 0)], "some are above 0"),
        ([(0, 1), (0, 2)], "some are above 0"),
    ],
)
def test_what_is_no_load_is_refused(points: list[tuple[float, float]], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        Demand.of(points)


def test_none_is_due_at_the_very_end_however_the_sum_is_rounded() -> None:
    points = ((0.0, 20.16), (10.0, 20.16), (55.0, 100.8), (140.0, 100.8), (180.0, 20.16), (190.0, 20.16))
    demand = Demand(tuple(t_s for t_s, _ in points), tuple(rate for _, rate in points))
    assert demand.due_s(14_111) is not None
    assert demand.due_s(14_112) is None
    assert demand.count == 14_112


@pytest.mark.parametrize(
    ("points", "last_s"),
    [
        ([(0, 10), (10, 10)], 9.9),
        ([(0, 10), (10, 10), (10, 0), (60, 0)], 9.9),
        ([(0, 0.1), (15, 0.1)], 10.0),
        ([(0, 0), (10, 0), (10, 1), (11, 1)], 10.0),
    ],
)
def test_when_the_last_is_due(points: list[tuple[float, float]], last_s: float) -> None:
    demand = Demand.of(points)
    assert demand.last_due_s == pytest.approx(last_s)
    assert demand.due_s(demand.count - 1) == demand.last_due_s
    assert demand.due_s(demand.count) is None
