"""A made-up world behind every port: what a gate sees is decided by one small script of failures.

The load makes events as time goes by, so the real monitor, phases and judges run over it, only without a network.
Time is that of the world's clock, which may run faster than the machine's (fakes.clock.QuickClock).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fakes.made_up_load import PLAN, FakeLoad, FakeRunning
from shiftproof.errors import MeasureError
from shiftproof.gate.clock import RunClock, take_anchor
from shiftproof.gate.parts import Parts
from shiftproof.gate.settings import Depth
from shiftproof.model.event import Side
from shiftproof.model.history import Budget, CustomersReport, Happening, LbRecord, PhaseKind, Source
from shiftproof.ports import (
    Experiment,
    ExperimentResult,
    PodState,
    Rollout,
    TargetState,
    Weights,
    WorkloadState,
)

NODE_LOSS, NODE = "node-loss", "node/node-2"
SMALL = Depth(ruled_out_rate=0.02, pairs_per_action=60, repeats=3, steady_s=2, soak_s=3, peak_s=3)
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


SLOW_JOIN = "node-slow-join"


@dataclass
class FakeFaults:
    """Experiments that sleep a moment; `problem` and `service_problem` as an audit would find them.

    victims: of those that take no node. long: seconds that some last, by name.
    """

    clock: RunClock
    watcher: FakeWatcher
    problem: str | None = None
    service_problem: str | None = None
    victims: tuple[str, ...] = ("pod/payments-a1",)
    long: dict[str, float] = field(default_factory=dict)

    def warm(self, run_dir: Path) -> None:
        """Nothing to start."""

    def close(self) -> None:
        """Nothing to end."""

    def experiment(self, name: str) -> Experiment:
        crash = name != "pod-delete"
        kind = PhaseKind.CRASH if crash else PhaseKind.GRACEFUL
        budget = Budget(1000, 100, 1) if crash else None
        return Experiment(name, name, kind, 1 if crash else 3, budget, on_rise=name == SLOW_JOIN)

    def begin(self, experiment: str) -> tuple[str, ...]:
        """Who is hit, as the watcher tells it, too."""
        if experiment == NODE_LOSS:
            self.watcher.tell("node.not-ready", NODE)
            return (NODE,)
        for victim in self.victims:
            self.watcher.tell("pod.terminating", victim)
        return self.victims

    def lasts_s(self, experiment: str) -> float:
        """A node is gone for long enough to see what is left without it."""
        return self.long.get(experiment, 3.5 if experiment == NODE_LOSS else 0.2)

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
