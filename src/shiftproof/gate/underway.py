"""What runs while drills run: the load of pairs, the customers, the watchers and the monitor, as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from shiftproof.errors import MeasureError
from shiftproof.gate.clock import RunClock
from shiftproof.gate.monitor import Monitor
from shiftproof.gate.notes import Notes, merge_timelines
from shiftproof.gate.parts import Parts
from shiftproof.gate.phases import OpenPhase, Phases
from shiftproof.gate.selfcheck import WatchedLoad, clock_stepped, unlogged
from shiftproof.gate.settings import Depth
from shiftproof.judge import LiveJudge, PhaseCount, pair_up
from shiftproof.model.event import Events, Failure, request_id
from shiftproof.model.history import (
    WATCH_GAP,
    CustomersReport,
    Happening,
    History,
    LbRecord,
    LoadReport,
    Source,
)
from shiftproof.ports import RunningLoad

ARRIVAL_GRACE_S = 0.3  # on top of the request time-out: the recorder's own flush
FAILED_LOOKED_UP = 5000  # failed requests looked up in the load balancer's log; more say nothing new


class Underway:
    """The rehearsal's machinery between its first request and its last. Close it in any case."""

    def __init__(  # noqa: PLR0913, PLR0917 (what it starts, and whom it tells)
        self,
        parts: Parts,
        clock: RunClock,
        notes: Notes,
        live: LiveJudge,
        depth: Depth,
        run_dir: Path,
        on_counts: Callable[[Sequence[PhaseCount]], None],
        on_phase: Callable[[OpenPhase], None],
    ) -> None:
        self._parts = parts
        self._clock = clock
        self._notes = notes
        self._started_ns = clock.now_ns()
        self._load_report: LoadReport | None = None
        with ExitStack() as stack:
            stack.callback(parts.faults.close)
            parts.faults.warm(run_dir)
            for watcher in parts.watchers:
                stack.callback(watcher.stop)
                watcher.start()
            stack.callback(parts.customers.stop)
            parts.customers.start()
            plan = parts.load_plan
            started = parts.load.start(plan, run_dir, "pairs")
            self.load: RunningLoad = WatchedLoad(started, self._started_ns, clock.now_ns, plan.timeout_s)
            stack.callback(self.load.stop)
            self.monitor = Monitor(self.load, live, plan.rate_per_s, on_counts)
            stack.callback(self.monitor.stop)
            self.monitor.start()
            self._closing = stack.pop_all()
        self.phases = Phases(clock, self.load, self.monitor, notes, depth, on_phase)

    def close(self) -> None:
        """Stop the monitor and the load, account for the load, then the rest. Safe to call twice."""
        try:
            if self._load_report is None:
                self.monitor.stop()
                self._load_report = self.load.stop()
                self.monitor.take_in()
        finally:  # an account that cannot be had must not leave the rest running
            self._closing.close()

    def wait_for_answers(self) -> None:
        """Let the requests of the phases that ended be answered or time out, so that they can be judged."""
        if not self.phases.closed:
            return
        last = self.phases.closed[-1]
        timeout_s = self._parts.load_plan.timeout_s
        tail = replace(last, start_ns=max(last.start_ns, last.end_ns - int(timeout_s * 1e9)))
        give_up_ns = last.end_ns + int((timeout_s + ARRIVAL_GRACE_S) * 1e9)
        self._clock.sleep(ARRIVAL_GRACE_S)
        while self._clock.now_ns() < give_up_ns:
            pairs = pair_up(self.monitor.events_since(tail.start_ns), (tail,))
            if pairs.complete[pairs.rows(0)].all():
                return
            self._clock.sleep(0.1)

    def timeline(self) -> tuple[Happening, ...]:
        """All that was seen, and what was missed: the sufficiency claim reads it off the timeline, and says it once."""
        told = [watcher.happenings() for watcher in self._parts.watchers]
        return merge_timelines(self._notes.happenings(), *told, self._gaps(told))

    def _gaps(self, told: Sequence[Sequence[Happening]]) -> list[Happening]:
        """Why the timeline is not whole, where no watcher has said so in it: its problem, or a clock that was set."""
        problems = [("clock", clock_stepped(self._clock))]
        for watcher, happenings in zip(self._parts.watchers, told, strict=True):
            if not any(happening.kind == WATCH_GAP for happening in happenings):
                problems.append((type(watcher).__name__, watcher.problem()))
        now_ns = self._clock.now_ns()
        return [
            Happening(now_ns, Source.SHIFTPROOF, WATCH_GAP, f"watcher/{name}", problem, {"problem": problem})
            for name, problem in problems
            if problem
        ]

    def history(self) -> History:
        """All so far; after `close`, all there is."""
        events = self.monitor.events()
        events = events[events["intended_ns"].argsort(kind="stable")]
        failed = events[events["failure"] != Failure.NONE]
        ids = [request_id(int(event["pair"]), int(event["side"])) for event in failed[:FAILED_LOOKED_UP]]
        # Before the timeline is put together: a log that cannot be read, or is not ours, is part of it.
        records, gap = self._lookup(ids, events)
        return History(
            started_ns=self._started_ns,
            phases=self.phases.closed,
            events=events,
            operations=tuple(str(operation["name"]) for operation in self._parts.load_plan.operations),
            servers=_named(self.load.servers(), events),
            timeline=merge_timelines(self.timeline(), gap),
            lb_records=records,
            logged=not gap and len(failed) <= FAILED_LOOKED_UP,
            load=self._load_report,
            customers=self._customers(),
            probes=self.monitor.probes(),
        )

    def _lookup(self, ids: list[str], events: Events) -> tuple[tuple[LbRecord, ...], tuple[Happening, ...]]:
        """The load balancer's records of these requests, and the gap that a log leaves that cannot be believed.

        At the end the log is also held against what was answered. Not among the notes: they are kept for the run, and a
        later look may find the log readable and whole.
        """
        log, problem = self._parts.access_log, None
        records: tuple[LbRecord, ...] = ()
        try:
            records = tuple(log.failed(ids, self._started_ns)) if ids else ()
            if self._load_report is not None:
                problem = unlogged(log, events, self._started_ns)
        except MeasureError as error:
            problem = str(error)
        if problem is None:
            return records, ()
        subject, data = "watcher/access-log", {"problem": problem}
        return records, (Happening(self._clock.now_ns(), Source.SHIFTPROOF, WATCH_GAP, subject, problem, data),)

    def _customers(self) -> CustomersReport | None:
        return self._parts.customers.report() if self._load_report is not None else None


def _named(servers: tuple[str, ...], events: Events) -> tuple[str, ...]:
    """The names, with nameless ones for the rest: that names are missing is the load's problem, and no bad index."""
    return servers + ("",) * (int(events["served_by"].max()) + 1 - len(servers) if len(events) else 0)
