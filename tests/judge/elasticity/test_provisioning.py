"""Under- and over-provisioning against figures worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from shiftproof.judge.elasticity import Provisioning, provisioning
from shiftproof.judge.elasticity.hindsight import Units


def units(*values: int) -> Units:
    return np.array(values, dtype=np.int64)


def test_a_late_step_is_missing_and_then_idle() -> None:
    found = provisioning(units(2, 4, 4, 2), units(2, 2, 4, 4), step_s=10.0)
    assert found == Provisioning(
        under_accuracy=0.125,
        over_accuracy=0.25,
        under_share=0.25,
        over_share=0.25,
        jitter_per_s=-1 / 40,
        shortfall_unit_s=20.0,
    )


def test_flapping_shows_as_jitter_above_none() -> None:
    assert provisioning(units(2, 2, 2, 2), units(2, 3, 2, 3), step_s=1.0).jitter_per_s == 0.75


def test_a_perfect_supply_has_nothing_but_zeros() -> None:
    assert provisioning(units(1, 3, 2), units(1, 3, 2), step_s=1.0) == Provisioning(0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize(("demand", "supply"), [((1, 2), (1,)), ((), ()), ((0, 1), (1, 1))])
def test_what_cannot_be_compared_is_refused(demand: tuple[int, ...], supply: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"same steps|at least one unit"):
        provisioning(units(*demand), units(*supply), step_s=1.0)
