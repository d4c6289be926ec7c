"""Money never becomes a float, and no amount is guessed."""

from __future__ import annotations

import importlib
import sys
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftproof.lab.setup.paths import service_folder


@pytest.fixture(scope="module")
def money() -> Any:
    """The service's own module: it needs none of the service's dependencies."""
    sys.path.insert(0, str(service_folder("payments") / "app"))
    try:
        return importlib.import_module("payments.money")
    finally:
        sys.path.pop(0)


@given(minor=st.integers(1, 10**12 - 1), currency=st.sampled_from(["EUR", "ISK", "KWD"]))
def test_what_is_written_reads_back_to_the_same_minor_units(money: Any, minor: int, currency: str) -> None:
    text = money.to_text(minor, currency)
    assert money.to_minor(text, currency) == minor
    assert Decimal(text).as_tuple().exponent == -money.MINOR_DIGITS[currency]


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [("12.34", "EUR", 1234), ("12.3", "EUR", 1230), (12, "EUR", 1200), ("7", "ISK", 7), ("1.234", "KWD", 1234)],
)
def test_amounts_that_mean_one_thing(money: Any, amount: str | int, currency: str, minor: int) -> None:
    assert money.to_minor(amount, currency) == minor


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        ("12.345", "EUR"),
        ("1.5", "ISK"),
        ("0.00", "EUR"),
        (0, "EUR"),
        ("-1", "EUR"),
        (-1, "EUR"),
        ("1e3", "EUR"),
        ("NaN", "EUR"),
        ("1,5", "EUR"),
        ("", "EUR"),
        ("٣", "EUR"),
        ("1234567890123", "EUR"),
        ("1", "XXX"),
        (True, "EUR"),
    ],
)
def test_amounts_that_are_refused(money: Any, amount: str | int, currency: str) -> None:
    with pytest.raises(ValueError, match=r"amount|currency|digits"):
        money.to_minor(amount, currency)
