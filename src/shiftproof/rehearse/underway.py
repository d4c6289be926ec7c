"""What runs while an event is rehearsed: watchers, the control's pairs, the event's load, and who takes it all in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import numpy as np

from shiftproof.errors import LoadError
from shiftproof.gate.clock import RunClock
from shiftproof.gate.notes import Notes, merge_timelines
from shiftproof.gate.phases import OpenPhase
from shiftproof.gate.selfcheck import WatchedLoad, gaps, look_up
from shiftproof.model.event import Events, Side
from shiftproof.model.history import Happening, History, LoadReport, Phase, PhaseKind
from shiftproof.ports import RunningEvent, RunningLoad, SupplyState
from shiftproof.rehearse.collecting import Collector, Recent, with_servers
from shiftproof.rehearse.parts import EventParts
from shiftproof.rehearse.settings import RehearsalSettings

ENDS_WITHIN_S = 15.0  # beyond the time-out of its last request, until the event's load has accounted for itself


class EventUnderway:
    """The machinery between the first request and the last. Close it in any case."""

    def __init__(
        self,
        settings: RehearsalSettings,
        parts: EventParts,
        clock: RunClock,
        notes: Notes,
        on_look: Callable[[Recent, SupplyState | None], None],
    ) -> None:
        self._settings = settings
        self._parts = parts
        self._clock = clock
        self._notes = notes
        self._started_ns = clock.now_ns()
        self._phases: list[Phase] = []
        self._reports: tuple[LoadReport, LoadReport] | None = None
        threshold_ms = settings.service.objectives.latency.threshold_ms
        with ExitStack() as stack:
            stack.callback(parts.faults.close)
            if settings.experiments or settings.of_workers:
                parts.faults.warm(settings.run_dir)
            for watcher in parts.watchers:
                stack.callback(watcher.stop)
                watcher.start()
            plan = parts.pairs_plan
            started = parts.load.start(plan, settings.run_dir, "pairs")
            stack.callback(started.stop)
            self._pairs: RunningLoad = WatchedLoad(started, self._started_ns, clock.now_ns, plan.timeout_s)
            self._event: RunningEvent = parts.event_load.start(parts.event_plan, settings.run_dir)
            stack.callback(self._event.stop)
            self.collector = Collector(self._pairs, parts.elastic, threshold_ms, clock.now_ns, on_look)
            stack.callback(self.collector.stop)
            self.collector.start()
            self._closing = stack.pop_all()

    @contextmanager
    def phase(self, name: str, kind: PhaseKind = PhaseKind.STEADY, start_ns: int | None = None) -> Iterator[OpenPhase]:
        """A span on the run clock; kept in any case, since what was seen counts."""
        opened = OpenPhase(name, kind, 1, 1, self._clock.now_ns() if start_ns is None else start_ns)
        self._notes.add("phase.start", f"phase/{name}", phase_kind=str(kind))
        try:
            yield opened
        finally:
            end_ns = max(opened.start_ns, self._clock.now_ns())
            self._phases.append(opened.closed(end_ns))
            self._notes.add("phase.end", f"phase/{name}")

    def begin_event(self, start_ns: int) -> None:
        """Raises LoadError when its load does not obey."""
        self._event.begin(start_ns)
        self.collector.event_begins(self._event, start_ns, start_ns + int(self._settings.demand.last_due_s * 1e9))

    def wait_for_accounts(self) -> None:
        """Once the event is over: until its load has ended by itself. Raises LoadError when it does not."""
        within_s = self._parts.event_plan.load.timeout_s + ENDS_WITHIN_S
        give_up_ns = self._clock.now_ns() + int(within_s * 1e9)
        while self._event.alive():
            if self._clock.now_ns() > give_up_ns:
                raise LoadError(f"the event's load has not ended {within_s:.0f} s after the event")
            self._clock.sleep(0.1)

    def close(self) -> None:
        """Stop both loads and account for them, then the rest. Safe to call twice."""
        try:
            if self._reports is None:
                self.collector.stop()
                self._reports = self._pairs.stop(), self._event.stop()
                self.collector.take_in()
        finally:  # an account that cannot be had must not leave the rest running
            self._closing.close()

    def event_report(self) -> LoadReport | None:
        return self._reports[1] if self._reports is not None else None

    def lost_share(self) -> float:
        """Of the event's load, that workers which were lost had to send. After `close`."""
        return sum(part.share for part in self._event.lost())

    def timeline(self) -> tuple[Happening, ...]:
        """All that was seen, and what was missed."""
        told = [watcher.happenings() for watcher in self._parts.watchers]
        return merge_timelines(self._notes.happenings(), *told, gaps(self._parts.watchers, told, self._clock))

    def history(self) -> History:
        """All there is, after `close`. Requests of both loads, with one list of servers."""
        servers = [""]
        events = np.concatenate(
            [
                with_servers(self.collector.pair_events(), dict(enumerate(self._pairs.servers())), servers),
                with_servers(self.collector.event_events(), dict(enumerate(self._event.servers())), servers),
            ]
        )
        events = events[events["intended_ns"].argsort(kind="stable")]
        log, own = self._parts.access_log, (Side.EXTRA_CLUSTER,)
        looked = look_up(log, events, self._started_ns, self._clock.now_ns, ended=True, also=own)
        return History(
            started_ns=self._started_ns,
            phases=tuple(self._phases),
            events=events,
            operations=tuple(str(operation["name"]) for operation in self._parts.event_plan.load.operations),
            servers=tuple(servers),
            timeline=merge_timelines(self.timeline(), looked.gap),
            lb_records=looked.records,
            logged=looked.whole,
            load=self._reports[0] if self._reports is not None else None,
        )


def of_event(events: Events) -> Events:
    """The event's own requests."""
    mine: Events = events[events["side"] == Side.EXTRA_CLUSTER]
    return mine
