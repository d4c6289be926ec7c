"""Our own load alone, while nothing is done to either side: as it is, after a quiet spell, and at the declared peak."""

import pytest

from shiftproof import LoadDrills, PhaseKind, Rehearsal

pytestmark = pytest.mark.load


@pytest.mark.steady
def test_steady(rehearsal: Rehearsal) -> None:
    with rehearsal.steady():
        pass
    rehearsal.prove("availability", "outage", "latency", "parity", "duplicates")


def test_quiet(rehearsal: Rehearsal, load: LoadDrills) -> None:
    with rehearsal.phase("quiet", PhaseKind.LOAD):
        load.pause()
    rehearsal.prove("availability", "outage")


def test_capacity(rehearsal: Rehearsal, load: LoadDrills) -> None:
    with rehearsal.phase("capacity", PhaseKind.LOAD):
        load.everything_back()
    rehearsal.prove("availability", "outage", "capacity")
