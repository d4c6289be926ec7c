"""The optimum with hindsight: exact, and quick enough for a week."""

from __future__ import annotations

import numpy as np
import pytest
from fakes.hindsight import programme
from hypothesis import given, settings
from hypothesis import strategies as st

from shiftproof.judge.elasticity import Prices, cost_of, optimum
from shiftproof.judge.elasticity.hindsight import Units


def units(*values: int) -> Units:
    return np.array(values, dtype=np.int64)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=24),
    st.sampled_from([0.0, 0.5, 3.0]),
    st.sampled_from([0.0, 2.0, 7.0]),
    st.integers(0, 3),
)
def test_it_costs_what_the_dynamic_programme_finds(
    demand: list[int], per_start: float, boot_s: float, base: int
) -> None:
    prices = Prices(per_s=1.0, per_start=per_start, boot_s=boot_s)
    plan = optimum(units(*demand), 1.5, prices, base)
    assert plan.cost == pytest.approx(programme(units(*demand), 1.5, prices, base))
    assert plan.cost == pytest.approx(cost_of(plan.supply, 1.5, prices, base))
    assert (plan.supply >= np.maximum(demand, base)).all()


def test_a_gap_is_bridged_when_a_start_costs_more() -> None:
    demand = units(2, 1, 1, 1, 2)
    assert optimum(demand, 1.0, Prices(per_s=1.0, boot_s=4.0)).supply.tolist() == [2, 2, 2, 2, 2]
    assert optimum(demand, 1.0, Prices(per_s=1.0, boot_s=2.0)).supply.tolist() == [2, 1, 1, 1, 2]


def test_without_a_price_by_the_second_nothing_is_ever_ended() -> None:
    assert optimum(units(3, 0, 1), 1.0, Prices(per_s=0.0, per_start=1.0)).starts == 3


def test_nothing_wanted_costs_the_base() -> None:
    assert optimum(units(), 1.0, Prices(per_s=1.0)).cost == 0
    assert optimum(units(0, 0), 10.0, Prices(per_s=2.0), base=3).cost == 120


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="demand cannot be negative"):
        optimum(units(1, -1), 1.0, Prices(per_s=1.0))
    with pytest.raises(ValueError, match="cannot be negative"):
        Prices(per_s=-1.0)
