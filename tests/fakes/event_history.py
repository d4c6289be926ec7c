"""Made-up load events for the tests of the scaling claims: requests, pods, nodes and an autoscaler, by the second.

    event = EventBuilder()                        # payday in small: 2 pods, 5 are needed at its peak
    event.scale(50, 5, ready_s=70)                # three more pods are wanted at 50 s and ready at 70 s
    case = event.build()

All seconds are from the event's start. The same calls give the same history.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from shiftproof.judge.elasticity import Prices
from shiftproof.judge.elasticity.case import EventCase
from shiftproof.judge.elasticity.need import due_each_s
from shiftproof.model.event import EVENT_DTYPE, Events, Failure, Side
from shiftproof.model.history import Happening, History, LoadReport, Source
from shiftproof.model.load_event import Hold, LoadEvent, Ramp
from shiftproof.model.platform import Objectives
from shiftproof.model.scaling import Scaling, ScalingLimits, Signal

S = 1_000_000_000
START_NS = 1_767_225_600 * S
PEAK_PER_S = 150.0
PAYDAY = LoadEvent("payday", "Salaries land", 0.2, (Hold(40), Ramp(1.0, 40), Hold(80), Ramp(0.2, 40), Hold(100)))
TO_BREAK = LoadEvent("ramp-to-break", "Until it breaks", 0.2, (Ramp(2.0, 300),))
LETTERS = "bcdfghjklmnpqrstvwxz"


@dataclass(frozen=True, slots=True)
class Spell:
    """From begin_s to end_s `share` of a side's requests fail, or take latency_ms."""

    side: Side
    begin_s: float
    end_s: float
    share: float = 1.0
    latency_ms: float | None = None


def scaling(**limits: Any) -> Scaling:
    """30 requests a second and pod, between 2 and 6 pods."""
    signal = Signal(kind="requests-per-second", per_pod=30, reason="it follows the load")
    return Scaling(
        signal=signal,
        requests_per_pod=30,
        least_pods=2,
        most_pods=6,
        limits=ScalingLimits(**limits) if limits else ScalingLimits(),
    )


@dataclass(slots=True)
class EventBuilder:
    """Two pods on one node are there from 60 s before the event on; `build` gives the case."""

    event: LoadEvent = PAYDAY
    pairs_per_s: float = 10.0
    looked_s: float = 120.0
    peak_per_s: float = PEAK_PER_S
    base_pods: int = 2
    limits: dict[str, Any] = field(default_factory=dict)
    _happenings: list[Happening] = field(init=False, default_factory=list)
    _spells: list[Spell] = field(init=False, default_factory=list)
    _pods: list[tuple[str, str]] = field(init=False, default_factory=list)
    _made: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.at(-60, "node.present", "node/base-1", ready=True, machine="")
        self.at(-60, "scale.wanted", "deployment/payments", replicas=self.base_pods)
        self.at(-60, "scale.observed", "autoscaler/payments", metric="requests", ratio=0.6)
        for _ in range(self.base_pods):
            name = self._name()
            self._pods.append((name, "base-1"))
            self.pod(-60, "present", name, node="base-1", ready=True)

    def at(
        self, t_s: float, kind: str, subject: str, *, source: Source = Source.KUBERNETES, **data: Any
    ) -> EventBuilder:
        """Put something on the timeline."""
        self._happenings.append(Happening(START_NS + round(t_s * S), source, kind, subject, "", data))
        return self

    def pod(self, t_s: float, kind: str, name: str, **data: Any) -> EventBuilder:
        """Something of a pod of the service."""
        return self.at(t_s, f"pod.{kind}", f"pod/{name}", **{"workload": "payments", "namespace": "payments", **data})

    def sees(self, t_s: float, ratio: float | None) -> EventBuilder:
        """What the autoscaler says of its metric."""
        return self.at(t_s, "scale.observed", "autoscaler/payments", metric="requests", ratio=ratio)

    def wants(self, t_s: float, replicas: int) -> EventBuilder:
        return self.at(t_s, "scale.wanted", "deployment/payments", replicas=replicas)

    def starts(self, t_s: float, *, ready_s: float | None, node: str = "base-1") -> str:
        """A pod comes at t_s, has a place at once, and is ready at ready_s (None: never). Returns its name."""
        name = self._name()
        self.pod(t_s, "created", name)
        self.pod(t_s + 0.1, "scheduled", name, node=node)
        if ready_s is not None:
            self.pod(ready_s, "ready", name, node=node)
        self._pods.append((name, node))
        return name

    def waits(self, t_s: float, *, node: str, placed_s: float | None = None, ready_s: float | None = None) -> str:
        """A pod comes at t_s and finds no node; placed_s: when it has one (None: never). Returns its name."""
        name = self._name()
        self.pod(t_s, "created", name)
        self.pod(t_s + 0.2, "failing", name, reason="Unschedulable", message="0/1 nodes are available")
        self.at(t_s + 0.3, "event.warning", f"pod/{name}", reason="FailedScheduling", message="0/1 nodes are available")
        if placed_s is not None:
            self.pod(placed_s, "scheduled", name, node=node)
        if ready_s is not None:
            self.pod(ready_s, "ready", name, node=node)
        self._pods.append((name, node))
        return name

    def node(self, name: str, *, launched_s: float, ready_s: float | None, spot: bool = False) -> EventBuilder:
        """A machine is launched; at ready_s it is a ready node (None: it never joins)."""
        sort, machine = "spot" if spot else "on-demand", f"i-{name}"
        self.at(launched_s, "machine.launched", f"machine/{machine}", capacity_type=sort, zone="a")
        if ready_s is not None:
            self.at(ready_s - 0.5, "node.joined", f"node/{name}", machine=machine, capacity_type=sort)
            self.at(ready_s, "node.ready", f"node/{name}")
        return self

    def no_node(self, t_s: float, name: str) -> EventBuilder:
        """The node is taken away again."""
        self.at(t_s, "machine.ended", f"machine/i-{name}")
        return self.at(t_s, "node.gone", f"node/{name}")

    def goes(self, t_s: float, pods: int = 1) -> EventBuilder:
        """The newest pods are told to go, and are gone 2 s later."""
        for _ in range(pods):
            name, node = self._pods.pop()
            self.pod(t_s, "terminating", name, node=node)
            self.pod(t_s + 2, "gone", name, node=node)
        return self

    def spell(
        self, side: Side, begin_s: float, end_s: float, *, share: float = 1.0, latency_ms: float | None = None
    ) -> EventBuilder:
        """Requests of `side` that are due from begin_s to end_s fail, or take latency_ms."""
        self._spells.append(Spell(side, begin_s, end_s, share, latency_ms))
        return self

    def build(self, **more: Any) -> EventCase:
        """The case; more: fields of it to replace."""
        demand = self.event.demand(self.peak_per_s)
        end_ns = START_NS + round(demand.seconds * S)
        events = self._events()
        extra = events[events["side"] == Side.EXTRA_CLUSTER]
        case = EventCase(
            history=History(
                started_ns=START_NS - 60 * S,
                phases=(),
                events=events,
                operations=("create",),
                timeline=tuple(sorted(self._happenings, key=lambda happening: happening.t_ns)),
                load=report(events[events["side"] != Side.EXTRA_CLUSTER]),
            ),
            event=self.event,
            demand=demand,
            start_ns=START_NS,
            end_ns=end_ns,
            looked_until_ns=end_ns + round(self.looked_s * S),
            deployment="payments",
            namespace="payments",
            scaling=scaling(**self.limits),
            objectives=Objectives(),
            prices=Prices(per_s=0.05 / 3600, boot_s=40),
            event_load=report(extra),
            critical=("payments",),
        )
        return replace(case, **more)

    def _name(self) -> str:
        self._made += 1
        high, low = divmod(self._made, len(LETTERS))
        return f"payments-7d4f9c6b5-xxx{LETTERS[high]}{LETTERS[low]}"

    def _events(self) -> Events:
        rng = np.random.default_rng(7)
        due = due_each_s(self.event.demand(self.peak_per_s), round(self.event.seconds))
        numbers = np.diff(np.floor(np.concatenate([[0.0], np.cumsum(due)]) + 1e-9)).astype(np.int64)
        second = np.repeat(np.arange(len(numbers)), numbers)
        extra = START_NS + second * S + (rng.random(len(second)) * 0.999 * S).astype(np.int64)
        pairs = START_NS + (
            np.arange(-60 * self.pairs_per_s, self.event.seconds * self.pairs_per_s) * S / self.pairs_per_s
        ).astype(np.int64)
        parts = [
            self._side(rng, Side.LEGACY, pairs),
            self._side(rng, Side.CLUSTER, pairs),
            self._side(rng, Side.EXTRA_CLUSTER, np.sort(extra)),
        ]
        events = np.concatenate(parts)
        return events[np.argsort(events["intended_ns"], kind="stable")]

    def _side(self, rng: np.random.Generator, side: Side, intended_ns: npt.NDArray[np.int64]) -> Events:
        count = len(intended_ns)
        events = np.zeros(count, dtype=EVENT_DTYPE)
        events["pair"], events["side"], events["intended_ns"] = np.arange(count), side, intended_ns
        events["sent_ns"] = intended_ns + (rng.exponential(0.3, count) * 1e6).astype(np.int64)
        events["status"] = 201
        latency_ms = 60 * np.exp(rng.normal(0, 0.15, count))
        for spell in self._spells:
            hit = (events["side"] == spell.side) & (rng.random(count) < spell.share)
            hit &= (intended_ns >= START_NS + round(spell.begin_s * S)) & (
                intended_ns < START_NS + round(spell.end_s * S)
            )
            if spell.latency_ms is None:
                events["failure"][hit], events["status"][hit] = Failure.STATUS, 503
            else:
                latency_ms[hit] = spell.latency_ms
        events["ended_ns"] = events["sent_ns"] + (latency_ms * 1e6).astype(np.int64)
        return events


def report(events: Events) -> LoadReport:
    """A load's account of itself that agrees with its records."""
    count, failed = len(events), int((events["failure"] != Failure.NONE).sum())
    return LoadReport(count, count, count, failed, late=0, finished=True)


def good_payday(**more: Any) -> EventBuilder:
    """Payday as it should be: seen at 60 s, two nodes ready by 107 s, all back 40 s after its end."""
    event = EventBuilder(**more)
    event.sees(60, 1.5).wants(62, 4).wants(85, 6)
    event.starts(62.1, ready_s=68)
    for number, (t_s, node) in enumerate([(62.1, "new-1"), (85.1, "new-2"), (85.1, "new-2")]):
        event.waits(t_s, node=node, placed_s=106 + number, ready_s=109 + number)
    event.node("new-1", launched_s=64, ready_s=105).node("new-2", launched_s=87, ready_s=107)
    event.sees(190, 0.3).wants(300, 2).goes(300.1, 4)
    return event.no_node(330, "new-1").no_node(335, "new-2")
