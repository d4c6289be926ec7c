"""The thread that looks at both loads: when an end of the event's load is one before its time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import pytest

from shiftproof.errors import LoadError
from shiftproof.model.event import Events, no_events
from shiftproof.ports import Elastic, RunningEvent, RunningLoad, SupplyState
from shiftproof.rehearse.collecting import Collector

S = 1_000_000_000
ENDS_S = 100.0


@dataclass
class World:
    """A clock that only looks move on: each takes `look_s`. The event's load ends at `ended_s`."""

    now_s: float
    look_s: float
    ended_s: float
    looked: int = 0

    def now_ns(self) -> int:
        return int(self.now_s * S)

    def state(self) -> SupplyState:
        self.looked += 1
        self.now_s += self.look_s
        return SupplyState(2, 2, 2, 0, frozenset({"node-1"}))

    def alive(self) -> bool:
        return self.now_s < self.ended_s

    def new_events(self) -> Events:
        return no_events()


@dataclass
class Alive:
    """The pairs' load."""

    def alive(self) -> bool:
        return True

    def new_events(self) -> Events:
        return no_events()


def _look(world: World) -> Callable[[], None]:
    """One look at it, as the thread does."""
    collector = Collector(
        cast("RunningLoad", Alive()), cast("Elastic", world), 300, world.now_ns, lambda recent, supply: None
    )
    collector.event_begins(cast("RunningEvent", world), 0, int(ENDS_S * S))
    return collector._look


def test_a_load_that_ends_before_its_last_is_due_is_told() -> None:
    with pytest.raises(LoadError, match="ended before the event did"):
        _look(World(90, look_s=0.1, ended_s=89))()


def test_one_that_ends_well_while_we_look_is_none() -> None:
    world = World(99, look_s=2, ended_s=ENDS_S)
    _look(world)()
    assert (world.looked, world.alive()) == (1, False)


def test_one_that_ends_while_we_look_and_too_soon_is_told() -> None:
    with pytest.raises(LoadError, match="ended before the event did"):
        _look(World(90, look_s=2, ended_s=91))()
