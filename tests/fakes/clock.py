"""Clocks for tests."""

from __future__ import annotations

import time
from collections.abc import Callable

from shiftproof.gate.clock import RunClock

SPEED = 8
"""A gate of 15 s over the made-up world then takes 2 s, and a stall of this machine of 1 s may still last 8 s."""


class SteppingClock:
    """A clock that stands still but for `sleep`, which steps it and lets the world move on."""

    def __init__(self, on_sleep: Callable[[float], None] = lambda seconds: None) -> None:
        self.t_ns = 1_700_000_000_000_000_000
        self.slept_s = 0.0
        self._on_sleep = on_sleep

    def now_ns(self) -> int:
        return self.t_ns

    def sleep(self, seconds: float) -> None:
        self.t_ns += int(seconds * 1e9)
        self.slept_s += seconds
        self._on_sleep(self.slept_s)


class RealClock:
    """The run clock as children of a gate see it."""

    def now_ns(self) -> int:
        return time.time_ns()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class QuickClock(RunClock):
    """A run clock on which SPEED seconds pass in one of the machine's."""

    def __init__(self, anchor_ns: int) -> None:
        super().__init__(anchor_ns)
        self._since_ns = time.monotonic_ns()

    def now_ns(self) -> int:
        return self.anchor_ns + self._since_ns + (time.monotonic_ns() - self._since_ns) * SPEED

    def sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds / SPEED
        self._checkpoint()
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.01))
            self._checkpoint()


def wait_until(condition: Callable[[], bool], within_s: float = 60.0) -> None:
    """Raises AssertionError when `condition` does not come true in time; generous, as machines may be slow."""
    give_up = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < give_up, "the condition did not come true in time"
        time.sleep(0.01)
