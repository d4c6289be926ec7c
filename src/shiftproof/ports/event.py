"""What a load event brings: requests, sent by load workers, and jobs for the platform's workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from shiftproof.model.event import Events
from shiftproof.model.history import LoadReport
from shiftproof.ports.load import LoadPlan


@dataclass(frozen=True, slots=True)
class EventPlan:
    """A load event, dealt out to workers. load: what is sent, where and how; its own rate counts for nothing.

    points: (seconds, rate a second) of the whole event (model.demand). profile: the file of its Locust shape.
    """

    load: LoadPlan
    points: tuple[tuple[float, float], ...]
    profile: str
    workers: int


class LostPart(Protocol):
    """A load worker that was lost. share: of the whole event's load, that it had to send."""

    @property
    def share(self) -> float: ...


class RunningEvent(Protocol):
    """A load event, dealt out to its workers. Nothing is sent before `begin`."""

    def begin(self, start_ns: int) -> None:
        """It begins then, on the run clock. Raises LoadError when its master does not answer."""
        ...

    def new_events(self) -> Events:
        """Records since the last call; never half a record."""
        ...

    def servers(self) -> tuple[str, ...]:
        """Names by the index `served_by` in events."""
        ...

    def alive(self) -> bool:
        """Until the event is over and accounted for, or its load broke."""
        ...

    def stop(self) -> LoadReport:
        """Send nothing more, and account for it. Safe to call twice and after a crash."""
        ...

    def lost(self) -> Sequence[LostPart]:
        """Workers that were lost on the way, once it was stopped."""
        ...


class EventLoad(Protocol):
    def start(self, plan: EventPlan, run_dir: Path) -> RunningEvent:
        """Returns once every worker has answered; raises LoadError when they do not."""
        ...

    def sends_per_s(self, plan: EventPlan) -> float:
        """About the highest rate that these workers can send on time. Raises LoadError when that is not to be had."""
        ...


class Jobs(Protocol):
    """A worker's jobs of our own: asked for during an event, and counted after it."""

    @property
    def worker(self) -> str: ...

    @property
    def planned(self) -> int:
        """How many are asked for."""
        ...

    def promise_removal(self) -> None:
        """Into the undo journal, before the first is asked."""
        ...

    def ask(self) -> None:
        """Ask for them, once. Raises FaultError when the worker's command fails."""
        ...

    def check(self) -> Mapping[str, int]:
        """{"asked", "produced", "twice", "lost"}, by the worker's own command. Raises MeasureError."""
        ...
