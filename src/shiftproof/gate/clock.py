"""The run clock: wall-clock nanoseconds that never step, and a sleep that can be cut short."""

from __future__ import annotations

import time
from collections.abc import Callable

SLICE_S = 0.05  # how soon a decision cuts a sleep short


def take_anchor() -> int:
    """Nanoseconds to add to CLOCK_MONOTONIC for wall-clock time; taken once a run and handed to every child."""
    return time.time_ns() - time.monotonic_ns()


class RunClock:
    """Implements ports.Clock.

    Watchers and other threads take one that nothing watches: only the drill itself may be cut short.
    """

    def __init__(self, anchor_ns: int) -> None:
        self.anchor_ns = anchor_ns
        self._checkpoint: Callable[[], None] = _nothing

    def watch(self, checkpoint: Callable[[], None] | None) -> None:
        """`checkpoint` is called while sleeping, and raises to end a drill early; None: nothing does any more."""
        self._checkpoint = checkpoint or _nothing

    def now_ns(self) -> int:
        return self.anchor_ns + time.monotonic_ns()

    def stepped_s(self) -> float:
        """How far the wall clock has moved against this one since the anchor was taken: it was set, or we were asleep.

        What others wrote down by the wall clock is then off by as much.
        """
        return (take_anchor() - self.anchor_ns) / 1e9

    def sleep(self, seconds: float) -> None:
        """Sleep `seconds`, in slices, with a checkpoint before each and after the last."""
        until = time.monotonic() + seconds
        self._checkpoint()
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, SLICE_S))
            self._checkpoint()


def _nothing() -> None:
    """No reason to stop."""
