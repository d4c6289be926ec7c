"""Our own load alone, while nothing is done to either side: as it is, and after a quiet spell."""

import pytest

from shiftproof import LoadDrills, PhaseKind, Rehearsal

pytestmark = pytest.mark.load


def test_steady(rehearsal: Rehearsal) -> None:
    with rehearsal.steady():
        pass
    rehearsal.prove("availability", "outage", "latency")


def test_quiet(rehearsal: Rehearsal, load: LoadDrills) -> None:
    with rehearsal.phase("quiet", PhaseKind.LOAD):
        load.pause()
    rehearsal.prove("availability", "outage")
