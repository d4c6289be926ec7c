"""What a run checks of its own measuring, by what somebody else wrote down: the load balancer, the clock, the rules.

Each function returns a sentence when something is wrong, None otherwise. None of it is about the service.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from shiftproof.errors import LoadError, MeasureError, ShiftproofError
from shiftproof.gate.clock import RunClock
from shiftproof.model.event import Events, Failure, Side, request_id
from shiftproof.model.history import WATCH_GAP, Happening, LbRecord, LoadReport, Source
from shiftproof.model.probe import ProbeRecord
from shiftproof.ports import AccessLog, Router, RunningLoad, Watcher

OF_PAIRS = (Side.LEGACY, Side.CLUSTER, Side.WEIGHTED)
SAMPLES = 60  # answered requests that are looked up in the load balancer's log: enough to notice that a side is missing
LOGGED_SHARE = 0.9  # of them that must be found: a log may drop a line when it is busy
LOGGED_WITHIN_S = 1.0  # of its end, a request is in the log
STEP_S = 0.5  # a clock that is kept right by NTP is slewed by less during a gate
OFF_NS = 500_000_000
FAILED_LOOKED_UP = 5000  # failed requests looked up in the load balancer's log; more say nothing new
SILENT_S = 10.0  # beyond the time-out of a request


class WatchedLoad:
    """Implements ports.RunningLoad over another, which is not believed blindly.

    Its times must be the run's: by a clock of its own it would measure other phases. And a load that is alive and
    records nothing is none. timeout_s: of a request, so long it may be silent because nobody answers.
    """

    def __init__(self, load: RunningLoad, since_ns: int, now_ns: Callable[[], int], timeout_s: float) -> None:
        self._load = load
        self._since_ns = since_ns
        self._now_ns = now_ns
        self._silent_ns = int((SILENT_S + timeout_s) * 1e9)
        self._heard_ns = now_ns()
        self._may_be_silent = False

    def new_events(self) -> Events:
        """Raises LoadError for records from before the load was started, or not over yet, and for a long silence."""
        events = self._load.new_events()
        now_ns = self._now_ns()
        if len(events):
            self._heard_ns = now_ns
            if int(events["intended_ns"].min()) < self._since_ns - OFF_NS:
                raise LoadError("the load recorded requests from before it was started: its clock is not the run's")
            if int(events["ended_ns"].max()) > now_ns + OFF_NS:
                raise LoadError("the load recorded requests that are not over yet: its clock is not the run's")
        elif not self._may_be_silent and now_ns - self._heard_ns > self._silent_ns:
            raise LoadError(f"the load has recorded nothing for {(now_ns - self._heard_ns) / 1e9:.0f} s")
        return events

    def new_probes(self) -> Sequence[ProbeRecord]:
        """Raises LoadError as for events."""
        probes = self._load.new_probes()
        if any(one.start_ns < self._since_ns - OFF_NS or one.end_ns > self._now_ns() + OFF_NS for one in probes):
            raise LoadError("the load recorded probes outside its time: its clock is not the run's")
        return probes

    def triples(self, on: bool) -> None:
        self._load.triples(on)

    def pause(self) -> None:
        self._may_be_silent = True
        self._load.pause()

    def resume(self) -> None:
        self._load.resume()
        self._heard_ns = self._now_ns()
        self._may_be_silent = False

    def boost(self, side: Side, rate_per_s: float) -> None:
        self._load.boost(side, rate_per_s)

    def alive(self) -> bool:
        return self._load.alive()

    def stop(self) -> LoadReport:
        self._may_be_silent = True
        return self._load.stop()

    def servers(self) -> tuple[str, ...]:
        return self._load.servers()


def unlogged(log: AccessLog, events: Events, since_ns: int, sides: Collection[Side] = OF_PAIRS) -> str | None:
    """Whether the load balancer saw what we recorded as answered on these sides.

    Without that a loss could be put on nobody, and a load that never left this machine would look like a clean service.
    Raises MeasureError when the log cannot be read.
    """
    answered = events[(events["failure"] == Failure.NONE) & np.isin(events["side"], list(sides))]
    if len(answered):
        answered = answered[answered["ended_ns"] <= answered["ended_ns"].max() - int(LOGGED_WITHIN_S * 1e9)]
    if not len(answered):
        return None  # that nothing was answered is said by others
    chosen = answered[np.unique(np.linspace(0, len(answered) - 1, SAMPLES).astype(np.int64))]
    asked = {(int(event["pair"]), int(event["side"])) for event in chosen}
    found = {(record.pair, int(record.side)) for record in log.failed([request_id(*one) for one in asked], since_ns)}
    if len(found & asked) >= LOGGED_SHARE * len(asked):
        return None
    return f"the load balancer's log knows {len(found & asked)} of {len(asked)} requests that were recorded as answered"


@dataclass(frozen=True, slots=True)
class LookedUp:
    """What the load balancer logged of our failed requests. gap: why its log cannot be believed; whole: it can, and
    each of them was looked up."""

    records: tuple[LbRecord, ...]
    gap: tuple[Happening, ...]
    whole: bool


def look_up(
    log: AccessLog,
    events: Events,
    since_ns: int,
    now_ns: Callable[[], int],
    *,
    ended: bool,
    also: Collection[Side] = (),
) -> LookedUp:
    """At the end (ended) the log is also held against what was answered.

    also: sides of another load than the pairs', held against it by a sample of their own: one load that is missing
    must not hide behind the other.
    The gap is no note of the run's: a later look may find the log readable and whole.
    """
    failed = events[events["failure"] != Failure.NONE]
    ids = [request_id(int(event["pair"]), int(event["side"])) for event in failed[:FAILED_LOOKED_UP]]
    records: tuple[LbRecord, ...] = ()
    problem = None
    try:
        records = tuple(log.failed(ids, since_ns)) if ids else ()
        if ended:
            problem = unlogged(log, events, since_ns)
            if problem is None and also:
                problem = unlogged(log, events, since_ns, also)
    except MeasureError as error:
        problem = str(error)
    if problem is None:
        return LookedUp(records, (), len(failed) <= FAILED_LOOKED_UP)
    return LookedUp(records, (_gap(now_ns(), "access-log", problem),), whole=False)


def gaps(watchers: Sequence[Watcher], told: Sequence[Sequence[Happening]], clock: RunClock) -> list[Happening]:
    """Why a timeline is not whole, where no watcher has said so in it: its problem, or a clock that was set.

    told: what each of the watchers has told, in their order.
    """
    problems = [("clock", clock_stepped(clock))]
    for watcher, happenings in zip(watchers, told, strict=True):
        if not any(happening.kind == WATCH_GAP for happening in happenings):
            problems.append((type(watcher).__name__, watcher.problem()))
    now_ns = clock.now_ns()
    return [_gap(now_ns, name, problem) for name, problem in problems if problem]


def _gap(t_ns: int, name: str, problem: str) -> Happening:
    return Happening(t_ns, Source.SHIFTPROOF, WATCH_GAP, f"watcher/{name}", problem, {"problem": problem})


def clock_stepped(clock: RunClock) -> str | None:
    """Whether the wall clock, by which load balancers write their logs, is still the run's."""
    stepped_s = clock.stepped_s()
    if abs(stepped_s) <= STEP_S:
        return None
    return f"the wall clock was set by {stepped_s:+.1f} s while the gate ran, or the machine was asleep"


def rules_moved(router: Router, from_pct: int) -> str | None:
    """Whether the rules are where the run found them: it rehearsed from where customers were, on sides kept apart."""
    try:
        customers = router.weights("customers").cluster_pct
        pinned = router.weights("legacy").cluster_pct, router.weights("cluster").cluster_pct
        others = router.other_writers()
    except ShiftproofError as error:
        return f"where the rules point at the end is not known: {error}"
    if customers != from_pct:
        return f"somebody moved customers from {from_pct}% to {customers}% meanwhile"
    if pinned != (0, 100):
        return f"a rehearsal rule was changed meanwhile: legacy sends {pinned[0]}%, cluster {pinned[1]}% there"
    if others:
        return f"meanwhile the customers' rule was also written by {', '.join(others)}"
    return None
