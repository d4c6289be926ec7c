"""What runs while drills run: the load of pairs, the customers, the watchers and the monitor, as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from shiftproof.gate.clock import RunClock
from shiftproof.gate.monitor import Monitor
from shiftproof.gate.notes import Notes, merge_timelines
from shiftproof.gate.parts import Parts
from shiftproof.gate.phases import OpenPhase, Phases
from shiftproof.gate.selfcheck import WatchedLoad, gaps, look_up
from shiftproof.gate.settings import Depth
from shiftproof.judge import LiveJudge, PhaseCount, pair_up
from shiftproof.model.event import Events
from shiftproof.model.history import CustomersReport, Happening, History, LoadReport
from shiftproof.ports import RunningLoad

ARRIVAL_GRACE_S = 0.3  # on top of the request time-out: the recorder's own flush


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
        return merge_timelines(self._notes.happenings(), *told, gaps(self._parts.watchers, told, self._clock))

    def history(self) -> History:
        """All so far; after `close`, all there is."""
        events = self.monitor.events()
        events = events[events["intended_ns"].argsort(kind="stable")]
        # Before the timeline is put together: a log that cannot be read, or is not ours, is part of it.
        ended = self._load_report is not None
        looked = look_up(self._parts.access_log, events, self._started_ns, self._clock.now_ns, ended=ended)
        return History(
            started_ns=self._started_ns,
            phases=self.phases.closed,
            events=events,
            operations=tuple(str(operation["name"]) for operation in self._parts.load_plan.operations),
            servers=named(self.load.servers(), events),
            timeline=merge_timelines(self.timeline(), looked.gap),
            lb_records=looked.records,
            logged=looked.whole,
            load=self._load_report,
            customers=self._customers(),
            probes=self.monitor.probes(),
        )

    def _customers(self) -> CustomersReport | None:
        return self._parts.customers.report() if self._load_report is not None else None


def named(servers: tuple[str, ...], events: Events) -> tuple[str, ...]:
    """The names, with nameless ones for the rest: that names are missing is the load's problem, and no bad index."""
    return servers + ("",) * (int(events["served_by"].max()) + 1 - len(servers) if len(events) else 0)
