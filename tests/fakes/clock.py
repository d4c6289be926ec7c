"""Clocks for tests."""

from __future__ import annotations

import time
from collections.abc import Callable


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


def wait_until(condition: Callable[[], bool], within_s: float = 5.0) -> None:
    """Raises AssertionError when `condition` does not come true in time."""
    give_up = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < give_up, "the condition did not come true in time"
        time.sleep(0.01)
