"""Phases: spans of the rehearsal, marked on the run clock while the load of pairs goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from shiftproof.errors import FaultError
from shiftproof.gate.monitor import Monitor
from shiftproof.gate.notes import Notes
from shiftproof.gate.settings import Depth
from shiftproof.model.history import Budget, Phase, PhaseKind
from shiftproof.ports import Clock, RunningLoad

SETTLE_S = 0.5  # after an action: what it broke may show a moment later
AFTER_RECOVERY_S = 2.0  # watched beyond the time that a crash's budget allows
PAIRS_DEADLINE_FACTOR = 4  # a phase waits this many times the planned span for its pairs; then sufficiency speaks


@dataclass(slots=True)
class OpenPhase:
    """A phase under way. Drills write `facts`; `problem` says why it proves nothing."""

    name: str
    kind: PhaseKind
    repeat: int
    of: int
    start_ns: int
    budget: Budget | None = None
    action_start_ns: int | None = None
    action_end_ns: int | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    problem: str | None = None

    def closed(self, end_ns: int) -> Phase:
        start = self.action_start_ns if self.action_start_ns is not None else self.start_ns
        action_end = self.action_end_ns if self.action_end_ns is not None else end_ns
        return Phase(
            name=self.name,
            kind=self.kind,
            repeat=self.repeat,
            start_ns=self.start_ns,
            end_ns=end_ns,
            action_start_ns=start,
            action_end_ns=max(action_end, start),
            budget=self.budget,
            facts=dict(self.facts),
            problem=self.problem,
        )


class Phases:
    """Opens and closes phases, and keeps those that are closed."""

    def __init__(
        self,
        clock: Clock,
        load: RunningLoad,
        monitor: Monitor,
        notes: Notes,
        depth: Depth,
        on_start: Callable[[OpenPhase], None],
    ) -> None:
        self._on_start = on_start
        self._clock = clock
        self._load = load
        self._monitor = monitor
        self._notes = notes
        self._depth = depth
        self._closed: list[Phase] = []
        self._open: OpenPhase | None = None

    @property
    def closed(self) -> tuple[Phase, ...]:
        return tuple(self._closed)

    @property
    def current(self) -> OpenPhase | None:
        return self._open

    def seconds_of(self, name: str) -> float:
        """How long the phases of this name took so far, the open one included."""
        spans = [phase.end_ns - phase.start_ns for phase in self._closed if phase.name == name]
        opened = self._open
        if opened is not None and opened.name == name:
            spans.append(self._clock.now_ns() - opened.start_ns)
        return sum(spans) / 1e9

    @contextmanager
    def phase(
        self,
        name: str,
        kind: PhaseKind = PhaseKind.GRACEFUL,
        *,
        repeat: int = 1,
        of: int = 1,
        budget: Budget | None = None,
        min_pairs: int | None = None,
        min_s: float = 0.0,
    ) -> Iterator[OpenPhase]:
        """One phase: the block is the action; the phase ends once it has its pairs and has settled.

        Raises ClearFail as soon as a sequential test has decided. The phase is kept in any case: what was seen counts.
        """
        opened = OpenPhase(name, kind, repeat, of, self._clock.now_ns(), budget)
        self._open = opened
        self._load.triples(kind in (PhaseKind.SHIFT, PhaseKind.ROLLBACK))
        self._notes.add("phase.start", f"phase/{name}", repeat=repeat, phase_kind=str(kind))
        self._monitor.phase_started(name, kind, repeat, opened.start_ns, budget)
        try:
            self._on_start(opened)
            yield opened
            if opened.action_start_ns is not None and opened.action_end_ns is None:
                opened.action_end_ns = self._clock.now_ns()
            self._fill(opened, self._depth.pairs_per_action if min_pairs is None else min_pairs, min_s)
        except FaultError as error:
            opened.problem = str(error)
            raise
        finally:
            self._close(opened)

    @contextmanager
    def action(self, what: str, **data: Any) -> Iterator[OpenPhase | None]:
        """Mark our own action on the clock; outside a phase it is only noted."""
        opened = self._open
        if opened is not None and opened.action_start_ns is None:
            opened.action_start_ns = self._clock.now_ns()
        self._notes.add("action.start", f"action/{what}", **data)
        try:
            yield opened
        finally:
            ended_ns = self._clock.now_ns()
            if opened is not None:
                opened.action_end_ns = ended_ns
            self._notes.add("action.end", f"action/{what}", **data)

    def note(self, kind: str, subject: str, **data: Any) -> None:
        """Put something of ours on the timeline that is no action of the phase."""
        self._notes.add(kind, subject, **data)

    def _fill(self, opened: OpenPhase, min_pairs: int, min_s: float) -> None:
        """Wait until the phase has its pairs, its least length, and has settled after the action."""
        settled_ns = (opened.action_end_ns or opened.start_ns) + int(SETTLE_S * 1e9)
        until_ns = max(settled_ns, opened.start_ns + int(min_s * 1e9))
        if opened.budget is not None and opened.action_start_ns is not None:
            # Whether the objective was met again in time can only be seen after that time.
            watched_s = opened.budget.recover_s + AFTER_RECOVERY_S
            until_ns = max(until_ns, opened.action_start_ns + int(watched_s * 1e9))
        give_up_ns = until_ns + int(PAIRS_DEADLINE_FACTOR * 1e9 * min_pairs / self._monitor.rate_per_s)
        while (now_ns := self._clock.now_ns()) < until_ns or self._monitor.pairs_in_phase() < min_pairs:
            if now_ns > give_up_ns:
                break  # too few pairs: the sufficiency claim says so with the figure
            self._clock.sleep(0.1)

    def _close(self, opened: OpenPhase) -> None:
        phase = opened.closed(self._clock.now_ns())
        self._closed.append(phase)
        self._open = None
        self._load.triples(False)
        self._notes.add("phase.end", f"phase/{opened.name}", repeat=opened.repeat)
        self._monitor.phase_ended(phase.end_ns)
