"""What a run's timeline says of supply: pods and nodes, how many were wanted, and how each new pod came to be ready.

It judges what it sees and not who did it: an autoscaler is its `scale.*` happenings, a node its machine and its join.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from shiftproof.judge.elasticity.node_lives import apart
from shiftproof.judge.elasticity.pods import belongs, is_elsewhere, scales
from shiftproof.judge.elasticity.steps import Steps
from shiftproof.judge.elasticity.timing import PodStart
from shiftproof.model.history import Happening

NEVER = 1 << 62
SPOT = "spot"
#: An HPA does nothing while its metric is no more than 10% off its target (--horizontal-pod-autoscaler-tolerance).
TOLERATED = 1.1
_UNSCHEDULABLE = "Unschedulable"
_PRESENT = "pod.present"


@dataclass(frozen=True, slots=True)
class Observation:
    """What the autoscaler said that it saw: the metric relative to its target, 1 where no change is needed.

    ratio: None while it could not read the metric at all; reason: why, where that was told.
    """

    t_ns: int
    metric: str
    ratio: float | None
    reason: str = ""

    @property
    def above_target(self) -> bool:
        return self.ratio is not None and self.ratio > TOLERATED


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine that was launched for a node. joined_ns, ready_ns, ended_ns: None where that was not seen."""

    name: str
    launched_ns: int
    capacity_type: str = ""
    node: str = ""
    joined_ns: int | None = None
    ready_ns: int | None = None
    ended_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Supply:
    """ready, wanted: pods of the service. pending: its pods without a node. paid: those that cost something. created:
    all of its pods, in whatever state, that were not there when watching began.

    paid: from when a pod was placed, or from the launch of the machine that it waited for, until it is gone.
    nodes: ready ones, of all pools; spot: those of them that may be taken away at two minutes' notice; spot_nodes:
    their names. starts: pods that became ready while we looked. homes: the node of each pod, by name. machines: all
    that were launched while we looked, and launched: how many of them there were. rented: those on demand, and the
    machines of nodes that were there before.
    """

    ready: Steps
    wanted: Steps
    pending: Steps
    nodes: Steps
    observed: tuple[Observation, ...]
    starts: tuple[PodStart, ...]
    spot_nodes: frozenset[str]
    homes: dict[str, str]
    paid: Steps
    spot: Steps
    machines: tuple[Machine, ...]
    created: Steps
    rented: Steps
    launched: Steps

    def first_above_target(self, from_ns: int) -> int | None:
        """When the autoscaler first saw more than it tolerates, at from_ns or later; None: it never did.

        At from_ns what it had said last still holds.
        """
        if any(one.above_target for one in self.holding(from_ns)):
            return from_ns
        return next((one.t_ns for one in self.observed if one.t_ns >= from_ns and one.above_target), None)

    def holding(self, t_ns: int) -> tuple[Observation, ...]:
        """What it had said last, at t_ns or before, of each metric that it scales on."""
        return tuple({one.metric: one for one in self.observed if one.t_ns <= t_ns}.values())


@dataclass(slots=True)
class _Pod:
    """One pod while the timeline is read. placed_ns: None while it has no node."""

    start: PodStart
    node: str = ""
    seen_ns: int | None = None
    placed_ns: int | None = None
    gone_ns: int | None = None
    was_there: bool = False
    is_waiting: bool = False
    is_ready: bool = False


@dataclass(slots=True)
class _Node:
    """One node while the timeline is read. changes: when it became ready (1) and ceased to be (-1)."""

    seen_ns: int
    machine: str = ""
    capacity_type: str = ""
    joined_ns: int | None = None
    ready_ns: int | None = None
    gone_ns: int | None = None
    is_ready: bool = False
    changes: list[tuple[int, int]] = field(default_factory=list)


def read_supply(timeline: Iterable[Happening], service: str, namespace: str = "") -> Supply:
    """Read it once, in the order of time. service: its Deployment's name; namespace: "" for whichever it is in."""
    reading = _Reading(service, namespace)
    for happening in apart(timeline):
        reading.read(happening)
    return reading.supply()


class _Reading:
    """The state that one pass over the timeline needs."""

    def __init__(self, service: str, namespace: str) -> None:
        self._service, self._namespace = service, namespace
        self._pods: dict[str, _Pod] = {}
        self._others: set[str] = set()
        self._ready: list[tuple[int, int]] = []
        self._pending: list[tuple[int, int]] = []
        self._wanted: list[tuple[int, int]] = []
        self._observed: list[Observation] = []
        self._nodes: dict[str, _Node] = {}
        self._machines: dict[str, Machine] = {}

    def read(self, happening: Happening) -> None:
        sort, _, name = happening.subject.partition("/")
        if happening.kind.startswith("pod.") and sort == "pod":
            if self._is_ours(name, happening):
                self._pod(name, happening)
        elif happening.kind.startswith("node.") and sort == "node":
            self._node(name, happening)
        elif happening.kind.startswith("machine."):
            self._machine(name, happening)
        elif happening.kind == "scale.wanted" and name == self._service:
            if not is_elsewhere(happening, self._namespace):
                self._wanted.append((happening.t_ns, int(happening.data["replicas"])))
        elif happening.kind == "scale.observed" and scales(happening, self._service, self._namespace):
            ratio, reason = happening.data.get("ratio"), str(happening.data.get("reason") or "")
            metric = str(happening.data.get("metric", ""))
            self._observed.append(Observation(happening.t_ns, metric, None if ratio is None else float(ratio), reason))

    def supply(self) -> Supply:
        spot = {name: node for name, node in self._nodes.items() if self._is_spot(node)}
        return Supply(
            ready=Steps.counted(self._ready),
            wanted=Steps.of(self._wanted),
            pending=Steps.counted(self._pending),
            nodes=_counted(self._nodes.values()),
            observed=tuple(self._observed),
            starts=tuple(
                self._launched(pod) for pod in self._pods.values() if not pod.was_there and pod.start.ready_ns < NEVER
            ),
            spot_nodes=frozenset(spot),
            homes={f"pod/{name}": pod.node for name, pod in self._pods.items() if pod.node},
            paid=Steps.counted(move for pod in self._pods.values() for move in self._paid(pod)),
            spot=_counted(spot.values()),
            machines=tuple(self._joined(machine) for machine in self._machines.values()),
            rented=Steps.counted(self._rented()),
            launched=Steps.counted(move for machine in self._machines.values() for move in _life(machine)),
            created=Steps.counted((pod.seen_ns, 1) for pod in self._pods.values() if pod.seen_ns and not pod.was_there),
        )

    def _rented(self) -> Iterator[tuple[int, int]]:
        """Moves of `rented`. A node that was there before counts by its machine, whoever brought that."""
        spot = {node.machine for node in self._nodes.values() if self._is_spot(node)}
        for machine in self._machines.values():
            if machine.capacity_type != SPOT and machine.name not in spot:
                yield from _life(machine)
        for node in self._nodes.values():
            if node.machine and node.machine not in {*self._machines, *spot}:
                yield node.seen_ns, 1
                if node.gone_ns is not None:
                    yield node.gone_ns, -1

    def _is_ours(self, name: str, happening: Happening) -> bool:
        """Decided by what is told of a pod first: every happening of one tells the same."""
        if name in self._pods or name in self._others:
            return name in self._pods
        ours = belongs(happening, name, self._service, self._namespace)
        if not ours:
            self._others.add(name)
        return ours

    def _is_spot(self, node: _Node) -> bool:
        """By what the node says, or by the machine below it."""
        machine = self._machines.get(node.machine)
        return SPOT in (node.capacity_type, machine.capacity_type if machine is not None else "")

    def _launched(self, pod: _Pod) -> PodStart:
        machine = self._machines.get(self._nodes[pod.node].machine) if pod.node in self._nodes else None
        return replace(pod.start, launched_ns=machine.launched_ns if machine is not None else None)

    def _joined(self, machine: Machine) -> Machine:
        found = next(((name, node) for name, node in self._nodes.items() if node.machine == machine.name), None)
        if found is None:
            return machine
        name, node = found
        return replace(machine, node=name, joined_ns=node.joined_ns, ready_ns=node.ready_ns)

    def _paid(self, pod: _Pod) -> list[tuple[int, int]]:
        """A pod that never had a place cost nothing; one that waited for its node's machine pays for its boot."""
        if pod.placed_ns is None or pod.seen_ns is None:
            return []
        from_ns = pod.placed_ns
        launched_ns = self._launched(pod).launched_ns
        if pod.start.refused_ns is not None and launched_ns is not None:
            from_ns = min(from_ns, max(pod.seen_ns, launched_ns))
        return [(from_ns, 1)] if pod.gone_ns is None else [(from_ns, 1), (max(from_ns, pod.gone_ns), -1)]

    def _pod(self, name: str, happening: Happening) -> None:
        pod = self._pods.setdefault(name, _Pod(PodStart(f"pod/{name}", NEVER)))
        t_ns, kind = happening.t_ns, happening.kind
        node = str(happening.data.get("node") or "")
        if pod.seen_ns is None:
            pod.seen_ns, pod.was_there = t_ns, kind == _PRESENT
            pod.is_waiting = not node and kind in (_PRESENT, "pod.created")
            if pod.is_waiting:
                self._pending.append((t_ns, 1))
        if kind == "pod.failing" and happening.data.get("reason") == _UNSCHEDULABLE and not pod.node:
            pod.start = replace(pod.start, refused_ns=pod.start.refused_ns or t_ns)
        elif kind == "pod.scheduled":
            pod.start = replace(pod.start, scheduled_ns=t_ns)
        elif kind == "pod.gone" and pod.gone_ns is None:
            pod.gone_ns = t_ns
        if pod.placed_ns is None and (node or kind == "pod.scheduled"):
            pod.placed_ns = t_ns
        pod.node = pod.node or node
        if pod.is_waiting and (pod.placed_ns is not None or pod.gone_ns is not None):
            pod.is_waiting = False
            self._pending.append((t_ns, -1))
        self._readiness(pod, happening)

    def _readiness(self, pod: _Pod, happening: Happening) -> None:
        t_ns, kind = happening.t_ns, happening.kind
        there = kind == _PRESENT and happening.data.get("ready") and not happening.data.get("terminating")
        if kind == "pod.ready" or there:
            if not pod.is_ready:
                pod.is_ready = True
                self._ready.append((t_ns, 1))
            pod.start = replace(pod.start, ready_ns=min(pod.start.ready_ns, t_ns))
        elif kind in ("pod.not-ready", "pod.terminating", "pod.gone") and pod.is_ready:
            pod.is_ready = False
            self._ready.append((t_ns, -1))

    def _node(self, name: str, happening: Happening) -> None:
        t_ns, kind, data = happening.t_ns, happening.kind, happening.data
        node = self._nodes.setdefault(name, _Node(t_ns))
        node.machine = node.machine or str(data.get("machine") or "")
        node.capacity_type = node.capacity_type or str(data.get("capacity_type") or "")
        if kind == "node.joined" and node.joined_ns is None:
            node.joined_ns = t_ns
        elif kind == "node.gone":
            node.gone_ns = node.gone_ns or t_ns
        is_ready = kind == "node.ready" or (kind in ("node.present", "node.joined") and bool(data.get("ready")))
        if is_ready and not node.is_ready:
            node.is_ready = True
            node.ready_ns = node.ready_ns or t_ns
            node.changes.append((t_ns, 1))
        elif kind in ("node.not-ready", "node.gone") and node.is_ready:
            node.is_ready = False
            node.changes.append((t_ns, -1))

    def _machine(self, name: str, happening: Happening) -> None:
        capacity_type = str(happening.data.get("capacity_type") or "")
        known = self._machines.get(name)
        if happening.kind == "machine.launched" and known is None:
            self._machines[name] = Machine(name, happening.t_ns, capacity_type)
        elif happening.kind == "machine.ended" and known is not None:
            self._machines[name] = replace(known, ended_ns=happening.t_ns)


def _life(machine: Machine) -> Iterator[tuple[int, int]]:
    yield machine.launched_ns, 1
    if machine.ended_ns is not None:
        yield machine.ended_ns, -1


def _counted(nodes: Iterable[_Node]) -> Steps:
    return Steps.counted(change for node in nodes for change in node.changes)
