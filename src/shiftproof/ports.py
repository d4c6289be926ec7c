"""What the gate asks of the outside world: small Protocols, each with one adapter a system.

The gate knows these and no adapter; adapters know the systems and nothing of the gate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from shiftproof.model.event import Events, Side
from shiftproof.model.history import Budget, CustomersReport, Happening, LbRecord, LoadReport, PhaseKind
from shiftproof.model.probe import ProbeRecord


class Clock(Protocol):
    """The run clock: wall-clock nanoseconds that never step, and a sleep that may be cut short by an exception.

    The gate's clock raises ClearFail out of `sleep` once a sequential test has decided, so every adapter that waits
    must wait with it and must stay correct when it raises.
    """

    def now_ns(self) -> int: ...

    def sleep(self, seconds: float) -> None: ...


@dataclass(frozen=True, slots=True)
class Weights:
    """Percent for each side of one rule; they add up to 100."""

    legacy_pct: int
    cluster_pct: int


@dataclass(frozen=True, slots=True)
class TargetState:
    """One target as the load balancer sees it. state: AWS's words (initial, healthy, unhealthy, draining, unused)."""

    address: str  # "ip:port"
    state: str
    reason: str = ""


class Router(Protocol):
    """The load balancer's rules of one service. `rule` is "customers", "legacy", "cluster" or "weighted"."""

    def weights(self, rule: str) -> Weights:
        """Read back from the load balancer's API, never from memory."""
        ...

    def set_weights(self, rule: str, weights: Weights) -> None:
        """Write, then read back; raises FaultError when the API does not hold what was written."""
        ...

    def targets(self, side: Side) -> Sequence[TargetState]: ...

    def other_writers(self) -> Sequence[str]:
        """Names of others that write the customers' rule (a mark that differs from ours); empty when none."""
        ...


@dataclass(frozen=True, slots=True)
class Rollout:
    """A rolling update as it ended. `problem` says why it did not end by its deadline (e.g. the pods' own reasons)."""

    seconds: float
    complete: bool
    replicas: int
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class PodState:
    name: str
    ip: str
    node: str
    ready: bool
    terminating: bool
    waiting_reason: str = ""


@dataclass(frozen=True, slots=True)
class WorkloadState:
    """The cluster side's Deployment: what preflight checks and the proof names."""

    replicas: int
    ready: int
    max_replicas: int  # of the HPA, or replicas when there is none
    max_surge: int
    images: tuple[str, ...]
    manifest_digest: str  # sha256 over the live objects of the service, less status and what servers fill in
    pods: tuple[PodState, ...] = ()
    hindered_by: tuple[str, ...] = ()  # nodes that keep its pods from serving, in words: "node-2 is not ready"
    image_ids: tuple[
        str, ...
    ] = ()  # what really runs in the ready pods: digests, where a tag may point elsewhere later
    undrainable: tuple[str, ...] = ()  # why none of its pods could ever be evicted, in words; empty when they could


class Cluster(Protocol):
    """The Kubernetes side of one service."""

    def workload(self) -> WorkloadState: ...

    def roll(self, deadline_s: float) -> Rollout:
        """A real rolling update (the pod template changes), waited for until done or the deadline."""
        ...

    def wait_steady(self, deadline_s: float) -> bool:
        """True once all wanted pods are ready, none is leaving, and the Deployment has settled."""
        ...


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What the load child is to send. Made by shiftproof.adapters.locust.plan_for and customers_plan_for.

    base_url: the load balancer's entry, http or https. rate_per_s: pairs a second (customers: requests a second).
    timeout_s: for one request as a whole, connection and answer together. operations: model.platform.Operation,
    each as model_dump(mode="json"). seed: of operations, accounts, amounts and the order of sides. anchor_ns: the run
    clock's (added to CLOCK_MONOTONIC). max_seconds: the child ends itself after that, whatever happens.
    customers: single requests on the customers' rule instead of pairs on the rehearsal rules. jitter_share: each
    request is moved later by a random share of the interval, at most this (0: none, 1: the whole interval).
    probes_per_s: conversations of each kind (see model.probe) that start in a second beside the pairs; 0: none.
    """

    base_url: str
    rate_per_s: float
    timeout_s: float
    in_flight_per_side: int
    accounts_prefix: str
    accounts: int
    operations: Sequence[Mapping[str, Any]]
    seed: int
    max_seconds: float
    anchor_ns: int
    customers: bool = False
    jitter_share: float = 0.0
    probes_per_s: float = 0.0

    @property
    def keyed(self) -> tuple[str, ...]:
        """Names of the operations whose requests carry a key: what may be sent twice."""
        return tuple(str(one["name"]) for one in self.operations if "{key}" in str(one))


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


@dataclass(frozen=True, slots=True)
class SupplyState:
    """A scaling service's pods and the cluster's nodes, as the API server holds them now.

    pods: all of them, those that leave included; pending: without a node; nodes: names of ready ones, spot_nodes those
    of them that may be taken away; unready: names of the others. machines: nodes, ready or not, that autoscaling
    brought. workers: pods of each worker, by its name; workers_ready: those of them that are ready.
    """

    wanted: int
    ready: int
    pods: int
    pending: int
    nodes: frozenset[str]
    spot_nodes: frozenset[str] = frozenset()
    unready: frozenset[str] = frozenset()
    workers: Mapping[str, int] = field(default_factory=dict)
    machines: frozenset[str] = frozenset()
    workers_ready: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AutoscalerState:
    """An autoscaler of the service. problem: why it cannot read what it scales on; None: it can.

    per_pod: what it aims at for one pod, of each metric that is no pod's own resource (averageValue of External, Pods
    and Object metrics).
    """

    name: str
    least: int
    most: int
    problem: str | None = None
    per_pod: tuple[float, ...] = ()


class Elastic(Protocol):
    """What scales: one service's pods, its autoscaler, and the nodes below them."""

    def state(self) -> SupplyState: ...

    def autoscaler(self) -> AutoscalerState | None:
        """None: there is none for its Deployment."""
        ...

    def resize(self) -> Sequence[str]:
        """Put the target into the size that it rehearses in, journaled; what was done, for people."""
        ...

    def fix(self, pods: int) -> None:
        """Take autoscaling away, journaled, and let there be so many pods."""
        ...


class Jobs(Protocol):
    """A worker's jobs of our own: asked for during an event, and counted after it."""

    @property
    def worker(self) -> str: ...

    def promise_removal(self) -> None:
        """Into the undo journal, before the first is asked."""
        ...

    def ask(self) -> None:
        """Ask for them, once. Raises FaultError when the worker's command fails."""
        ...

    def check(self) -> Mapping[str, int]:
        """{"asked", "produced", "twice", "lost"}, by the worker's own command. Raises MeasureError."""
        ...


class RunningLoad(Protocol):
    """A load under way in its child process."""

    def new_events(self) -> Events:
        """Records since the last call, in the order written; never half a record."""
        ...

    def new_probes(self) -> Sequence[ProbeRecord]:
        """Conversations that ended since the last call, in the order they ended; never half a record."""
        ...

    def triples(self, on: bool) -> None:
        """Send a weighted request beside each pair from now on, or stop doing so."""
        ...

    def pause(self) -> None:
        """Send nothing from now on, extra load neither; raises LoadError when the child does not answer."""
        ...

    def resume(self) -> None:
        """Go on with the pairs where `pause` stopped them; raises LoadError when the child does not answer."""
        ...

    def boost(self, side: Side, rate_per_s: float) -> None:
        """That many single requests a second on one side (LEGACY or CLUSTER) beside the pairs; 0 ends it.

        Ends by itself after two minutes. Raises LoadError when the child does not answer.
        """
        ...

    def alive(self) -> bool: ...

    def stop(self) -> LoadReport:
        """Let what is in flight end, stop the child, account for it. Safe to call twice and after a crash."""
        ...

    def servers(self) -> tuple[str, ...]:
        """Names by the index `served_by` in events."""
        ...


class Load(Protocol):
    def start(self, plan: LoadPlan, run_dir: Path, name: str) -> RunningLoad:
        """Returns once the first requests were recorded; raises LoadError when none were within 20 s."""
        ...


@dataclass(frozen=True, slots=True)
class Experiment:
    """What an experiment's own file says of it. kind: GRACEFUL or CRASH. Only a crash has a budget.

    on_rise: of a load event it belongs to the rise, and not to where the load is highest.
    """

    name: str
    title: str
    kind: PhaseKind
    repeats: int
    budget: Budget | None = None
    on_rise: bool = False


@dataclass(frozen=True, slots=True)
class ExperimentResult:
    """One run of an experiment, audited: its journal is never believed without its parts.

    ok: status completed, nothing deviated, hypothesis met before and after, every action and rollback succeeded and
    the effect confirmed. problem: why it proves nothing (no effect, not whole before, cut short): INCONCLUSIVE.
    service_problem: the fault took effect and the service did not bear it (never whole again, a drain that its own
    budget refuses): FAIL. ok is true when both are None. action_start_ns/action_end_ns: the method's own span on the
    run clock.
    """

    ok: bool
    problem: str | None
    action_start_ns: int
    action_end_ns: int
    victims: tuple[str, ...]
    facts: Mapping[str, Any]
    service_problem: str | None = None


class Faults(Protocol):
    """Chaos experiments by name."""

    def warm(self, run_dir: Path) -> None:
        """Get ready, so that the first experiment does not pay for it."""
        ...

    def close(self) -> None:
        """End what `warm` started. Safe to call twice."""
        ...

    def experiment(self, name: str) -> Experiment:
        """What its file says; raises UserError for a name that has no file, ConfigError for a bad file."""
        ...

    def run(self, experiment: str, run_dir: Path, repeat: int) -> ExperimentResult:
        """One run, until its rollbacks have ended. When the clock's sleep raises, they are run first all the same."""
        ...


class UndoLog(Protocol):
    """What adapters see of the undo journal (shiftproof.safety.journal.Journal)."""

    def record(self, *, kind: str, subject: str, undo: Mapping[str, Any], lease_s: float) -> str: ...

    def done(self, entry_id: str) -> None: ...


class Watcher(Protocol):
    """Sees and records what happens, on its own threads, until stopped."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def happenings(self) -> Sequence[Happening]:
        """All seen so far, by time."""
        ...

    def problem(self) -> str | None:
        """Why the record has a gap, if it has one."""
        ...


class AccessLog(Protocol):
    """The load balancer's log of our own requests."""

    def failed(self, request_ids: Sequence[str], since_ns: int) -> Sequence[LbRecord]: ...


class Customers(Protocol):
    """Stands for the observer of customers' traffic: in the lab a load of its own, in production the ALB's metrics."""

    def report(self) -> CustomersReport: ...
