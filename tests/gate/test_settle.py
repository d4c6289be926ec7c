"""Between phases: a cluster side that is not whole, and whose fault that is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fakes.world import WHOLE, World

from shiftproof.errors import FaultError, ServiceFault
from shiftproof.gate.drills import ClusterDrills


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def drills(world: World) -> ClusterDrills:
    settings: Any = type(
        "Settings", (), {"service": type("S", (), {"objectives": type("O", (), {"deploy_within_s": 1})})}
    )
    phases: Any = None
    return ClusterDrills(world.cluster, phases, settings)


def test_a_service_that_does_not_come_back_fails(world: World, drills: ClusterDrills) -> None:
    drills.settle()
    world.cluster.whole = False
    with pytest.raises(ServiceFault, match="not whole again"):
        drills.settle()


def test_a_node_that_does_not_come_back_proves_nothing(world: World, drills: ClusterDrills) -> None:
    world.cluster.whole = False
    world.cluster.state = replace(WHOLE, ready=2, hindered_by=("node-2 is not ready",))
    with pytest.raises(FaultError, match="because node-2 is not ready"):
        drills.settle()
