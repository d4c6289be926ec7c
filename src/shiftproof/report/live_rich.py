"""The live view on a terminal: the whole run on one screen, redrawn in place four times a second."""

from __future__ import annotations

import time
from dataclasses import dataclass

from rich.console import Console, RenderableType
from rich.text import Text

from shiftproof.model.result import PhaseRow
from shiftproof.model.verdict import Verdict
from shiftproof.report.live_view import Header, LiveNumbers, Seconds, number_words
from shiftproof.report.screen import REDRAWS_PER_S, Screen, so_far
from shiftproof.report.summary import add_phase, phase_table
from shiftproof.report.words import attributed_of, clean, duration

NAME = 13  # columns of a phase's name, before what is said of it


@dataclass(slots=True)
class _Line:
    """One phase on the screen; `row` is None while it runs."""

    name: str
    started: float
    repeat: int = 1
    of: int = 1
    numbers: LiveNumbers | None = None
    row: PhaseRow | None = None


class RichView(Screen):
    """A line a phase; one that has ended tells what it came to."""

    def __init__(self, console: Console, clock: Seconds = time.monotonic, redraws_per_s: float = REDRAWS_PER_S) -> None:
        super().__init__(console, clock, redraws_per_s)
        self._lines: list[_Line] = []
        self._verdict: Verdict | None = None  # so far

    def begin(self, header: Header) -> None:
        self._start(header.left(), header.run_id)

    def phase_started(self, name: str, repeat: int = 1, of: int = 1) -> None:
        with self._lock:
            line = self._running(name)
            if line is None:
                line = _Line(name, self._clock())
                self._lines.append(line)
            line.repeat, line.of = repeat, of

    def progress(self, numbers: LiveNumbers) -> None:
        with self._lock:
            self._verdict = numbers.verdict_so_far
            line = self._running(numbers.phase)
            if line is not None:
                line.numbers = numbers

    def phase_ended(self, row: PhaseRow) -> None:
        with self._lock:
            line = self._running(row.name)
            if line is None:
                line = _Line(row.name, self._clock())
                self._lines.append(line)
            line.row = row

    def _rows(self) -> list[RenderableType]:
        notes = [Text(f"  {note}", style="dim") for note in self._notes]
        return [self._phases(), *notes, *([] if self._ended else [self._so_far()])]

    def _running(self, name: str) -> _Line | None:
        return next((line for line in reversed(self._lines) if line.name == name and line.row is None), None)

    def _phases(self) -> RenderableType:
        table = phase_table(())
        for line in self._lines:
            if line.row is not None:
                add_phase(table, line.row)
            elif self._ended:
                table.add_row(f"  {clean(line.name)}", Text("-", style="dim"), Text("not finished", style="dim"))
            else:
                table.add_row(Text(f"  {clean(line.name)}", style="bold"), self._spinner, self._running_words(line))
        return table

    def _running_words(self, line: _Line) -> Text:
        repeat = f"{line.repeat} of {line.of}   " if line.of > 1 else ""
        figures = f"{number_words(line.numbers)}   " if line.numbers is not None else ""
        hurt = line.numbers is not None and line.numbers.attributed > 0 and not line.numbers.budgeted
        text = Text(f"{repeat}{figures}")
        if hurt:
            text.stylize("red")
        return text.append(duration(self._clock() - line.started), style="dim")

    def _so_far(self) -> RenderableType:
        pairs = attributed = 0
        for line in self._lines:
            if line.row is not None and line.row.pairs is not None:
                pairs, attributed = pairs + line.row.pairs, attributed + line.row.attributed
            elif line.row is None and line.numbers is not None and not line.numbers.budgeted:
                pairs, attributed = pairs + line.numbers.pairs, attributed + line.numbers.attributed
        text = so_far(self._verdict, NAME)
        if pairs:
            text.append(f"   {attributed_of(attributed, pairs)} attributed")
        return text
