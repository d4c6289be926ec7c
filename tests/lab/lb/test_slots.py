"""Shares of a weighted rule, and the places of targets."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftproof.lab.lb.desired import Address
from shiftproof.lab.lb.slots import SHARES, TargetTable, shares


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ((100, 0), {"a": 1000}),
        ((75, 25), {"a": 750, "b": 250}),
        ((95, 5), {"a": 950, "b": 50}),
        ((1, 1), {"a": 500, "b": 500}),
        ((999, 1), {"a": 999, "b": 1}),
        ((2, 1), {"a": 667, "b": 333}),
        ((0, 0), {}),
        ((0, 7), {"b": 1000}),
    ],
)
def test_shares_of_known_weights(weights: tuple[int, int], expected: dict[str, int]) -> None:
    assert Counter(shares(tuple(zip("ab", weights, strict=True)))) == expected


@given(st.lists(st.integers(0, 999), min_size=1, max_size=5))
def test_shares_are_within_one_slot_of_exact_and_none_is_forgotten(weights: list[int]) -> None:
    named = tuple((f"group-{index}", weight) for index, weight in enumerate(weights))
    found = Counter(shares(named))
    if sum(weights) == 0:
        assert not found
        return
    assert sum(found.values()) == SHARES
    for name, weight in named:
        exact = SHARES * weight / sum(weights)
        # A group of the smallest weight is lifted to one slot at the cost of the largest, four times at most.
        assert abs(found[name] - exact) < (2 if exact < SHARES / len(weights) else 5)
        assert (found[name] > 0) == (weight > 0)


def test_place_that_was_free_longest_is_taken_first() -> None:
    table = TargetTable(("s1", "s2", "s3"))
    first = table.place(Address("10.0.0.1", 80), now=0)
    assert first is not None
    assert first.name == "s1"
    table.release(first)
    names = [slot.name for n in range(3) if (slot := table.place(Address(f"10.0.0.{n}", 80), now=1))]
    assert names == ["s2", "s3", "s1"]
    assert table.place(Address("10.0.0.9", 80), now=1) is None
    assert [slot.address.ip for slot in table] == ["10.0.0.0", "10.0.0.1", "10.0.0.2"]
