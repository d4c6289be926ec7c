"""Zero-outage cutover: what a planned change costs the customers of this service must be nothing."""

import pytest

from shiftproof import ClusterDrills, PhaseKind, Rehearsal, RouterDrills

pytestmark = pytest.mark.cutover


def test_deploy(rehearsal: Rehearsal, cluster: ClusterDrills) -> None:
    for phase in rehearsal.three_times("deploy"):
        with phase:
            cluster.roll()
    rehearsal.prove("availability", "outage", "deploy")


def test_shift(rehearsal: Rehearsal, router: RouterDrills) -> None:
    for phase in rehearsal.three_times("shift", PhaseKind.SHIFT):
        with phase:
            router.shift()
        router.reset()
    rehearsal.prove("availability", "outage", "stickiness", "duplicates")
