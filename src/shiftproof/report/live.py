"""What a person sees while the gate runs: one line a phase, the verdict so far, and at the end the summary.

Two views of one interface: `RichView` (live_rich.py) redraws in place on a terminal, `PlainView` prints one line at
each phase's end, for logs and CI. All methods may be called from any thread.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console

from shiftproof.model.result import PhaseRow, RunResult
from shiftproof.model.verdict import Verdict
from shiftproof.report.summary import STATES, print_summary, row_words
from shiftproof.report.words import clean, count, duration, percent, step

Seconds = Callable[[], float]

#: A verdict so far is no verdict: words that nobody can take for one, except FAIL, which is final.
SO_FAR = {
    Verdict.PASS: "nothing against it",
    Verdict.INCONCLUSIVE: "not enough yet",
    Verdict.FAIL: "FAIL",
    None: "too early to say",
}
HEARTBEAT_S = 15.0
LATE_WORTH_SAYING_PCT = 1.0


@dataclass(frozen=True, slots=True)
class Header:
    """What runs. rate_per_s: pairs a second asked for."""

    service: str
    target: str
    from_pct: int
    to_pct: int
    rate_per_s: float
    run_id: str

    def left(self) -> str:
        parts = (self.service, step(self.from_pct, self.to_pct), self.target, f"{self.rate_per_s:g} pairs/s")
        return "   ".join(clean(part) for part in parts)


@dataclass(frozen=True, slots=True)
class LiveNumbers:
    """How the running phase goes. Counts are of all its repeats so far; `elapsed_s` is the phase's own time.

    failed_both: pairs of which both sides failed. late_pct: share of sends later than 20 ms, in percent. budgeted: a
    crash, whose failures are held against its budget and so are no alarm.
    """

    phase: str
    pairs: int
    attributed: int
    failed_both: int
    rate_per_s: float
    late_pct: float
    elapsed_s: float
    verdict_so_far: Verdict | None = None
    budgeted: bool = False


class View(Protocol):
    """What the gate calls: `begin` first, `end` last (None: no result). A second `end` does nothing."""

    def begin(self, header: Header) -> None: ...

    def phase_started(self, name: str, repeat: int = 1, of: int = 1) -> None:
        """Also for each further repeat of the same phase; its line stays one."""
        ...

    def progress(self, numbers: LiveNumbers) -> None:
        """As often as one likes; about every 250 ms is smooth."""
        ...

    def phase_ended(self, row: PhaseRow) -> None:
        """Once a phase, after its last repeat."""
        ...

    def note(self, text: str) -> None: ...

    def end(self, result: RunResult | None) -> None: ...


def number_words(numbers: LiveNumbers) -> str:
    """The running phase in figures; what is as it should be is left out."""
    parts = [f"{count(numbers.pairs)} pairs", f"{count(numbers.attributed)} attributed", f"{numbers.rate_per_s:.0f}/s"]
    if numbers.failed_both:
        parts.append(f"{count(numbers.failed_both)} failed on both")
    if numbers.late_pct >= LATE_WORTH_SAYING_PCT:
        parts.append(f"{percent(numbers.late_pct / 100)} sent late")
    return "   ".join(parts)


class PlainView:
    """One line at each phase's end, and a heartbeat in long ones. No colours, no cursor movement."""

    def __init__(self, console: Console, clock: Seconds = time.monotonic, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._console = console
        self._clock = clock
        self._heartbeat_s = heartbeat_s
        self._lock = threading.Lock()
        self._began = self._spoke = clock()
        self._repeats: dict[str, str] = {}
        self._ended = False

    def begin(self, header: Header) -> None:
        with self._lock:
            self._began = self._spoke = self._clock()
            self._line(f"{header.left()}   run {clean(header.run_id)}")

    def phase_started(self, name: str, repeat: int = 1, of: int = 1) -> None:
        with self._lock:
            self._spoke = self._clock()
            self._repeats[name] = f"{repeat} of {of}   " if of > 1 else ""

    def progress(self, numbers: LiveNumbers) -> None:
        with self._lock:
            if self._ended or self._clock() - self._spoke < self._heartbeat_s:
                return
            so_far = f"{SO_FAR[numbers.verdict_so_far]} after {duration(numbers.elapsed_s)}"
            figures = self._repeats.get(numbers.phase, "") + number_words(numbers)
            self._line(f"  {clean(numbers.phase):<11} ...     {figures}   {so_far}")

    def phase_ended(self, row: PhaseRow) -> None:
        with self._lock:
            took = f"    at {duration(self._clock() - self._began)}"
            self._line(f"  {clean(row.name):<11} {STATES[row.verdict]:<7} {row_words(row)}{took}")

    def note(self, text: str) -> None:
        with self._lock:
            self._line(f"  {clean(text)}")

    def end(self, result: RunResult | None) -> None:
        with self._lock:
            if self._ended:
                return
            self._ended = True
            if result is not None:
                print_summary(self._console, result)

    def _line(self, text: str) -> None:
        self._spoke = self._clock()
        self._console.print(text.rstrip(), markup=False, highlight=False, emoji=False, soft_wrap=True)


def open_console(to_stderr: bool = False) -> Console:
    """A console on a copy of stdout (stderr when the verdict itself goes to stdout).

    A copy, because pytest, in which the gate runs, takes descriptors 1 and 2 away while a test runs.
    """
    stream = sys.stderr if to_stderr else sys.stdout
    try:
        copied = os.fdopen(os.dup(stream.fileno()), "w", encoding="utf-8", errors="replace")
    except (OSError, ValueError):  # no real descriptor behind it: a test's stream, an embedding program
        return Console(file=stream, highlight=False)
    return Console(file=copied, highlight=False)


def view_for(console: Console) -> View:
    """The live view on a terminal that can redraw, else plain lines."""
    if console.is_terminal and not console.is_dumb_terminal:
        from shiftproof.report.live_rich import RichView

        return RichView(console)
    return PlainView(console)
