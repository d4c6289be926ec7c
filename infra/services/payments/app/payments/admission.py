"""A bound on requests in flight, with a short and bounded queue in front: what makes a pod a unit of capacity."""

from __future__ import annotations

import asyncio
from collections import deque


class Busy(Exception):
    """No place came free in time, or too many wait already."""


class Admission:
    """At most `limit` inside, at most `queue_limit` waiting, each for at most `wait_ms`; first come, first served.

    Not asyncio.Semaphore: the length of its queue has no bound, and a waiter that gives up costs a task.
    """

    def __init__(self, limit: int, queue_limit: int, wait_ms: float) -> None:
        self.in_flight = 0
        self._limit = limit
        self._queue_limit = queue_limit
        self._wait_s = wait_ms / 1000
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def enter(self) -> None:
        """Returns once inside; pair with `leave`. Raises Busy."""
        if self.in_flight < self._limit:
            self.in_flight += 1
            return
        if len(self._waiting) >= self._queue_limit:
            raise Busy("too many requests wait already")
        await self._wait_for_place()

    def leave(self) -> None:
        """Hand the place to the one who waited longest, or free it."""
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                return
        self.in_flight -= 1

    async def _wait_for_place(self) -> None:
        loop = asyncio.get_running_loop()
        place: asyncio.Future[None] = loop.create_future()
        self._waiting.append(place)
        timer = loop.call_later(self._wait_s, _give_up, place)
        try:
            await place
        except asyncio.CancelledError:
            # The client went away. If the place had been handed over already, it must go on to the next one.
            if place.done() and not place.cancelled() and place.exception() is None:
                self.leave()
            raise
        finally:
            timer.cancel()
            if place in self._waiting:
                self._waiting.remove(place)


def _give_up(place: asyncio.Future[None]) -> None:
    if not place.done():
        place.set_exception(Busy("no place came free in time"))
