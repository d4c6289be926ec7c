"""What a person sees while the gate runs: one line a phase, the verdict so far, and at the end the summary.

Two views of one interface (live_view.py): `RichView` (live_rich.py) redraws in place on a terminal, `PlainView` prints
one line at each phase's end, for logs and CI. All methods may be called from any thread.
"""

from __future__ import annotations

import os
import sys
import time

from rich.console import Console

from shiftproof.model.result import PhaseRow
from shiftproof.report.live_view import SO_FAR, Header, LiveNumbers, Seconds, View, number_words
from shiftproof.report.plain import HEARTBEAT_S, PlainLines, can_redraw
from shiftproof.report.summary import STATES, row_words
from shiftproof.report.words import clean, duration


class PlainView(PlainLines):
    """One line at each phase's end, and a heartbeat in long ones."""

    def __init__(self, console: Console, clock: Seconds = time.monotonic, heartbeat_s: float = HEARTBEAT_S) -> None:
        super().__init__(console, clock, heartbeat_s)
        self._repeats: dict[str, str] = {}

    def begin(self, header: Header) -> None:
        with self._lock:
            self._start(header.left(), header.run_id)

    def phase_started(self, name: str, repeat: int = 1, of: int = 1) -> None:
        with self._lock:
            self._spoke = self._clock()
            self._repeats[name] = f"{repeat} of {of}   " if of > 1 else ""

    def progress(self, numbers: LiveNumbers) -> None:
        with self._lock:
            if not self._silent():
                return
            so_far = f"{SO_FAR[numbers.verdict_so_far]} after {duration(numbers.elapsed_s)}"
            figures = self._repeats.get(numbers.phase, "") + number_words(numbers)
            self._line(f"  {clean(numbers.phase):<11} ...     {figures}   {so_far}")

    def phase_ended(self, row: PhaseRow) -> None:
        with self._lock:
            self._done(f"{clean(row.name):<11} {STATES[row.verdict]:<7} {row_words(row)}")


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
    if can_redraw(console):
        from shiftproof.report.live_rich import RichView

        return RichView(console)
    return PlainView(console)
