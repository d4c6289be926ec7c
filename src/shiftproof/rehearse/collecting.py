"""One thread that takes in what both loads record, looks at pods and nodes, and tells the view."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shiftproof.errors import LoadError, ShiftproofError
from shiftproof.gate.lookout import Lookout
from shiftproof.model.event import Events, Failure, no_events
from shiftproof.ports import Elastic, RunningEvent, RunningLoad, SupplyState

_S = 1_000_000_000

TICK_S = 0.25
LOOK_EVERY_S = 1.0  # at pods and nodes: each look is three lists of the API
RECENT_S = 3.0
OFF_NS = 500_000_000


@dataclass(frozen=True, slots=True)
class Recent:
    """The event's requests: all so far, and over the last seconds. bad: failed or over the latency threshold."""

    sent: int = 0
    bad: int = 0
    sent_per_s: float = 0.0
    bad_per_s: float = 0.0
    p99_ms: float | None = None


class Collector(Lookout):
    """Looks at both loads. `checkpoint` raises LoadError once one of them has died, or ended before its time.

    on_look: called at every tick, with what is known by then. threshold_ms: slower requests are bad.
    """

    def __init__(
        self,
        pairs: RunningLoad,
        elastic: Elastic,
        threshold_ms: float,
        now_ns: Callable[[], int],
        on_look: Callable[[Recent, SupplyState | None], None],
    ) -> None:
        super().__init__("collector", TICK_S)
        self._pairs = pairs
        self._elastic = elastic
        self._threshold_ns = int(threshold_ms * 1e6)
        self._now_ns = now_ns
        self._on_look = on_look
        self._event: RunningEvent | None = None
        self._start_ns = 0
        self._ends_ns = 0
        self._pair_events: list[Events] = []
        self._event_events: list[Events] = []
        self._sent = self._bad = 0
        self._supply: SupplyState | None = None
        self._looked_ns = 0

    def event_begins(self, event: RunningEvent, start_ns: int, ends_ns: int) -> None:
        """From here on its records are taken in, too; it may not end before `ends_ns`, when its last is due."""
        with self._lock:
            self._event, self._start_ns, self._ends_ns = event, start_ns, ends_ns

    def take_in(self) -> None:
        """Read what is new of both. Raises LoadError for records that are not of this event."""
        pairs = self._pairs.new_events()
        with self._lock:
            if len(pairs):
                self._pair_events.append(pairs)
            event, start_ns = self._event, self._start_ns
        mine = event.new_events() if event is not None else no_events()
        if not len(mine):
            return
        if int(mine["intended_ns"].min()) < start_ns - OFF_NS:
            raise LoadError("the event's load recorded requests from before it began: its clock is not the run's")
        with self._lock:
            self._event_events.append(mine)
            self._sent += len(mine)
            self._bad += int(self._is_bad(mine).sum())

    def pair_events(self) -> Events:
        with self._lock:
            return np.concatenate([no_events(), *self._pair_events])

    def event_events(self) -> Events:
        with self._lock:
            return np.concatenate([no_events(), *self._event_events])

    def recent(self) -> Recent:
        """How it goes, by what came back: requests that are due count once they were answered or given up."""
        now_ns = self._now_ns()
        with self._lock:
            late = [one for one in self._event_events if int(one["ended_ns"].max()) >= now_ns - RECENT_S * _S]
            sent, bad = self._sent, self._bad
        if not late:
            return Recent(sent, bad)
        events = np.concatenate(late)
        events = events[events["ended_ns"] >= now_ns - RECENT_S * _S]
        if not len(events):
            return Recent(sent, bad)
        latency_ms = (events["ended_ns"] - events["intended_ns"]) / 1e6
        over_s = RECENT_S
        return Recent(
            sent,
            bad,
            len(events) / over_s,
            int(self._is_bad(events).sum()) / over_s,
            float(np.quantile(latency_ms, 0.99)),
        )

    def _is_bad(self, events: Events) -> npt.NDArray[np.bool_]:
        slow: npt.NDArray[np.bool_] = events["ended_ns"] - events["intended_ns"] > self._threshold_ns
        failed: npt.NDArray[np.bool_] = events["failure"] != Failure.NONE
        return slow | failed

    def _look(self) -> None:
        now_ns = self._now_ns()
        if now_ns - self._looked_ns >= LOOK_EVERY_S * _S:
            self._looked_ns = now_ns
            self._supply = self._state()
        self._show(lambda: self._on_look(self.recent(), self._supply))
        if not self._pairs.alive():
            raise LoadError("the load of pairs died while the event was rehearsed")
        with self._lock:
            event, ends_ns = self._event, self._ends_ns
        # Asked before the clock: a look takes seconds at times, and the event may end well in one.
        if event is not None and not event.alive() and self._now_ns() < ends_ns:
            raise LoadError("the event's load ended before the event did")

    def _state(self) -> SupplyState | None:
        """Only to be shown: what is judged comes from the watchers, so an answer that fails to come is no matter."""
        try:
            return self._elastic.state()
        except ShiftproofError:
            return None


def with_servers(events: Events, named: Mapping[int, str], known: list[str]) -> Events:
    """The events with `served_by` as indices into `known`, which gets the names that it lacks. named: by old index."""
    index_of = {name: index for index, name in enumerate(known)}
    for name in named.values():
        if name not in index_of:
            index_of[name] = len(known)
            known.append(name)
    changed = events.copy()
    for old in np.unique(events["served_by"]):
        # That a name is missing is the load's problem and no bad index: it stays unknown.
        changed["served_by"][events["served_by"] == old] = index_of.get(named.get(int(old), ""), 0)
    return changed
