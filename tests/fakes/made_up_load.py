"""A made-up load: whole pairs, and conversations that find nothing, made as time goes by."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from shiftproof.gate.clock import RunClock
from shiftproof.model.event import EVENT_DTYPE, EXTRA, Events, Failure, Side, no_events
from shiftproof.model.history import LoadReport
from shiftproof.model.probe import ProbeKind, ProbeRecord
from shiftproof.ports import LoadPlan

RATE_PER_S = 200.0
PROBES_PER_S = 40.0
SERVERS = ("", "legacy-1", "payments-a1")
PLAN = LoadPlan("http://198.18.0.10", RATE_PER_S, 0.2, 100, "test-", 10, ({"name": "read"},), 1, 600, 0)


class Weighing(Protocol):
    """Where a weighted request goes, as far as the load needs to know. ignored: whatever is written, nothing moves."""

    ignored: bool

    def weighted_pct_at(self, t_ns: int) -> int: ...


@dataclass
class FakeRunning:
    """Makes whole pairs as time goes by. `fails(side, now_ns)` decides what is lost."""

    clock: RunClock
    router: Weighing
    fails: Callable[[Side, int], bool]
    changed: Callable[[Events], Events] = lambda events: events  # a fault of the load's own, for tests
    reported: Callable[[LoadReport], LoadReport] = lambda report: report  # a lie about itself
    rate_per_s: float = RATE_PER_S
    started_ns: int = 0
    made: int = 0
    with_triples: bool = False
    dead: bool = False
    silent: bool = False
    ended: bool = False
    failures: int = 0
    records: int = 0
    restless: bool = False  # a pause that is none
    weak: bool = False  # extra load that is not delivered
    paused_ns: int | None = None
    delayed_ns: int = 0
    extra: int = 0
    boosted: tuple[Side, float, int] | None = None
    waiting: list[Events] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)  # the drill orders, the monitor reads
    probe: Callable[[ProbeRecord], ProbeRecord] = lambda record: record  # what becomes of a conversation
    probes: int = 0

    def new_events(self) -> Events:
        if self.ended:
            return no_events()
        with self.lock:
            if self.paused_ns is None:
                self._make()
            events, self.waiting = np.concatenate([no_events(), *self.waiting]), []
        self.records += len(events)
        self.failures += int((events["failure"] != Failure.NONE).sum())
        return events

    def new_probes(self) -> tuple[ProbeRecord, ...]:
        """Conversations that find nothing, changed as a test wishes."""
        due = int((self.clock.now_ns() - self.started_ns) / 1e9 * PROBES_PER_S * 2)
        if self.ended or self.dead or self.paused_ns is not None or not self.started_ns:
            return ()
        made = tuple(self.probe(self._probe(number)) for number in range(self.probes, due))
        self.probes = max(self.probes, due)
        return made

    def _probe(self, number: int) -> ProbeRecord:
        at_ns = self.started_ns + int(number * 1e9 / PROBES_PER_S / 2)
        names = tuple(str(operation["name"]) for operation in PLAN.operations)
        if number % 2:
            return ProbeRecord(number, ProbeKind.PARITY, at_ns, at_ns, operations=names, compared=9)
        way = "by the weights, twice" if self.with_triples else "to legacy, then to cluster"
        return ProbeRecord(
            number, ProbeKind.DUPLICATE, at_ns, at_ns, way, names[:1], compared=9, applied=1, control_applied=1
        )

    def _make(self) -> None:
        """What was due by now, of pairs and of extra load."""
        due = int((self.clock.now_ns() - self.started_ns - self.delayed_ns) / 1e9 * self.rate_per_s)
        if self.silent or self.dead or due <= self.made:
            return
        self.waiting.append(self.changed(self._events(np.arange(self.made, due))))
        self.made = due
        if self.boosted is not None:
            side, rate_per_s, since_ns = self.boosted
            count = int((self.clock.now_ns() - since_ns) / 1e9 * rate_per_s)
            self.boosted = side, rate_per_s, since_ns + int(count * 1e9 / rate_per_s)
            self.waiting.append(self._extra(side, since_ns + np.arange(count) * int(1e9 / rate_per_s)))

    def _extra(self, side: Side, intended_ns: npt.NDArray[np.int64]) -> Events:
        events = np.zeros(len(intended_ns), EVENT_DTYPE)
        events["pair"], events["side"] = self.extra + np.arange(len(events)), EXTRA[side]
        self.extra += len(events)
        events["intended_ns"], events["sent_ns"], events["ended_ns"] = intended_ns, intended_ns, intended_ns + 5_000_000
        for event in events:
            lost = self.fails(EXTRA[side], int(event["intended_ns"]))
            event["failure"], event["status"] = (Failure.RESET, 0) if lost else (Failure.NONE, 200)
        return events

    def _events(self, pairs: npt.NDArray[np.int64]) -> Events:
        # Always triples: a pair cut off between two modes would be the load's business, tested there.
        sides = (Side.LEGACY, Side.CLUSTER, Side.WEIGHTED)
        events = np.zeros(len(pairs) * len(sides), EVENT_DTYPE)
        events["pair"], events["side"] = np.repeat(pairs, len(sides)), np.tile(sides, len(pairs))
        intended_ns = self.started_ns + self.delayed_ns + (events["pair"] * (1e9 / self.rate_per_s)).astype(np.int64)
        events["intended_ns"], events["sent_ns"], events["ended_ns"] = intended_ns, intended_ns, intended_ns + 5_000_000
        for event in events:
            pair, side, t_ns = int(event["pair"]), Side(event["side"]), int(event["intended_ns"])
            lost = self.fails(side, t_ns)
            event["failure"], event["status"] = (Failure.RESET, 0) if lost else (Failure.NONE, 200)
            event["served_by"] = 0 if lost else self._server(pair, side, t_ns)
        return events

    def _server(self, pair: int, side: Side, intended_ns: int) -> int:
        if side is Side.WEIGHTED:
            pct = 0 if self.router.ignored else self.router.weighted_pct_at(intended_ns)
            return 2 if pair * 37 % 100 < pct else 1
        return 2 if side is Side.CLUSTER else 1

    def triples(self, on: bool) -> None:
        self.with_triples = on

    def pause(self) -> None:
        with self.lock:
            self._make()
            self.boosted, self.paused_ns = None, self.clock.now_ns()

    def resume(self) -> None:
        with self.lock:
            if self.paused_ns is not None:
                self.delayed_ns += 0 if self.restless else self.clock.now_ns() - self.paused_ns
                self.paused_ns = None

    def boost(self, side: Side, rate_per_s: float) -> None:
        with self.lock:
            self._make()
            self.boosted = (side, rate_per_s, self.clock.now_ns()) if rate_per_s > 0 and not self.weak else None

    def alive(self) -> bool:
        return not self.dead

    def stop(self) -> LoadReport:
        self.ended = True
        problem = "the load child was killed" if self.dead else None
        told = LoadReport(self.records, self.records, self.records, self.failures, 0, not self.dead, problem)
        return self.reported(told)

    def servers(self) -> tuple[str, ...]:
        return SERVERS


@dataclass
class FakeLoad:
    running: FakeRunning

    def start(self, plan: LoadPlan, run_dir: Path, name: str) -> FakeRunning:
        self.running.started_ns = self.running.clock.now_ns()
        return self.running
