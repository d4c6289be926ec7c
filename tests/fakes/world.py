"""A made-up world behind every port: what a gate sees is decided by one small script of failures.

The load makes events as time goes by, so the real monitor, phases and judges run over it, only without a network.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from shiftproof.gate.clock import RunClock, take_anchor
from shiftproof.gate.parts import Parts
from shiftproof.model.event import EVENT_DTYPE, Events, Failure, Side
from shiftproof.model.history import Budget, CustomersReport, Happening, LbRecord, LoadReport, PhaseKind, Source
from shiftproof.ports import (
    Experiment,
    ExperimentResult,
    LoadPlan,
    PodState,
    Rollout,
    TargetState,
    Weights,
    WorkloadState,
)

RATE_PER_S = 200.0
SERVERS = ("", "legacy-1", "payments-a1")
PLAN = LoadPlan("http://198.18.0.10", RATE_PER_S, 0.2, 100, "test-", 10, ({"name": "read"},), 1, 600, 0)
WHOLE = WorkloadState(
    replicas=3,
    ready=3,
    max_replicas=6,
    max_surge=1,
    images=("lab/payments@sha256:00",),
    manifest_digest="sha256:11",
    image_ids=("sha256:00",),
    pods=(PodState("payments-a1", "198.18.1.7", "node-1", ready=True, terminating=False),),
)


CLEANED: list[str] = []


def clean(payload: Mapping[str, Any]) -> None:
    """Stands for the removal of what our traffic wrote."""
    CLEANED.append(payload["service"])


class FakeRouter:
    """Weights that hold what was written, unless `stuck`."""

    def __init__(self) -> None:
        self.rules = {
            "customers": Weights(100, 0),
            "weighted": Weights(100, 0),
            "legacy": Weights(100, 0),
            "cluster": Weights(0, 100),
        }
        self.written: list[tuple[str, Weights]] = []
        self.history: list[tuple[int, Weights]] = [(0, Weights(100, 0))]
        self.legacy_state = "healthy"
        self.ignored = False

    def weights(self, rule: str) -> Weights:
        return self.rules[rule]

    def set_weights(self, rule: str, weights: Weights) -> None:
        self.written.append((rule, weights))
        if rule == "weighted":
            self.history.append((time.time_ns(), weights))
        self.rules[rule] = weights

    def weighted_pct_at(self, t_ns: int) -> int:
        """What a request sent then met: events are made a moment after their intended time."""
        return next(weights.cluster_pct for since_ns, weights in reversed(self.history) if since_ns <= t_ns)

    def targets(self, side: Side) -> Sequence[TargetState]:
        state = self.legacy_state if side is Side.LEGACY else "healthy"
        return (TargetState("198.18.0.31:8080", state), TargetState("198.18.0.32:8080", "healthy"))

    def other_writers(self) -> Sequence[str]:
        return ()


class FakeCluster:
    """Rolls by sleeping a moment; `problem` makes rollouts hang."""

    def __init__(self, clock: RunClock) -> None:
        self._clock = clock
        self.state = WHOLE
        self.problem: str | None = None
        self.whole = True
        self.rolling_since_ns: int | None = None

    def workload(self) -> WorkloadState:
        return self.state

    def roll(self, deadline_s: float) -> Rollout:
        self.rolling_since_ns = self._clock.now_ns()
        self._clock.sleep(0.2)
        self.rolling_since_ns = None
        return Rollout(0.2, self.problem is None, 3, self.problem)

    def wait_steady(self, deadline_s: float) -> bool:
        return self.whole


@dataclass(slots=True)
class FakeRunning:
    """Makes whole pairs as time goes by. `fails(side, now_ns)` decides what is lost."""

    clock: RunClock
    router: FakeRouter
    fails: Callable[[Side, int], bool]
    started_ns: int = 0
    made: int = 0
    with_triples: bool = False
    dead: bool = False
    silent: bool = False
    ended: bool = False
    failures: int = 0
    records: int = 0

    def new_events(self) -> Events:
        if self.ended:
            return np.empty(0, EVENT_DTYPE)
        due = int((self.clock.now_ns() - self.started_ns) / 1e9 * RATE_PER_S)
        if self.silent or self.dead or due <= self.made:
            return np.empty(0, EVENT_DTYPE)
        rows = [self._event(pair, side) for pair in range(self.made, due) for side in self._sides()]
        self.made = due
        events = np.concatenate(rows)
        self.records += len(events)
        self.failures += int((events["failure"] != Failure.NONE).sum())
        return events

    def _sides(self) -> tuple[Side, ...]:
        # Always triples: a pair cut off between two modes would be the load's business, tested there.
        return (Side.LEGACY, Side.CLUSTER, Side.WEIGHTED)

    def _event(self, pair: int, side: Side) -> Events:
        event = np.zeros(1, EVENT_DTYPE)
        intended_ns = self.started_ns + int(pair * 1e9 / RATE_PER_S)
        event["pair"], event["side"] = pair, side
        event["intended_ns"], event["sent_ns"], event["ended_ns"] = intended_ns, intended_ns, intended_ns + 5_000_000
        lost = self.fails(side, intended_ns)
        event["failure"] = Failure.RESET if lost else Failure.NONE
        event["status"] = 0 if lost else 200
        event["served_by"] = 0 if lost else self._server(pair, side, intended_ns)
        return event

    def _server(self, pair: int, side: Side, intended_ns: int) -> int:
        if side is Side.WEIGHTED:
            pct = 0 if self.router.ignored else self.router.weighted_pct_at(intended_ns)
            return 2 if pair * 37 % 100 < pct else 1
        return 2 if side is Side.CLUSTER else 1

    def triples(self, on: bool) -> None:
        self.with_triples = on

    def alive(self) -> bool:
        return not self.dead

    def stop(self) -> LoadReport:
        self.ended = True
        problem = "the load child was killed" if self.dead else None
        return LoadReport(self.records, self.records, self.records, self.failures, 0, not self.dead, problem)

    def servers(self) -> tuple[str, ...]:
        return SERVERS


@dataclass(slots=True)
class FakeLoad:
    running: FakeRunning

    def start(self, plan: LoadPlan, run_dir: Path, name: str) -> FakeRunning:
        self.running.started_ns = self.running.clock.now_ns()
        return self.running


@dataclass(slots=True)
class FakeFaults:
    """Experiments that sleep a moment; `problem` and `service_problem` as an audit would find them."""

    clock: RunClock
    problem: str | None = None
    service_problem: str | None = None

    def warm(self, run_dir: Path) -> None:
        """Nothing to start."""

    def close(self) -> None:
        """Nothing to end."""

    def experiment(self, name: str) -> Experiment:
        crash = name != "pod-delete"
        kind = PhaseKind.CRASH if crash else PhaseKind.GRACEFUL
        return Experiment(name, name, kind, 1 if crash else 3, Budget(1000, 100, 1) if crash else None)

    def run(self, experiment: str, run_dir: Path, repeat: int) -> ExperimentResult:
        began_ns = self.clock.now_ns()
        self.clock.sleep(0.2)
        ok = self.problem is None and self.service_problem is None
        ended_ns = self.clock.now_ns()
        victims = ("pod/payments-a1",)
        return ExperimentResult(ok, self.problem, began_ns, ended_ns, victims, {}, self.service_problem)


class FakeWatcher:
    """Has seen one pod and one target."""

    def __init__(self, clock: RunClock, source: Source) -> None:
        self._clock = clock
        self._source = source
        self.gap: str | None = None
        self.seen: list[Happening] = []

    def start(self) -> None:
        kind = "pod.ready" if self._source is Source.KUBERNETES else "target.healthy"
        self.seen.append(Happening(self._clock.now_ns(), self._source, kind, "pod/payments-a1"))

    def stop(self) -> None:
        """Nothing runs."""

    def happenings(self) -> Sequence[Happening]:
        return tuple(self.seen)

    def problem(self) -> str | None:
        return self.gap


class FakeAccessLog:
    def failed(self, request_ids: Sequence[str], since_ns: int) -> Sequence[LbRecord]:
        return ()


@dataclass(slots=True)
class FakeCustomers:
    answer: CustomersReport = field(default_factory=lambda: CustomersReport(1000, 0))
    started: bool = False

    def start(self) -> None:
        self.started = True

    def stop(self) -> None:
        self.started = False

    def report(self) -> CustomersReport:
        return self.answer


class World:
    """All parts together. Change an attribute before the gate opens, or from a test's own drill."""

    def __init__(self) -> None:
        self.clock = RunClock(take_anchor())
        self.router = FakeRouter()
        self.cluster = FakeCluster(self.clock)
        self.faults = FakeFaults(self.clock)
        self.running = FakeRunning(self.clock, self.router, self._fails)
        self.kubernetes = FakeWatcher(self.clock, Source.KUBERNETES)
        self.load_balancer = FakeWatcher(self.clock, Source.LOAD_BALANCER)
        self.customers = FakeCustomers()
        self.lost_when_rolling = False
        self.broken: set[Side] = set()

    def parts(self) -> Parts:
        return Parts(
            router=self.router,
            cluster=self.cluster,
            load=FakeLoad(self.running),
            load_plan=PLAN,
            customers=self.customers,
            faults=self.faults,
            watchers=(self.kubernetes, self.load_balancer),
            access_log=FakeAccessLog(),
        )

    def _fails(self, side: Side, intended_ns: int) -> bool:
        if side in self.broken:
            return True
        since_ns = self.cluster.rolling_since_ns
        rolling = since_ns is not None and intended_ns >= since_ns
        return side is Side.CLUSTER and self.lost_when_rolling and rolling
