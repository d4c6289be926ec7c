"""The live view of a load event on a terminal: where it is, what is asked, what is there, redrawn in place."""

from __future__ import annotations

import threading
import time

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from shiftproof.model.result import RunResult
from shiftproof.model.verdict import Verdict
from shiftproof.report.event_chart import LABEL, chart
from shiftproof.report.event_live import EventHeader, EventNumbers
from shiftproof.report.event_track import (
    StageRun,
    Track,
    header_words,
    load_parts,
    node_parts,
    place_parts,
    pod_parts,
    short,
    stage_parts,
)
from shiftproof.report.live_rich import NOTES_KEPT, REDRAWS_PER_S
from shiftproof.report.live_view import SO_FAR, Seconds
from shiftproof.report.summary import STYLES, print_summary
from shiftproof.report.words import clean, duration

ROOMY = 30  # lines of a terminal; on a lower one the chart is one line high, and fewer notes stay
NOTES_LOW = 3
CHART_MAX = 132
NAME_MAX = 16
NAMES = NAME_MAX + 8  # columns of a stage's name and state, before its words


class RichEventView:
    """Draws from a state that any thread may change; only rich's own thread draws, so nothing flickers or tears."""

    def __init__(self, console: Console, clock: Seconds = time.monotonic, redraws_per_s: float = REDRAWS_PER_S) -> None:
        self._console = console
        self._clock = clock
        self._lock = threading.RLock()
        self._track = Track()
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

    def begin(self, header: EventHeader) -> None:
        with self._lock:
            self._track.begin(header, self._clock())
        self._live.start(refresh=True)

    def stage(self, name: str) -> None:
        with self._lock:
            self._track.stage(name, self._clock())

    def progress(self, numbers: EventNumbers) -> None:
        with self._lock:
            self._track.progress(numbers)

    def note(self, text: str) -> None:
        with self._lock:
            self._notes = [*self._notes, clean(text)][-NOTES_KEPT:]

    def end(self, result: RunResult | None) -> None:
        with self._lock:
            if self._ended:
                return
            self._ended = True
            self._track.close(self._clock())
        self._live.stop()  # outside the lock: it waits for the drawing thread, which takes it
        if result is not None:
            print_summary(self._console, result)

    def render(self) -> RenderableType:
        """The screen as it is now."""
        with self._lock:
            header = self._track.header
            if header is None:
                return Group()
            parts: list[RenderableType] = [self._header(header), self._stages(header)]
            if self._track.seconds:
                parts += self._chart(header)
            if not self._ended:
                parts.append(self._figures())
            parts += [Padding(Text(note, style="dim"), (0, 0, 0, 2)) for note in self._kept()]
            if not self._ended:
                parts.append(self._so_far())
            return Group(*parts)

    def _kept(self) -> list[str]:
        return self._notes[-NOTES_KEPT if self._console.height >= ROOMY else -NOTES_LOW :]

    def _header(self, header: EventHeader) -> RenderableType:
        """Left what runs, right which run and for how long; on two lines where one is too narrow."""
        left = Text(header_words(header), style="bold", no_wrap=True, overflow="ellipsis")
        right = Text(f"run {clean(header.run_id)}   {duration(self._clock() - self._track.began)}", style="dim")
        if left.cell_len + right.cell_len + 2 > self._console.width:
            return Group(left, right)
        table = Table.grid(expand=True)
        table.add_column(ratio=1)
        table.add_column(justify="right", no_wrap=True)
        table.add_row(left, right)
        return table

    def _stages(self, header: EventHeader) -> RenderableType:
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True, min_width=11, max_width=NAME_MAX, overflow="ellipsis")
        table.add_column(no_wrap=True, min_width=4)
        table.add_column(overflow="fold")
        for stage in self._track.stages:
            if stage.ended is None:
                table.add_row(Text(f"  {clean(stage.name)}", style="bold"), self._spinner, self._running(header, stage))
            else:
                words = _joined(stage_parts(stage, self._clock()), self._console.width - NAMES, hurt=False)
                table.add_row(f"  {clean(stage.name)}", Text("done", style="green"), words)
        return table

    def _running(self, header: EventHeader, stage: StageRun) -> Text:
        parts = place_parts(header, self._track.numbers.at_s) or [duration(self._clock() - stage.began)]
        return _joined(parts, self._console.width - NAMES, hurt=False)

    def _chart(self, header: EventHeader) -> list[RenderableType]:
        height = 3 if self._console.height >= ROOMY else 1
        width = min(self._console.width, CHART_MAX) - 1
        plain = not self._console.encoding.lower().startswith("utf")
        return [*chart(header.demand, self._track.seconds, self._track.numbers.at_s, width, height=height, plain=plain)]

    def _figures(self) -> RenderableType:
        numbers = self._track.numbers
        table = Table.grid(padding=(0, 0))
        table.add_column(no_wrap=True, width=LABEL)
        table.add_column(overflow="fold")
        for name, parts, hurt in (
            ("load", load_parts(numbers), numbers.bad_per_s > 0),
            ("pods", pod_parts(numbers), short(numbers) > 0),
            ("nodes", node_parts(numbers), False),
        ):
            table.add_row(Text(f"  {name}", style="dim"), _joined(parts, self._console.width - LABEL, hurt))
        return table

    def _so_far(self) -> Text:
        verdict = self._track.numbers.verdict_so_far
        return Text("  so far".ljust(LABEL), style="dim").append(
            SO_FAR[verdict], style=STYLES[verdict] if verdict is Verdict.FAIL else ""
        )


def _joined(parts: list[str], width: int, hurt: bool) -> Text:
    """Parts side by side, never broken within; the one that hurts in red: "bad ...", or "... short"."""
    text, used = Text(), 0
    for part in parts:
        if used:
            gap = "\n" if used + 3 + len(part) > width else "   "
            text.append(gap)
            used = 0 if gap == "\n" else used + 3
        alarm = hurt and (part.startswith("bad ") or part.endswith(" short"))
        text.append(part, style="red" if alarm else "")
        used += len(part)
    return text
