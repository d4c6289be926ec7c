"""The live view on a terminal: the whole run on one screen, redrawn in place four times a second."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from shiftproof.model.result import PhaseRow, RunResult
from shiftproof.model.verdict import Verdict
from shiftproof.report.live_view import SO_FAR, Header, LiveNumbers, Seconds, number_words
from shiftproof.report.summary import STYLES, add_phase, phase_table, print_summary
from shiftproof.report.words import attributed_of, clean, duration

REDRAWS_PER_S = 4.0
NOTES_KEPT = 6


@dataclass(slots=True)
class _Line:
    """One phase on the screen; `row` is None while it runs."""

    name: str
    started: float
    repeat: int = 1
    of: int = 1
    numbers: LiveNumbers | None = None
    row: PhaseRow | None = None


@dataclass(slots=True)
class _Screen:
    header: Header | None = None
    began: float = 0.0
    lines: list[_Line] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    so_far: Verdict | None = None


class RichView:
    """Draws from a state that any thread may change; only rich's own thread draws, so nothing flickers or tears."""

    def __init__(self, console: Console, clock: Seconds = time.monotonic, redraws_per_s: float = REDRAWS_PER_S) -> None:
        self._console = console
        self._clock = clock
        self._lock = threading.RLock()
        self._screen = _Screen()
        self._ended = False
        self._spinner = Spinner("dots", style="cyan")
        self._live = Live(
            get_renderable=self.render,
            console=console,
            refresh_per_second=redraws_per_s,
            redirect_stdout=False,  # pytest has them, and we draw on a copy
            redirect_stderr=False,
            vertical_overflow="ellipsis",
        )

    def begin(self, header: Header) -> None:
        with self._lock:
            self._screen.header = header
            self._screen.began = self._clock()
        self._live.start(refresh=True)

    def phase_started(self, name: str, repeat: int = 1, of: int = 1) -> None:
        with self._lock:
            line = self._running(name)
            if line is None:
                line = _Line(name, self._clock())
                self._screen.lines.append(line)
            line.repeat, line.of = repeat, of

    def progress(self, numbers: LiveNumbers) -> None:
        with self._lock:
            self._screen.so_far = numbers.verdict_so_far
            line = self._running(numbers.phase)
            if line is not None:
                line.numbers = numbers

    def phase_ended(self, row: PhaseRow) -> None:
        with self._lock:
            line = self._running(row.name)
            if line is None:
                line = _Line(row.name, self._clock())
                self._screen.lines.append(line)
            line.row = row

    def note(self, text: str) -> None:
        with self._lock:
            self._screen.notes = [*self._screen.notes, clean(text)][-NOTES_KEPT:]

    def end(self, result: RunResult | None) -> None:
        with self._lock:
            if self._ended:
                return
            self._ended = True
        self._live.stop()  # outside the lock: it waits for the drawing thread, which takes it
        if result is not None:
            print_summary(self._console, result)

    def render(self) -> RenderableType:
        """The screen as it is now."""
        with self._lock:
            screen = self._screen
            parts: list[RenderableType] = []
            if screen.header is not None:
                parts.append(self._header(screen.header))
            parts.append(self._phases())
            parts += [Text(f"  {note}", style="dim") for note in screen.notes]
            if not self._ended:
                parts.append(self._so_far())
            return Group(*parts)

    def _running(self, name: str) -> _Line | None:
        return next((line for line in reversed(self._screen.lines) if line.name == name and line.row is None), None)

    def _header(self, header: Header) -> RenderableType:
        """Left what runs, right which run and for how long; on two lines where one is too narrow."""
        left = Text(header.left(), style="bold", no_wrap=True, overflow="ellipsis")
        right = Text(f"run {clean(header.run_id)}   {duration(self._clock() - self._screen.began)}", style="dim")
        if left.cell_len + right.cell_len + 2 > self._console.width:
            return Group(left, right)
        table = Table.grid(expand=True)
        table.add_column(ratio=1)
        table.add_column(justify="right", no_wrap=True)
        table.add_row(left, right)
        return table

    def _phases(self) -> RenderableType:
        table = phase_table(())
        for line in self._screen.lines:
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
        for line in self._screen.lines:
            if line.row is not None and line.row.pairs is not None:
                pairs, attributed = pairs + line.row.pairs, attributed + line.row.attributed
            elif line.row is None and line.numbers is not None and not line.numbers.budgeted:
                pairs, attributed = pairs + line.numbers.pairs, attributed + line.numbers.attributed
        verdict = self._screen.so_far
        text = Text("  so far     ", style="dim")
        text.append(SO_FAR[verdict], style=STYLES[verdict] if verdict is Verdict.FAIL else "")
        if pairs:
            text.append(f"   {attributed_of(attributed, pairs)} attributed")
        return text
