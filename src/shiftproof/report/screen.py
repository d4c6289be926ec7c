"""What both live views on a terminal have in common: redrawn in place from a state, and a quiet end."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from shiftproof.model.result import RunResult
from shiftproof.model.verdict import Verdict
from shiftproof.report.live_view import SO_FAR, Seconds
from shiftproof.report.summary import STYLES, print_summary
from shiftproof.report.words import clean, duration

REDRAWS_PER_S = 4.0
NOTES_KEPT = 6


class Screen(ABC):
    """Draws from a state that any thread may change; only rich's own thread draws, so nothing flickers or tears."""

    def __init__(self, console: Console, clock: Seconds = time.monotonic, redraws_per_s: float = REDRAWS_PER_S) -> None:
        self._console = console
        self._clock = clock
        self._lock = threading.RLock()  # of this state, and of what a view adds to it
        self._title = self._run_id = ""
        self._began = 0.0
        self._notes: list[str] = []
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

    @abstractmethod
    def _rows(self) -> list[RenderableType]:
        """All below the header, as it is now. Called with the lock held."""

    def note(self, text: str) -> None:
        with self._lock:
            self._notes = [*self._notes, clean(text)][-NOTES_KEPT:]

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
            # rich asks once before there is anything to draw.
            return Group(self._header(), *self._rows()) if self._title else Group()

    def _start(self, title: str, run_id: str) -> None:
        with self._lock:
            self._title, self._run_id, self._began = title, run_id, self._clock()
        self._live.start(refresh=True)

    def _header(self) -> RenderableType:
        """Left what runs, right which run and for how long; on two lines where one is too narrow."""
        left = Text(self._title, style="bold", no_wrap=True, overflow="ellipsis")
        right = Text(f"run {clean(self._run_id)}   {duration(self._clock() - self._began)}", style="dim")
        if left.cell_len + right.cell_len + 2 > self._console.width:
            return Group(left, right)
        table = Table.grid(expand=True)
        table.add_column(ratio=1)
        table.add_column(justify="right", no_wrap=True)
        table.add_row(left, right)
        return table


def so_far(verdict: Verdict | None, label: int) -> Text:
    """The verdict so far, behind `label` columns."""
    style = STYLES[verdict] if verdict is Verdict.FAIL else ""
    return Text("  so far".ljust(label), style="dim").append(SO_FAR[verdict], style=style)
