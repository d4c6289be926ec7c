"""A made-up world for rehearsals: pods that follow the load as a test wishes, and a load that they carry or do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from fakes.made_up_load import PLAN, FakeLoad, FakeRunning
from fakes.scaling_watch import FakeScalingWatch
from fakes.world import FakeAccessLog, FakeCluster, FakeFaults, FakeRouter, FakeWatcher
from shiftproof.errors import FaultError, LoadError, MeasureError, SetupError
from shiftproof.gate.clock import RunClock, take_anchor
from shiftproof.judge.elasticity.case import EventCase
from shiftproof.model.demand import Demand
from shiftproof.model.event import EVENT_DTYPE, Events, Failure, Side, no_events
from shiftproof.model.history import LoadReport, Source
from shiftproof.model.load_event import Hold, LoadEvent, Ramp
from shiftproof.model.result import RunResult
from shiftproof.model.verdict import Finding, Verdict
from shiftproof.ports import AutoscalerState, EventPlan, SupplyState
from shiftproof.rehearse.parts import EventParts
from shiftproof.report.event_live import EventHeader, EventNumbers
from shiftproof.safety.journal import Journal

SHORT = LoadEvent(
    "short",
    "A day in twelve seconds",
    0.2,
    (Hold(2, really_s=600), Ramp(1.0, 2), Hold(4, really_s=600), Ramp(0.2, 2), Hold(2)),
)
POD_CARRIES_PER_S = 54.0
PAIRS_PER_S = 10.0
UNDONE: list[str] = []


def undo(payload: Mapping[str, Any]) -> None:
    """Stands for every undo handler."""
    UNDONE.append(str(payload["what"] if "what" in payload else payload.get("worker") or payload["service"]))


@dataclass
class FakeElastic:
    """Pods that follow the load `lag_s` later; `stuck` at so many, or blind, or not there.

    What it follows is what is sent: `sent_share` of the demand, by seconds of the event.
    """

    clock: RunClock
    least: int = 2
    most: int = 6
    per_pod: float = 26.0  # less than the 30 that a pod is there for: pairs come beside the event
    lag_s: float = 0.5
    stuck: int | None = None
    scaler: AutoscalerState | None = field(
        default_factory=lambda: AutoscalerState("keda-hpa-payments", 2, 6, per_pod=(30.0,))
    )
    journal: Journal | None = None
    demand: Demand | None = None
    sent_share: Callable[[float], float] = lambda at_s: 1.0
    began_ns: int | None = None
    fixed: int | None = None
    silent: bool = False
    resized: bool = False
    spot_after_s: float | None = None
    worker_after_s: float | None = None  # when its pod is ready; None: as soon as there is the machine
    refuses: Callable[[], None] = lambda: None
    leftover: tuple[str, ...] = ()  # machines of autoscaling that never go

    def pods_at(self, t_ns: int) -> int:
        if self.fixed is not None:
            return self.fixed if self.stuck is None else min(self.fixed, self.stuck)
        if self.demand is None or self.began_ns is None:
            return self.stuck or self.least
        wanted = min(self.most, max(self.least, int(np.ceil(self.needed_at(t_ns)))))
        return wanted if self.stuck is None else self.stuck

    def needed_at(self, t_ns: int) -> float:
        """Pods that the load asks for, in parts of one."""
        if self.demand is None or self.began_ns is None:
            return 0.0
        at_s = (t_ns - self.began_ns) / 1e9 - self.lag_s
        return self.demand.rate_at(at_s) * self.sent_share(at_s) / self.per_pod

    def state(self) -> SupplyState:
        if self.silent:
            raise SetupError("the Kubernetes API does not answer")
        pods = self.pods_at(self.clock.now_ns())
        nodes, left = frozenset({"node-1", "node-2", *self.leftover}), frozenset(self.leftover)
        at_s = 0.0 if self.began_ns is None else (self.clock.now_ns() - self.began_ns) / 1e9
        if self.spot_after_s is None or not self.spot_after_s <= at_s < SHORT.seconds:
            return SupplyState(pods, pods, pods, 0, nodes, machines=left)
        spot, workers = frozenset({"spot-1"}), {"statements": 1}
        ready = workers if at_s >= (self.worker_after_s or self.spot_after_s) else {}
        return SupplyState(
            pods, pods, pods, 0, nodes | spot, spot, workers=workers, machines=left | spot, workers_ready=ready
        )

    def autoscaler(self) -> AutoscalerState | None:
        return self.scaler

    def resize(self) -> Sequence[str]:
        self._record("overlay")
        self.resized = True
        self.refuses()
        return ("payments is in its size for events",)

    def fix(self, pods: int) -> None:
        self._record("object")
        self.fixed = pods

    def _record(self, kind: str) -> None:
        assert self.journal is not None
        self.journal.record(kind=kind, subject=kind, undo={"what": kind}, lease_s=0)


@dataclass
class FakePairs(FakeRunning):
    """What was due before it was told to stop is there to be read after it, as in a file."""

    last: Events = field(default_factory=no_events)

    def new_events(self) -> Events:
        if not self.ended:
            return super().new_events()
        found, self.last = self.last, no_events()
        return found

    def stop(self) -> LoadReport:
        if not self.ended:
            self.last = super().new_events()
        return super().stop()


@dataclass(frozen=True)
class FakeLost:
    share: float


@dataclass
class FakeEvent:
    """Single requests as the demand has them; what is above what ready pods carry fails.

    silent: none is sent. parts_lost: shares of it that nobody sends from `lost_at_s` on.
    """

    clock: RunClock
    elastic: FakeElastic
    plan: EventPlan
    silent: bool = False
    parts_lost: tuple[FakeLost, ...] = ()
    lost_at_s: float = 3.0
    dies_after_s: float | None = None
    early_ns: int = 0
    made: int = 0
    recorded: int = 0
    failures: int = 0
    start_ns: int | None = None
    ended: bool = False
    stopped: int = 0
    last: Events = field(default_factory=no_events)

    @property
    def demand(self) -> Demand:
        return Demand.of(self.plan.points)

    def begin(self, start_ns: int) -> None:
        self.start_ns = self.elastic.began_ns = start_ns
        self.elastic.demand, self.elastic.sent_share = self.demand, self.sent_share

    def sent_share(self, at_s: float) -> float:
        """What is sent of what is due, at so many seconds of the event."""
        if self.silent:
            return 0.0
        return 1 - sum(part.share for part in self.parts_lost) if at_s >= self.lost_at_s else 1.0

    def new_events(self) -> Events:
        if self.ended:
            found, self.last = self.last, no_events()
            return found
        return self._made_by_now()

    def _made_by_now(self) -> Events:
        if self.silent or self.start_ns is None:
            return no_events()
        due: list[tuple[int, int]] = []
        while (due_s := self.demand.due_s(self.made + len(due))) is not None:
            t_ns = self.start_ns + int(due_s * 1e9)
            if t_ns + 60_000_000 > self.clock.now_ns():
                break
            due.append((self.made + len(due), t_ns))
        self.made += len(due)
        due = [one for one in due if one[0] % 100 < 100 * self.sent_share((one[1] - self.start_ns) / 1e9)]
        events = np.zeros(len(due), EVENT_DTYPE)
        for event, (number, t_ns) in zip(events, due, strict=True):
            share_lost = self._share_lost(t_ns)
            lost = number % 100 < 100 * share_lost
            event["pair"], event["side"], event["served_by"] = number, Side.EXTRA_CLUSTER, 1
            event["intended_ns"] = event["sent_ns"] = t_ns - self.early_ns
            event["ended_ns"] = t_ns + 50_000_000
            event["failure"], event["status"] = (Failure.STATUS, 503) if lost else (Failure.NONE, 200)
        self.recorded += len(due)
        self.failures += int((events["failure"] != Failure.NONE).sum())
        return events

    def _share_lost(self, t_ns: int) -> float:
        assert self.start_ns is not None
        at_s = (t_ns - self.start_ns) / 1e9
        rate = self.demand.rate_at(at_s) * self.sent_share(at_s)
        carried = self.elastic.pods_at(t_ns) * POD_CARRIES_PER_S
        return max(0.0, 1 - carried / rate) if rate else 0.0

    def servers(self) -> tuple[str, ...]:
        return ("", "payments-x9")

    def alive(self) -> bool:
        if self.start_ns is None:
            return True
        gone_s = (self.clock.now_ns() - self.start_ns) / 1e9
        return gone_s < (self.demand.seconds + 0.3 if self.dies_after_s is None else self.dies_after_s)

    def stop(self) -> LoadReport:
        self.stopped += 1
        if not self.ended:
            self.last, self.ended = self._made_by_now(), True
        lost = "; ".join(f"a worker was lost, and {part.share:.0%} of the event's load" for part in self.parts_lost)
        return LoadReport(self.made, self.recorded, self.recorded, self.failures, 0, not lost, lost or None)

    def lost(self) -> Sequence[FakeLost]:
        return self.parts_lost


@dataclass
class FakeEventLoad:
    clock: RunClock
    elastic: FakeElastic
    able_per_s: float = 1000.0
    refusal: str | None = None
    change: Callable[[FakeEvent], FakeEvent] = lambda event: event
    event: FakeEvent | None = None

    def start(self, plan: EventPlan, run_dir: Path) -> FakeEvent:
        if self.refusal is not None:
            raise LoadError(self.refusal)
        self.event = self.change(FakeEvent(self.clock, self.elastic, plan))
        return self.event

    def sends_per_s(self, plan: EventPlan) -> float:
        return self.able_per_s


@dataclass
class FakeJobs:
    worker: str = "statements"
    planned: int = 9
    journal: Journal | None = None
    counts: Mapping[str, int] = field(default_factory=lambda: {"asked": 9, "produced": 9, "twice": 0, "lost": 0})
    asked: int = 0
    refusal: str | None = None
    blind: str | None = None

    def promise_removal(self) -> None:
        assert self.journal is not None
        self.journal.record(kind="jobs", subject="worker", undo={"worker": self.worker}, lease_s=0)

    def ask(self) -> None:
        if self.refusal is not None:
            raise FaultError(self.refusal)
        self.asked += 1

    def check(self) -> Mapping[str, int]:
        if self.blind is not None:
            raise MeasureError(self.blind)
        return self.counts


@dataclass
class FakeView:
    """Remembers all that it was told."""

    stages: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    numbers: list[EventNumbers] = field(default_factory=list)
    header: EventHeader | None = None
    ends: list[RunResult | None] = field(default_factory=list)
    on_stage: Callable[[str], None] = lambda name: None

    def begin(self, header: EventHeader) -> None:
        self.header = header

    def stage(self, name: str) -> None:
        self.stages.append(name)
        self.on_stage(name)

    def progress(self, numbers: EventNumbers) -> None:
        self.numbers.append(numbers)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def end(self, result: RunResult | None) -> None:
        self.ends.append(result)


def judge(case: EventCase) -> Sequence[Finding]:
    """Stands for the scaling claims: whether the load was sent, and whether it was carried."""
    mine = case.history.events[case.history.events["side"] == Side.EXTRA_CLUSTER]
    report = case.event_load
    if not len(mine) or report is None or not report.finished:
        said = report.problem if report is not None and report.problem else "no request of the event was sent"
        return [Finding("load-delivered", "event", Verdict.INCONCLUSIVE, said, {"lost_share": case.lost_share})]
    bad = int((mine["failure"] != Failure.NONE).sum())
    verdict = Verdict.FAIL if bad > 0.01 * len(mine) else Verdict.PASS
    return [
        Finding("load-delivered", "event", Verdict.PASS, f"{len(mine)} requests"),
        Finding("shortfall", "event", verdict, f"{bad} of {len(mine)} requests failed"),
    ]


class EventWorld:
    """All parts together. Change an attribute before the rehearsal begins."""

    def __init__(self) -> None:
        UNDONE.clear()
        self.clock = RunClock(take_anchor())
        self.kubernetes = FakeWatcher(self.clock, Source.KUBERNETES)
        self.elastic = FakeElastic(self.clock)
        self.router = FakeRouter(self.clock)
        self.cluster = FakeCluster(self.clock, self.kubernetes)
        self.pairs = FakePairs(self.clock, self.router, lambda side, t_ns: False, rate_per_s=PAIRS_PER_S)
        self.event_load = FakeEventLoad(self.clock, self.elastic)
        self.faults = FakeFaults(self.clock, self.kubernetes)
        self.access_log = FakeAccessLog(self.clock)
        self.jobs: list[FakeJobs] = []
        self.judged: list[EventCase] = []
        self.view = FakeView()
        self.scaling = FakeScalingWatch(self.clock, self.elastic.pods_at, self.elastic.needed_at)
        self.judge = judge

    def renew(self) -> None:
        """For the next rehearsal, with nothing sent and nothing recorded yet."""
        fails, rate_per_s = self.pairs.fails, self.pairs.rate_per_s
        self.pairs = FakePairs(self.clock, self.router, fails, rate_per_s=rate_per_s)
        self.kubernetes.seen.clear()
        self.elastic.demand = self.elastic.began_ns = self.elastic.fixed = None
        self.elastic.sent_share = lambda at_s: 1.0
        self.scaling = FakeScalingWatch(self.clock, self.elastic.pods_at, self.elastic.needed_at)

    def use(self, clock: RunClock, journal: Journal) -> None:
        """Live by the rehearsal's own clock and journal from now on."""
        self.clock = clock
        self.kubernetes.clock = self.elastic.clock = self.cluster.clock = self.pairs.clock = clock
        self.event_load.clock = self.faults.clock = self.scaling.clock = self.access_log.clock = clock
        self.elastic.journal = journal
        for jobs in self.jobs:
            jobs.journal = journal

    def parts(self, demand: Demand) -> EventParts:
        points = tuple(zip(demand.times_s, demand.rates_per_s, strict=True))
        return EventParts(
            router=self.router,
            cluster=self.cluster,
            elastic=self.elastic,
            load=FakeLoad(self.pairs),
            pairs_plan=replace(PLAN, rate_per_s=PAIRS_PER_S),
            event_load=self.event_load,
            event_plan=EventPlan(PLAN, points, "loadprofiles/short.py", 2),
            faults=self.faults,
            watchers=(self.kubernetes, self.scaling),
            access_log=self.access_log,
            jobs=self.jobs,
            judge=self._judge,
        )

    def _judge(self, case: EventCase) -> Sequence[Finding]:
        self.judged.append(case)
        return self.judge(case)
