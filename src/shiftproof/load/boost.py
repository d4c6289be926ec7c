"""Single requests that raise the load of one side, on order and for a bounded time. Pairs go on undisturbed."""

from __future__ import annotations

from collections.abc import Callable

import gevent

from shiftproof.load.lane import Lane
from shiftproof.load.schedule import Schedule

LONGEST_S = 120.0  # it ends by itself after that, whatever became of who ordered it
BREATHE_EVERY = 16  # requests sent in one go when we are behind, before answers are read again

MakeSchedule = Callable[[float, int, int], Schedule]
"""(rate a second, start in ns, first index) -> the schedule of one boost."""


class Boost:
    """The extra load of one side: an open loop of its own, beside that of the pairs."""

    def __init__(self, lane: Lane, schedule_for: MakeSchedule, now_ns: Callable[[], int]) -> None:
        self.lane = lane
        self.scheduled = 0
        self._schedule_for = schedule_for
        self._now_ns = now_ns
        self._running: gevent.Greenlet | None = None

    def on(self, rate_per_s: float) -> None:
        """Send that many a second from now on, instead of what was ordered before."""
        self.off()
        start_ns = self._now_ns()
        schedule = self._schedule_for(rate_per_s, start_ns, self.scheduled)
        self._running = gevent.spawn(self._send_all, schedule, start_ns + int(LONGEST_S * 1e9))

    def off(self) -> None:
        """Send nothing more; what is in flight goes on. Safe to call when nothing is sent."""
        if self._running is not None:
            self._running.kill()
            self._running = None

    def _send_all(self, schedule: Schedule, until_ns: int) -> None:
        behind = 0
        while True:
            slot = schedule.take()
            wait_ns = slot.intended_ns - self._now_ns()
            if slot.intended_ns >= until_ns:
                return
            behind = behind + 1 if wait_ns < -1_000_000 else 0
            if wait_ns > 0 or behind >= BREATHE_EVERY:
                gevent.sleep(max(0.0, wait_ns / 1e9))
                behind = 0
            # No switch from here on: counted and sent, or neither, even when it is ended meanwhile.
            self.scheduled += 1
            self.lane.launch(slot, self.lane.possible(slot.operation))
