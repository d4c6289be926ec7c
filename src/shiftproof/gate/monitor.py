"""The monitor: one thread that takes in events as they are recorded, shows them, and says when enough was seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from shiftproof.errors import LoadError
from shiftproof.gate.lookout import Lookout
from shiftproof.judge import LiveJudge, PhaseCount
from shiftproof.model.event import Events, no_events
from shiftproof.model.history import Budget, PhaseKind
from shiftproof.model.probe import ProbeRecord
from shiftproof.ports import RunningLoad

LATE_NS = 20_000_000
TICK_S = 0.2  # a total outage must be decided within seconds; this is how often we look


class Monitor(Lookout):
    """Feeds the live judge. `checkpoint` raises ClearFail once that has decided, LoadError once the load has died.

    on_counts: called at every tick with what the live judge counted, a phase each (for the view).
    """

    def __init__(
        self, load: RunningLoad, live: LiveJudge, rate_per_s: float, on_counts: Callable[[Sequence[PhaseCount]], None]
    ) -> None:
        super().__init__("monitor", TICK_S)
        self.rate_per_s = rate_per_s
        self._load = load
        self._live = live
        self._on_counts = on_counts
        self._batches: list[Events] = []
        self._probes: list[ProbeRecord] = []
        self._records = 0
        self._late = 0
        self._looker: Callable[[], None] | None = None

    def look_on(self, looker: Callable[[], None] | None) -> None:
        """`looker` is called at every tick, after what is new was read; what it raises ends the drill. None: nobody."""
        self._looker = looker

    def take_in(self) -> None:
        events, probes = self._load.new_events(), self._load.new_probes()
        with self._lock:
            if len(events):
                self._batches.append(events)
                self._records += len(events)
                self._late += int(np.count_nonzero(events["sent_ns"] - events["intended_ns"] > LATE_NS))
                self._live.feed(events)
            self._probes += probes
            self._live.hear(probes)

    def probes(self) -> tuple[ProbeRecord, ...]:
        """Conversations that ended so far."""
        with self._lock:
            return tuple(self._probes)

    def events(self) -> Events:
        """All events so far, in the order written."""
        with self._lock:
            return np.concatenate(self._batches) if self._batches else no_events()

    def events_since(self, since_ns: int) -> Events:
        """Events intended at `since_ns` or later; looks at late batches only."""
        with self._lock:
            recent = [batch for batch in self._batches if len(batch) and batch["intended_ns"].max() >= since_ns]
        if not recent:
            return no_events()
        events = np.concatenate(recent)
        return events[events["intended_ns"] >= since_ns]

    def pairs_in_phase(self) -> int:
        """Complete pairs of the phase that is open."""
        with self._lock:
            present = self._live.present()
            return present.pairs if present is not None else 0

    def late_pct(self) -> float:
        """Share of requests that our own load sent more than 20 ms late, in percent."""
        return 100 * self._late / self._records if self._records else 0.0

    def phase_started(self, name: str, kind: PhaseKind, repeat: int, start_ns: int, budget: Budget | None) -> None:
        with self._lock:
            self._live.phase_starts(name, kind, repeat, start_ns, budget)

    def phase_ended(self, end_ns: int) -> None:
        with self._lock:
            self._live.phase_ends(end_ns)

    def _look(self) -> None:
        with self._lock:
            counts = self._live.counts()
        self._show(lambda: self._on_counts(counts))
        looker = self._looker
        if looker is not None:
            looker()
        self._live.check()
        if not self._load.alive():
            raise LoadError("the load child died while the rehearsal was under way")
