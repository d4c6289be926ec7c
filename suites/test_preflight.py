"""Before anything moves: seconds, and nothing is changed."""

import pytest

from shiftproof import PreflightDrills

pytestmark = pytest.mark.preflight


def test_preflight(check: str, preflight: PreflightDrills) -> None:
    preflight.prove(check)
