"""Helpers for tests of your own claims: made-up runs with failures exactly where you want them.

    run = clean_run()                                     # every phase of a gate, nothing lost
    run.fail(Side.CLUSTER, "deploy", repeat=2, after_s=1.0, seconds=0.1)
    case = make_case(run.build(), Objectives())

Nothing here measures anything: times are made up, and the same seed gives the same run, byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from shiftproof.model.event import EVENT_DTYPE, Events, Failure, Side, no_events
from shiftproof.model.history import (
    Budget,
    CustomersReport,
    Happening,
    History,
    LbRecord,
    LoadReport,
    Phase,
    PhaseKind,
    Source,
)

_S = 1_000_000_000
_LEGACY = ("vm-1", "vm-2")
_PODS = {"payments-a1": "198.18.1.7", "payments-b2": "198.18.2.7", "payments-c3": "198.18.1.8"}


@dataclass(frozen=True, slots=True)
class _Change:
    """From start_ns on for the time given, `share` of one side's requests fail or are slow."""

    side: Side
    start_ns: int
    end_ns: int
    share: float
    failure: Failure = Failure.NONE
    status: int = 0
    latency_ms: float | None = None
    target: str = ""
    cause: str = ""
    at_most: int | None = None


@dataclass(slots=True)
class RunBuilder:
    """Makes a History phase by phase; see `clean_run` for one with all the phases of a gate.

    pairs_per_s: the open-loop rate. latency_ms: the median of both sides. late_ms: mean lateness of sends.
    """

    pairs_per_s: float = 150.0
    seed: int = 7
    latency_ms: float = 60.0
    late_ms: float = 0.3
    started_ns: int = 1_767_225_600 * _S
    gap_s: float = 0.5
    _now_ns: int = field(init=False)
    _phases: list[Phase] = field(init=False, default_factory=list)
    _changes: list[_Change] = field(init=False, default_factory=list)
    _silent: list[tuple[int, int]] = field(init=False, default_factory=list)
    _happenings: list[Happening] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self._now_ns = self.started_ns
        for pod, ip in _PODS.items():
            data = {"ip": ip, "node": "node-1" if ip.startswith("198.18.1.") else "node-2"}
            self._happenings.append(Happening(self.started_ns, Source.KUBERNETES, "pod.ready", f"pod/{pod}", "", data))
            subject = f"target/{ip}:8080"
            self._happenings.append(
                Happening(self.started_ns, Source.LOAD_BALANCER, "target.healthy", subject, "", {"group": "cluster"})
            )

    def phase(
        self,
        name: str,
        kind: PhaseKind,
        seconds: float,
        *,
        repeat: int = 1,
        budget: Budget | None = None,
        facts: Mapping[str, Any] | None = None,
        problem: str | None = None,
    ) -> RunBuilder:
        """Append a phase; its action runs from 10% to 70% of it."""
        start, span = self._now_ns, round(seconds * _S)
        action = (start + span // 10, start + span * 7 // 10)
        self._phases.append(
            Phase(name, kind, repeat, start, start + span, *action, budget=budget, facts=facts or {}, problem=problem)
        )
        self._now_ns = start + span + round(self.gap_s * _S)
        return self

    def repeats(self, name: str, kind: PhaseKind, seconds: float, times: int = 3, **more: Any) -> RunBuilder:
        """The same phase `times` over, numbered from 1."""
        for repeat in range(1, times + 1):
            self.phase(name, kind, seconds, repeat=repeat, **more)
        return self

    def pause(self, name: str, *, quiet_s: float, after_s: float) -> RunBuilder:
        """A phase that begins with a pause of our own load, and goes on for after_s."""
        self.phase(name, PhaseKind.LOAD, quiet_s + after_s, facts={"quiet_s": quiet_s})
        start = self.find(name).start_ns
        self.change(name, action_start_ns=start, action_end_ns=start + round(quiet_s * _S))
        return self.silent(start, start + round(quiet_s * _S))

    def silent(self, start_ns: int, end_ns: int) -> RunBuilder:
        """Nothing is sent from start_ns to end_ns."""
        self._silent.append((start_ns, end_ns))
        return self

    def find(self, name: str, repeat: int = 1) -> Phase:
        """The phase of that name and repeat; KeyError when there is none."""
        for phase in self._phases:
            if (phase.name, phase.repeat) == (name, repeat):
                return phase
        raise KeyError(f"no phase {name} {repeat}")

    def change(self, name: str, repeat: int = 1, **fields: Any) -> RunBuilder:
        """Replace fields of a phase, e.g. change("deploy", 2, facts={...})."""
        index = self._phases.index(self.find(name, repeat))
        self._phases[index] = replace(self._phases[index], **fields)
        return self

    def fail(  # noqa: PLR0913  all by keyword: a test names only what it changes
        self,
        side: Side,
        name: str,
        *,
        repeat: int = 1,
        after_s: float = 1.0,
        seconds: float,
        share: float = 1.0,
        at_most: int | None = None,
        failure: Failure = Failure.RESET,
        status: int = 0,
        target: str = "",
        cause: str = "",
    ) -> RunBuilder:
        """Requests of `side` sent from after_s into the phase on fail; at_most: the first few of them only.

        target, cause: what the load balancer logs of them (nothing without a cause).
        """
        start = self.find(name, repeat).start_ns + round(after_s * _S)
        end = start + round(seconds * _S)
        self._changes.append(_Change(side, start, end, share, failure, status, None, target, cause, at_most))
        return self

    def slow(
        self,
        side: Side,
        name: str,
        *,
        repeat: int = 1,
        after_s: float = 0.0,
        seconds: float,
        latency_ms: float,
        share: float = 1.0,
    ) -> RunBuilder:
        """Requests of `side` take latency_ms, and still succeed."""
        start = self.find(name, repeat).start_ns + round(after_s * _S)
        end = start + round(seconds * _S)
        self._changes.append(_Change(side, start, end, share, latency_ms=latency_ms))
        return self

    def happen(
        self, name: str, kind: str, subject: str, *, repeat: int = 1, after_s: float, source: Source, **data: Any
    ) -> RunBuilder:
        """Put something on the timeline, after_s into the phase."""
        t_ns = self.find(name, repeat).start_ns + round(after_s * _S)
        self._happenings.append(Happening(t_ns, source, kind, subject, "", data))
        return self

    def build(self) -> History:
        """The history so far, with load until the end of the last phase and reports that agree with it."""
        rng = np.random.default_rng(self.seed)
        events = self._events(rng)
        failed = int((events["failure"] != 0).sum())
        load = LoadReport(
            scheduled=len(events),
            recorded=len(events),
            locust_requests=len(events),
            locust_failures=failed,
            late=int((events["sent_ns"] - events["intended_ns"] > 20_000_000).sum()),
            finished=True,
        )
        return History(
            started_ns=self.started_ns,
            phases=tuple(self._phases),
            events=events,
            operations=("create", "read"),
            servers=("", *_LEGACY, *_PODS),
            timeline=tuple(sorted([*self._happenings, *self._seen()], key=lambda happening: happening.t_ns)),
            lb_records=self._lb_records(events),
            load=load,
            customers=CustomersReport(requests=max(1, len(events) // 15), failed=0),
        )

    def _seen(self) -> list[Happening]:
        """What Kubernetes tells of each rollout and of each pod that is a victim: without it nobody saw that it was."""
        seen = []
        for phase in self._phases:
            pods = [victim for victim in phase.facts.get("victims", ()) if victim.startswith("pod/")]
            pods += ["pod/payments-d4"] if phase.facts.get("complete") else []
            t_ns = phase.action_start_ns
            seen += [Happening(t_ns, Source.KUBERNETES, "pod.scheduled", pod) for pod in pods]
        return seen

    def _events(self, rng: np.random.Generator) -> Events:
        end_ns = self._phases[-1].end_ns if self._phases else self.started_ns
        count = int((end_ns - self.started_ns) * self.pairs_per_s / _S)
        if not count:
            return no_events()
        intended = self.started_ns + (np.arange(count) * (_S / self.pairs_per_s)).astype(np.int64)
        for start_ns, silent_until_ns in self._silent:
            intended = intended[(intended < start_ns) | (intended >= silent_until_ns)]
        count = len(intended)
        triple = np.zeros(count, dtype=np.bool_)
        to_cluster = np.zeros(count, dtype=np.bool_)
        for phase in self._phases:
            if phase.kind.treatment is Side.WEIGHTED:
                inside = (intended >= phase.start_ns) & (intended < phase.end_ns)
                triple |= inside
                to_cluster |= inside & (rng.random(count) < self._share(phase, intended))
        parts = [self._side(rng, Side.LEGACY, intended, np.arange(count), ~np.ones(count, dtype=np.bool_))]
        parts.append(self._side(rng, Side.CLUSTER, intended, np.arange(count), np.ones(count, dtype=np.bool_)))
        at = np.flatnonzero(triple)
        parts.append(self._side(rng, Side.WEIGHTED, intended[at], at, to_cluster[at]))
        events = np.concatenate(parts)
        result: Events = events[np.argsort(events["intended_ns"], kind="stable")]
        return result

    def _share(self, phase: Phase, intended: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """What share of weighted requests goes to the cluster at each intended time."""
        before, after = phase.facts.get("from_pct", 0) / 100, phase.facts.get("to_pct", 0) / 100
        share: npt.NDArray[np.float64] = np.where(intended < phase.action_start_ns, before, after)
        return share

    def _side(
        self,
        rng: np.random.Generator,
        side: Side,
        intended: npt.NDArray[np.int64],
        number: npt.NDArray[np.int64],
        on_cluster: npt.NDArray[np.bool_],
    ) -> Events:
        count = len(intended)
        events = np.zeros(count, dtype=EVENT_DTYPE)
        events["pair"], events["side"], events["operation"] = number, side, number % 2
        events["intended_ns"] = intended
        events["sent_ns"] = intended + (rng.exponential(self.late_ms, count) * 1e6).astype(np.int64)
        latency_ms = self.latency_ms * np.exp(rng.normal(0, 0.15, count))
        events["status"] = 201
        legacy = 1 + rng.integers(0, len(_LEGACY), count)
        events["served_by"] = np.where(on_cluster, 1 + len(_LEGACY) + rng.integers(0, len(_PODS), count), legacy)
        for change in self._changes:
            if change.side is not side:
                continue
            hit = (events["sent_ns"] >= change.start_ns) & (events["sent_ns"] < change.end_ns)
            hit &= rng.random(count) < change.share
            if change.at_most is not None:
                hit[np.flatnonzero(hit)[change.at_most :]] = False
            if change.latency_ms is not None:
                latency_ms[hit] = change.latency_ms
                continue
            events["failure"][hit], events["status"][hit], events["served_by"][hit] = change.failure, change.status, 0
            latency_ms[hit] = 2000.0 if change.failure is Failure.TIMEOUT else 2.0
        events["ended_ns"] = events["sent_ns"] + (latency_ms * 1e6).astype(np.int64)
        return events

    def _lb_records(self, events: Events) -> tuple[LbRecord, ...]:
        records = []
        for change in self._changes:
            if not change.cause:
                continue
            hit = (events["side"] == change.side) & (events["failure"] != 0)
            hit &= (events["sent_ns"] >= change.start_ns) & (events["sent_ns"] < change.end_ns)
            for event in events[hit]:
                pair, t_ns = int(event["pair"]), int(event["ended_ns"])
                records.append(LbRecord(t_ns, pair, change.side, change.target, change.status, change.cause))
        return tuple(sorted(records, key=lambda record: record.t_ns))


def clean_run(*, pairs_per_s: float = 150.0, seed: int = 7, to_pct: int = 25) -> RunBuilder:
    """A whole gate in which nothing is lost: steady, quiet, deploy, pod-delete, node-loss (a crash), shift, rollback."""
    run = RunBuilder(pairs_per_s=pairs_per_s, seed=seed)
    run.phase("steady", PhaseKind.STEADY, 15)
    run.pause("quiet", quiet_s=8.0, after_s=3.0)
    run.repeats("deploy", PhaseKind.GRACEFUL, 7, facts={"rollout_s": 6.1, "complete": True, "problem": None})
    run.repeats("pod-delete", PhaseKind.GRACEFUL, 7, facts={"victims": ["pod/payments-a1"], "effect": "confirmed"})
    run.repeats("shift", PhaseKind.SHIFT, 7, facts={"seconds": 0.4, "from_pct": 0, "to_pct": to_pct})
    run.repeats("rollback", PhaseKind.ROLLBACK, 7, facts={"seconds": 0.4, "from_pct": to_pct, "to_pct": 0})
    budget = Budget(outage_ms=5000, lost_requests=400, recover_s=8)
    facts = {"victims": ["node/node-2"], "effect": "confirmed"}
    return run.phase("node-loss", PhaseKind.CRASH, 15, budget=budget, facts=facts)
