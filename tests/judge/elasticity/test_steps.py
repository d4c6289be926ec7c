"""Step functions of time."""

from __future__ import annotations

import numpy as np
import pytest

from shiftproof.judge.elasticity.steps import Steps

S = 1_000_000_000


def seconds(*changes: tuple[float, int]) -> Steps:
    return Steps.of([(round(t_s * S), value) for t_s, value in changes])


def test_a_value_holds_until_the_next() -> None:
    steps = seconds((1, 3), (2.5, 5))
    assert [steps.at(round(t_s * S)) for t_s in (0, 1, 2.4, 2.5, 99)] == [0, 3, 3, 5, 5]


def test_order_does_not_matter_and_the_last_of_a_moment_holds() -> None:
    steps = seconds((2, 5), (1, 3), (1, 4), (3, 5))
    assert steps.at_ns.tolist() == [S, 2 * S]
    assert steps.values.tolist() == [4, 5]


def test_what_comes_and_goes_is_counted() -> None:
    steps = Steps.counted([(3 * S, -1), (S, 1), (S, 1), (5 * S, -1)])
    assert [steps.at(t_s * S) for t_s in range(7)] == [0, 2, 2, 1, 1, 0, 0]


@pytest.mark.parametrize(
    ("value", "from_s", "found_s"), [(3, 0, 1), (3, 1.5, 1.5), (5, 0, 2), (5, 4.5, 6), (6, 0, None), (0, 3, 3)]
)
def test_when_it_is_that_high(value: int, from_s: float, found_s: float | None) -> None:
    steps = seconds((1, 3), (2, 5), (4, 2), (6, 5))
    expected = None if found_s is None else round(found_s * S)
    assert steps.first_at_least(value, round(from_s * S)) == expected


def test_a_part_begins_with_what_held_there() -> None:
    part = seconds((1, 3), (2, 5), (4, 2)).between(round(1.5 * S), 4 * S)
    assert part.at_ns.tolist() == [round(1.5 * S), 2 * S]
    assert part.values.tolist() == [3, 5]


def test_on_a_grid_each_step_has_what_holds_at_its_beginning() -> None:
    grid = seconds((1, 3), (2.5, 5)).on_grid(0, 4 * S, 0.5)
    assert grid.tolist() == [0, 0, 3, 3, 3, 5, 5, 5]
    assert grid.dtype == np.int64


@pytest.mark.parametrize(
    ("values", "turns"), [([], 0), ([3], 0), ([3, 4, 6], 0), ([3, 6, 5, 3], 1), ([3, 5, 4, 5, 3], 3)]
)
def test_turns_are_changes_of_direction(values: list[int], turns: int) -> None:
    assert seconds(*enumerate(values, start=1)).turns() == turns
