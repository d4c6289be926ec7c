"""The monitor's thread: what it trips over is said, and who looks on does not matter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from fakes.clock import wait_until
from fakes.world import World

from shiftproof.errors import MeasureError
from shiftproof.gate.monitor import Monitor
from shiftproof.judge import LiveJudge, PhaseCount
from shiftproof.model.platform import Objectives


class Seen:
    """A view that counts its calls, and fails at each of them when told to."""

    def __init__(self, *, fails: bool = False) -> None:
        self.calls = 0
        self._fails = fails

    def __call__(self, counts: Sequence[PhaseCount]) -> None:
        self.calls += 1
        if self._fails:
            raise BrokenPipeError("the terminal is gone")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("shiftproof.gate.monitor.TICK_S", 0.01)
    made = World()
    made.running.started_ns = made.clock.now_ns()
    return made


def test_an_unexpected_fault_is_raised_in_the_drill_as_one_of_measuring(world: World, monkeypatch: Any) -> None:
    def trip(self: LiveJudge) -> None:
        raise KeyError("phase")

    monkeypatch.setattr(LiveJudge, "check", trip)
    monitor = Monitor(world.running, LiveJudge(Objectives()), 200, Seen())
    monitor.start()
    wait_until(lambda: monitor._found is not None)
    with pytest.raises(MeasureError, match="the monitor ended: KeyError"):
        monitor.checkpoint()
    monitor.stop()


def test_a_view_that_fails_is_left_out_and_the_measuring_goes_on(world: World, caplog: Any) -> None:
    view = Seen(fails=True)
    monitor = Monitor(world.running, LiveJudge(Objectives()), 200, view)
    monitor.start()
    wait_until(lambda: view.calls == 1)
    before = len(monitor.events())
    wait_until(lambda: len(monitor.events()) > before)
    monitor.checkpoint()
    world.running.dead = True
    wait_until(lambda: monitor._found is not None)
    monitor.stop()
    assert "died" in str(monitor._found)
    assert view.calls == 1
    assert "the live view failed" in caplog.text
