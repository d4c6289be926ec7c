"""The Locust user that holds the open loop: every slot goes to its lanes when it is due, whatever the server does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import permutations
from typing import ClassVar

import gevent
from gevent.event import Event
from locust import User, task
from locust.exception import StopUser

from shiftproof.load.boost import Boost
from shiftproof.load.lane import Lane
from shiftproof.load.schedule import Schedule, Slot

BREATHE_EVERY = 16  # slots sent in one go when we are behind, before answers are read again
DRAIN_SPARE_S = 1.0


class OpenLoop:
    """Takes slots from the schedule and hands each to the lanes.

    lanes: those that always send; extra: joins them while `triples` is on. until_ns: ends by itself then. boosts: by
    name, what may be ordered beside the pairs.
    """

    def __init__(
        self,
        schedule: Schedule,
        lanes: Sequence[Lane],
        extra: Lane | None,
        now_ns: Callable[[], int],
        until_ns: int,
        boosts: Mapping[str, Boost],
    ) -> None:
        self._schedule = schedule
        self._orders = {
            False: tuple(permutations(lanes)),
            True: tuple(permutations([*lanes, *([extra] if extra else [])])),
        }
        self._lanes = (*lanes, *([extra] if extra else []), *(boost.lane for boost in boosts.values()))
        self._boosts = boosts
        self._now_ns = now_ns
        self._until_ns = until_ns
        self._stop_ns: int | None = None
        self._paused_ns: int | None = None
        self._wake = Event()
        self.done = Event()
        self.triples = False
        self._scheduled = 0
        self.reason = ""
        self.problem: str | None = None

    @property
    def scheduled(self) -> int:
        """Requests that were due so far, sent or not."""
        return self._scheduled + sum(boost.scheduled for boost in self._boosts.values())

    @property
    def paused(self) -> bool:
        return self._paused_ns is not None

    def pause(self) -> None:
        """Send nothing that is due from now on, until `resume`. Extra load ends for good."""
        self.boost(None)
        if self._paused_ns is None:
            self._paused_ns = self._now_ns()

    def resume(self) -> None:
        """Go on where `pause` stopped: what was due then is due as much later as the pause was long."""
        if self._paused_ns is not None:
            self._schedule.delay(self._now_ns() - self._paused_ns)
            self._paused_ns = None
            self._wake.set()

    def boost(self, name: str | None, rate_per_s: float = 0.0) -> None:
        """Extra requests on the boost of that name, and on no other; None or a rate of 0: on none.

        Raises KeyError for a name that there is not.
        """
        for other in self._boosts.values():
            other.off()
        if name is not None and rate_per_s > 0:
            self._boosts[name].on(rate_per_s)

    def stop(self, reason: str, problem: str | None = None) -> None:
        """Send nothing that is due after now. The first reason stays; a problem is kept even when it comes later."""
        self.problem = self.problem or problem
        if self._stop_ns is None:
            self._stop_ns = min(self._now_ns(), self._until_ns - 1)
            self.reason = reason
            self.boost(None)
            self._wake.set()

    def broke(self, problem: str) -> None:
        """The load itself failed."""
        self.stop("broken", problem)

    def run(self, drain_s: float) -> None:
        """Until stopped; then wait, `drain_s` at most, for what is in flight."""
        try:
            self._send_all()
            self._drain(drain_s)
        except Exception as error:  # noqa: BLE001 - reported as our own problem; the service has nothing to do with it
            self.broke(f"the open loop broke: {type(error).__name__}: {error}")
        finally:
            self.done.set()

    def _send_all(self) -> None:
        behind = 0
        while (slot := self._next()) is not None:
            self._dispatch(slot)
            behind = behind + 1 if self._now_ns() - slot.intended_ns > 1_000_000 else 0
            if behind >= BREATHE_EVERY:
                gevent.sleep(0)
                behind = 0

    def _next(self) -> Slot | None:
        """The next slot once it is due; None when the load ends before. What was due before the end is still sent."""
        slot, delayed_ns = self._schedule.take(), self._schedule.delayed_ns
        while True:
            delay_ns = self._schedule.delayed_ns - delayed_ns  # of pauses since it was taken
            due_ns = slot.intended_ns + delay_ns
            now_ns = self._now_ns()
            waits = self._paused_ns is not None and due_ns > self._paused_ns
            if self._stop_ns is not None:
                return _later(slot, delay_ns) if due_ns <= self._stop_ns and not waits else None
            if now_ns >= self._until_ns:
                self.stop("limit")
            elif now_ns >= due_ns and not waits:
                return _later(slot, delay_ns)
            else:
                self._wake.wait(((self._until_ns if waits else min(due_ns, self._until_ns)) - now_ns) / 1e9)
                self._wake.clear()

    def _dispatch(self, slot: Slot) -> None:
        orders = self._orders[self.triples]
        lanes = orders[int(slot.order * len(orders))]
        index = self._possible(slot.operation, lanes)
        self._scheduled += len(lanes)
        for lane in lanes:
            lane.launch(slot, lane.operations[index])

    def _possible(self, index: int, lanes: Sequence[Lane]) -> int:
        """The operation itself, or one that creates what it needs while a side has created nothing yet."""
        if not lanes[0].operations[index].template.needs_id or all(lane.created for lane in lanes):
            return index
        return next(operation.number for operation in lanes[0].operations if operation.creates)

    def _drain(self, drain_s: float) -> None:
        deadline_ns = self._now_ns() + int((drain_s + DRAIN_SPARE_S) * 1e9)
        while any(lane.in_flight for lane in self._lanes):
            if self._now_ns() > deadline_ns:
                left = sum(lane.in_flight for lane in self._lanes)
                self.broke(
                    f"{left} requests were still in flight {drain_s + DRAIN_SPARE_S:.1f} s after the last was sent"
                )
                return
            gevent.sleep(0.01)


def _later(slot: Slot, delay_ns: int) -> Slot:
    return replace(slot, intended_ns=slot.intended_ns + delay_ns) if delay_ns else slot


class PairUser(User):
    """One Locust user holds the whole loop: users that wait for answers would be a closed loop."""

    loop: ClassVar[OpenLoop]
    drain_s: ClassVar[float]

    @task
    def hold(self) -> None:
        self.loop.run(self.drain_s)
        raise StopUser
