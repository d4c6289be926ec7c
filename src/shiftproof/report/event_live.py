"""What a view of a running load event is told.

Whoever rehearses calls these; `event_view.event_view_for(console)` gives the view that fits the console.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from shiftproof.model.demand import Demand
from shiftproof.model.result import RunResult
from shiftproof.model.verdict import Verdict


@dataclass(frozen=True, slots=True)
class EventHeader:
    """What is rehearsed. event: its name as typed; title: in words. demand: as it is to be sent, scale and all.

    after_s: how long the rehearsal looks on at most, after the load, until all is back at its base. pods: least and
    most that the service may have.
    """

    event: str
    title: str
    service: str
    target: str
    run_id: str
    demand: Demand
    scale: float = 1.0
    after_s: float = 0.0
    pods: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class EventNumbers:
    """How it goes now. What is not known (yet) is None, which is shown as "-" and never as 0.

    at_s: since the event's load began; None: it did not yet. demand_per_s, sent_per_s, bad_per_s: over the last second
    or few; bad: failed or over the latency threshold. sent, bad: of the event's requests since it began. p99_ms: over
    the last second or few. pods_needed: by the demand; nodes: ready ones, nodes_spot of them Spot. cost: so far.
    verdict_so_far: FAIL once something is decided against it, else None or what it looks like.
    """

    at_s: float | None = None
    demand_per_s: float = 0.0
    sent_per_s: float = 0.0
    bad_per_s: float = 0.0
    sent: int = 0
    bad: int = 0
    p99_ms: float | None = None
    pods_needed: int | None = None
    pods_wanted: int | None = None
    pods_ready: int | None = None
    pods_pending: int | None = None
    nodes: int | None = None
    nodes_spot: int | None = None
    cost: float | None = None
    verdict_so_far: Verdict | None = None


class EventView(Protocol):
    """What a rehearsal calls: `begin` first, `end` last (None: no result). A second `end` does nothing.

    All may be called from any thread.
    """

    def begin(self, header: EventHeader) -> None: ...

    def stage(self, name: str) -> None:
        """A stage begins, e.g. "preflight", "event", "back to base"; the one before has ended and gets its line."""
        ...

    def progress(self, numbers: EventNumbers) -> None:
        """As often as one likes; about every 250 ms is smooth, once a second fills the chart."""
        ...

    def note(self, text: str) -> None:
        """One line that stays: an interruption, a machine that was launched, what is put back."""
        ...

    def end(self, result: RunResult | None) -> None: ...
