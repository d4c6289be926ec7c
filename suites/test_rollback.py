"""The way back, before it is needed: from the target weight to where the step started, timed."""

import pytest

from shiftproof import PhaseKind, Rehearsal, RouterDrills

pytestmark = pytest.mark.rollback


def test_rollback(rehearsal: Rehearsal, router: RouterDrills) -> None:
    for phase in rehearsal.three_times("rollback", PhaseKind.ROLLBACK):
        router.shift()
        with phase:
            router.roll_back()
    rehearsal.prove("availability", "outage", "rollback", "stickiness", "duplicates")
