"""One part of a load event: every slot leaves when it is due, whatever the server does."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import gevent
from gevent.event import Event
from locust import User, task
from locust.exception import StopUser

from shiftproof.load.lane import Lane
from shiftproof.load.schedule import EventSchedule, Slot

BREATHE_EVERY = 16  # slots sent in one go when we are behind, before answers are read again
LATE_NS = 1_000_000
DRAIN_SPARE_S = 1.0


class PartLoop:
    """Takes slots until the event is over or it is stopped, then waits for what is in flight."""

    def __init__(self, schedule: EventSchedule, lane: Lane, now_ns: Callable[[], int]) -> None:
        self._schedule = schedule
        self._lane = lane
        self._now_ns = now_ns
        self._stopped = Event()
        self._begun = False
        self.done = Event()
        self.scheduled = 0
        self.problem: str | None = None

    def stop(self) -> None:
        """Send nothing more."""
        self._stopped.set()

    def broke(self, problem: str) -> None:
        """The load itself failed."""
        self.problem = self.problem or problem
        self.stop()

    def run(self, drain_s: float) -> None:
        """Once: Locust may start a second user here in place of a worker that was lost, and that has nothing to do."""
        if self._begun:
            return
        self._begun = True
        try:
            self._send_all()
            self._drain(drain_s)
        except Exception as error:  # noqa: BLE001 - reported as our own problem; the service has nothing to do with it
            self.broke(f"the event's loop broke: {type(error).__name__}: {error}")
        finally:
            self.done.set()

    def _send_all(self) -> None:
        behind = 0
        while (slot := self._schedule.take()) is not None and not self._wait_for(slot):
            self.scheduled += 1
            self._lane.launch(slot, self._lane.possible(slot.operation))
            behind = behind + 1 if self._now_ns() - slot.intended_ns > LATE_NS else 0
            if behind >= BREATHE_EVERY:
                gevent.sleep(0)
                behind = 0

    def _wait_for(self, slot: Slot) -> bool:
        """Until the slot is due; True when the loop was stopped before."""
        wait_s = (slot.intended_ns - self._now_ns()) / 1e9
        return bool(self._stopped.wait(wait_s)) if wait_s > 0 else self._stopped.is_set()

    def _drain(self, drain_s: float) -> None:
        deadline_ns = self._now_ns() + int((drain_s + DRAIN_SPARE_S) * 1e9)
        while self._lane.in_flight:
            if self._now_ns() > deadline_ns:
                self.broke(
                    f"{self._lane.in_flight} requests were still in flight {drain_s:g} s after the last was sent"
                )
                return
            gevent.sleep(0.01)


class PartUser(User):
    """The one Locust user of a worker: it holds the loop, and asks Locust for nothing else."""

    loop: ClassVar[PartLoop]
    drain_s: ClassVar[float]

    @task
    def hold(self) -> None:
        self.loop.run(self.drain_s)
        raise StopUser
