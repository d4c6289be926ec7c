"""A made-up world behind every port: what a gate sees is decided by one small script of failures.

The load makes events as time goes by, so the real monitor, phases and judges run over it, only without a network.
Time is that of the world's clock, which may run faster than the machine's (fakes.clock.QuickClock).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from shiftproof.errors import MeasureError
from shiftproof.gate.clock import RunClock, take_anchor
from shiftproof.gate.parts import Parts
from shiftproof.gate.settings import Depth
from shiftproof.model.event import EVENT_DTYPE, EXTRA, Events, Failure, Side, no_events
from shiftproof.model.history import Budget, CustomersReport, Happening, LbRecord, LoadReport, PhaseKind, Source
from shiftproof.model.probe import ProbeKind, ProbeRecord
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
PROBES_PER_S = 40.0
NODE_LOSS, NODE = "node-loss", "node/node-2"
SMALL = Depth(ruled_out_rate=0.02, pairs_per_action=60, repeats=3, steady_s=2, soak_s=3, peak_s=3)
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


def put_back(payload: Mapping[str, Any]) -> None:
    """Stands for weights put back from the undo journal."""


class FakeRouter:
    """Weights that hold what was written; traffic does not follow them while `ignored`."""

    def __init__(self, clock: RunClock) -> None:
        self.clock = clock
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
        self.others: tuple[str, ...] = ()

    def weights(self, rule: str) -> Weights:
        return self.rules[rule]

    def set_weights(self, rule: str, weights: Weights) -> None:
        self.written.append((rule, weights))
        if rule == "weighted":
            self.history.append((self.clock.now_ns(), weights))
        self.rules[rule] = weights

    def weighted_pct_at(self, t_ns: int) -> int:
        """What a request sent then met: events are made a moment after their intended time."""
        return next(weights.cluster_pct for since_ns, weights in reversed(self.history) if since_ns <= t_ns)

    def targets(self, side: Side) -> Sequence[TargetState]:
        state = self.legacy_state if side is Side.LEGACY else "healthy"
        return (TargetState("198.18.0.31:8080", state), TargetState("198.18.0.32:8080", "healthy"))

    def other_writers(self) -> Sequence[str]:
        return self.others


class FakeCluster:
    """Rolls by sleeping a moment, and Kubernetes tells of it; `problem` makes rollouts hang."""

    def __init__(self, clock: RunClock, watcher: FakeWatcher) -> None:
        self.clock = clock
        self._watcher = watcher
        self.state = WHOLE
        self.problem: str | None = None
        self.whole = True
        self.rolled_ns: list[tuple[int, int]] = []  # from, to: events are made after the time they are due

    def workload(self) -> WorkloadState:
        return self.state

    def roll(self, deadline_s: float) -> Rollout:
        began_ns = self.clock.now_ns()
        for pod in self.state.pods:
            self._watcher.tell("pod.terminating", f"pod/{pod.name}")
        self.clock.sleep(0.2)
        self.rolled_ns.append((began_ns, self.clock.now_ns()))
        return Rollout(0.2, self.problem is None, 3, self.problem)

    def wait_steady(self, deadline_s: float) -> bool:
        return self.whole


@dataclass
class FakeRunning:
    """Makes whole pairs as time goes by. `fails(side, now_ns)` decides what is lost."""

    clock: RunClock
    router: FakeRouter
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


@dataclass
class FakeFaults:
    """Experiments that sleep a moment; `problem` and `service_problem` as an audit would find them.

    victims: of those that take no node.
    """

    clock: RunClock
    watcher: FakeWatcher
    problem: str | None = None
    service_problem: str | None = None
    victims: tuple[str, ...] = ("pod/payments-a1",)

    def warm(self, run_dir: Path) -> None:
        """Nothing to start."""

    def close(self) -> None:
        """Nothing to end."""

    def experiment(self, name: str) -> Experiment:
        crash = name != "pod-delete"
        kind = PhaseKind.CRASH if crash else PhaseKind.GRACEFUL
        return Experiment(name, name, kind, 1 if crash else 3, Budget(1000, 100, 1) if crash else None)

    def begin(self, experiment: str) -> tuple[str, ...]:
        """Who is hit, as the watcher tells it, too."""
        if experiment == NODE_LOSS:
            self.watcher.tell("node.not-ready", NODE)
            return (NODE,)
        for victim in self.victims:
            self.watcher.tell("pod.terminating", victim)
        return self.victims

    @staticmethod
    def lasts_s(experiment: str) -> float:
        """A node is gone for long enough to see what is left without it."""
        return 3.5 if experiment == NODE_LOSS else 0.2

    def run(self, experiment: str, run_dir: Path, repeat: int) -> ExperimentResult:
        began_ns = self.clock.now_ns()
        victims = self.begin(experiment)
        self.clock.sleep(self.lasts_s(experiment))
        ok = self.problem is None and self.service_problem is None
        ended_ns = self.clock.now_ns()
        return ExperimentResult(ok, self.problem, began_ns, ended_ns, victims, {}, self.service_problem)


class FakeWatcher:
    """Has seen one pod or target from the start, and what it is told, unless `silent`."""

    def __init__(self, clock: RunClock, source: Source) -> None:
        self.clock = clock
        self._source = source
        self.gap: str | None = None
        self.silent = False
        self.seen: list[Happening] = []

    def start(self) -> None:
        is_kubernetes = self._source is Source.KUBERNETES
        self.tell("pod.present" if is_kubernetes else "target.healthy", "pod/payments-a1")

    def tell(self, kind: str, subject: str) -> None:
        if not self.silent:
            self.seen.append(Happening(self.clock.now_ns(), self._source, kind, subject))

    def stop(self) -> None:
        """Nothing runs."""

    def happenings(self) -> Sequence[Happening]:
        return tuple(self.seen)

    def problem(self) -> str | None:
        return self.gap


@dataclass
class FakeAccessLog:
    """Knows every request that it is asked for, less the `lost` ones; cannot be read while there is a `problem`."""

    clock: RunClock
    problem: str | None = None
    lost: Callable[[int, Side], bool] = lambda pair, side: False

    def failed(self, request_ids: Sequence[str], since_ns: int) -> Sequence[LbRecord]:
        if self.problem is not None:
            raise MeasureError(self.problem)
        asked = [(int(pair), Side(int(side))) for pair, _, side in (one.partition("-") for one in request_ids)]
        now_ns = self.clock.now_ns()
        return [LbRecord(now_ns, pair, side, "", 200, "other") for pair, side in asked if not self.lost(pair, side)]


@dataclass
class FakeCustomers:
    """Once started they send `rate_per_s`, beyond what `answer` says."""

    clock: RunClock
    answer: CustomersReport = field(default_factory=lambda: CustomersReport(1000, 0))
    started: bool = False
    began_ns: int | None = None
    rate_per_s: float = 20.0

    def start(self) -> None:
        self.started, self.began_ns = True, self.clock.now_ns()

    def stop(self) -> None:
        self.started = False

    def report(self) -> CustomersReport:
        since_ns = 0 if self.began_ns is None else self.clock.now_ns() - self.began_ns
        sent = int(self.rate_per_s * since_ns / 1e9)
        return replace(self.answer, requests=self.answer.requests + sent)


class World:
    """All parts together. Change an attribute before the gate opens, or from a test's own drill."""

    def __init__(self) -> None:
        self.clock = RunClock(take_anchor())
        self.kubernetes = FakeWatcher(self.clock, Source.KUBERNETES)
        self.load_balancer = FakeWatcher(self.clock, Source.LOAD_BALANCER)
        self.router = FakeRouter(self.clock)
        self.cluster = FakeCluster(self.clock, self.kubernetes)
        self.faults = FakeFaults(self.clock, self.kubernetes)
        self.running = FakeRunning(self.clock, self.router, self._fails)
        self.customers = FakeCustomers(self.clock)
        self.access_log = FakeAccessLog(self.clock)
        self.lost_when_rolling = False
        self.broken: set[Side] = set()
        self.platform: dict[str, float] = {}  # numbers that platform.yaml has otherwise

    def use(self, clock: RunClock) -> None:
        """Live by another clock from now on: the gate makes its own, and a decision cuts sleeps by that one short."""
        self.clock = clock
        self.kubernetes.clock = self.load_balancer.clock = self.router.clock = self.cluster.clock = clock
        self.faults.clock = self.running.clock = self.access_log.clock = clock

    def parts(self) -> Parts:
        return Parts(
            router=self.router,
            cluster=self.cluster,
            load=FakeLoad(self.running),
            load_plan=PLAN,
            customers=self.customers,
            faults=self.faults,
            watchers=(self.kubernetes, self.load_balancer),
            access_log=self.access_log,
        )

    def _fails(self, side: Side, intended_ns: int) -> bool:
        if side in self.broken:
            return True
        rolling = any(from_ns <= intended_ns <= to_ns for from_ns, to_ns in self.cluster.rolled_ns)
        return side is Side.CLUSTER and self.lost_when_rolling and rolling
