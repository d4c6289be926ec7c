"""What a run leaves for its judges: phases, requests, and all that happened around them, on one clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from shiftproof.model.event import Events, Side
from shiftproof.model.probe import ProbeRecord

WATCH_GAP = "watch.gap"
"""`Happening.kind` of what a watcher missed, with `data["problem"]`: it makes the run INCONCLUSIVE."""


class PhaseKind(StrEnum):
    """What sort of thing was done; it decides which rule judges it."""

    STEADY = "steady"  # nothing is done: the base rate
    GRACEFUL = "graceful"  # planned work on the cluster side that may cost no request
    CRASH = "crash"  # a fault with a budget
    SHIFT = "shift"  # weights go up on the `weighted` rehearsal rule
    ROLLBACK = "rollback"  # weights go back
    LOAD = "load"  # our own load changes: it pauses, or rises to the declared peak

    @property
    def graceful(self) -> bool:
        """True where not one request may be lost: graceful work, shift and rollback, and changes of load."""
        return self in (PhaseKind.GRACEFUL, PhaseKind.SHIFT, PhaseKind.ROLLBACK, PhaseKind.LOAD)

    @property
    def treatment(self) -> Side:
        """Shift and rollback send triples, and the weighted request is the treatment."""
        return Side.WEIGHTED if self in (PhaseKind.SHIFT, PhaseKind.ROLLBACK) else Side.CLUSTER


@dataclass(frozen=True, slots=True)
class Budget:
    """What a crash may cost, from the experiment's own file."""

    outage_ms: float
    lost_requests: int
    recover_s: float


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase on the run's clock. A graceful action tried three times is three phases of one name, repeat 1 to 3.

    [start_ns, end_ns) holds its requests by intended time; the action itself ran [action_start_ns, action_end_ns).
    facts: what the drill measured itself, e.g. {"rollout_s": 6.1}, {"victims": ["pod/x"]}, {"rollback_s": 0.8},
    {"effect": "confirmed"}. problem: why the phase proves nothing (a fault that took no effect…), else None.
    """

    name: str
    kind: PhaseKind
    repeat: int
    start_ns: int
    end_ns: int
    action_start_ns: int
    action_end_ns: int
    budget: Budget | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None


class Source(StrEnum):
    """Who saw it."""

    KUBERNETES = "kubernetes"
    LOAD_BALANCER = "load-balancer"
    SHIFTPROOF = "shiftproof"  # our own actions: phases, faults, weights
    CHAOS = "chaos"
    LEGACY = "legacy"
    EC2 = "ec2"  # machines, in load events


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened, at `t_ns` on the run's clock.

    kind: dotted, from the list in docs/TIMELINE.md, e.g. "pod.terminating", "pod.ready", "pod.gone", "pod.failing",
    "endpoint.added", "endpoint.removed", "endpoint.not-serving", "node.not-ready", "node.cordoned", "node.gone",
    "target.registered", "target.healthy", "target.draining", "target.unhealthy", "target.gone", "weights.set",
    "phase.start", "phase.end", "action.start", "action.end", "fault.begin", "fault.end", "event.warning".
    subject: "pod/payments-7d4", "node/node-2", "target/198.18.1.7:8080", "rule/weighted".
    data: JSON-able details, e.g. {"ip": "198.18.1.7", "node": "node-2", "reason": "CreateContainerConfigError"}.
    """

    t_ns: int
    source: Source
    kind: str
    subject: str
    detail: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LbRecord:
    """What the load balancer logged of one request of ours that failed (successes are not kept).

    t_ns: when it answered. target: "ip:port" that it chose, "" when none. status: what it sent back.
    cause: in words an ALB's log can be brought to too: "connect-refused", "connect-timeout", "reset-by-target",
    "target-timeout", "no-target", "client-abort", "target-status" (the target itself answered), "other".
    """

    t_ns: int
    pair: int
    side: Side
    target: str
    status: int
    cause: str


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What the load child says of itself at its end, to be held against the events that it wrote.

    scheduled: requests that the plan asked for; recorded: records written; locust_requests and locust_failures:
    Locust's own totals; late: records sent more than 20 ms after their intended time; finished: it ended as told
    to, and not by a crash. probes: conversations recorded; their requests are in none of the other counts.
    """

    scheduled: int
    recorded: int
    locust_requests: int
    locust_failures: int
    late: int
    finished: bool
    problem: str | None = None
    probes: int = 0


@dataclass(frozen=True, slots=True)
class CustomersReport:
    """The ground truth: what the customers' own traffic saw while the gate ran, from an observer of its own."""

    requests: int
    failed: int
    outages: tuple[tuple[int, int, int], ...] = ()  # start_ns, end_ns, failed requests
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class History:
    """All that the judges may look at. `events` is sorted by intended time (EVENT_DTYPE).

    operations and servers: names by the indices used in events. probes: by their start. logged: the load balancer keeps
    a log, and each failed request was looked up in it, so that one without a record there never came to it.
    """

    started_ns: int
    phases: tuple[Phase, ...]
    events: Events
    operations: tuple[str, ...]
    servers: tuple[str, ...] = ("",)
    timeline: tuple[Happening, ...] = ()
    lb_records: tuple[LbRecord, ...] = ()
    logged: bool = False
    load: LoadReport | None = None
    customers: CustomersReport | None = None
    probes: tuple[ProbeRecord, ...] = ()
