"""The live view of a load event on a terminal: where it is, what is asked, what is there, redrawn in place."""

from __future__ import annotations

import time

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from shiftproof.model.result import RunResult
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
from shiftproof.report.live_view import Seconds
from shiftproof.report.screen import NOTES_KEPT, REDRAWS_PER_S, Screen, so_far
from shiftproof.report.summary import phase_table
from shiftproof.report.words import clean, duration

ROOMY = 30  # lines of a terminal; on a lower one the chart is one line high, and fewer notes stay
NOTES_LOW = 3
CHART_MAX = 132
NAME_MAX = 16
NAMES = NAME_MAX + 8  # columns of a stage's name and state, before its words


class RichEventView(Screen):
    """A line a stage, and below them the event's load as a chart."""

    def __init__(self, console: Console, clock: Seconds = time.monotonic, redraws_per_s: float = REDRAWS_PER_S) -> None:
        super().__init__(console, clock, redraws_per_s)
        self._track = Track()

    def begin(self, header: EventHeader) -> None:
        with self._lock:
            self._track.header = header
        self._start(header_words(header), header.run_id)

    def stage(self, name: str) -> None:
        with self._lock:
            self._track.stage(name, self._clock())

    def progress(self, numbers: EventNumbers) -> None:
        with self._lock:
            self._track.progress(numbers)

    def end(self, result: RunResult | None) -> None:
        with self._lock:
            self._track.close(self._clock())
        super().end(result)

    def _rows(self) -> list[RenderableType]:
        track, header = self._track, self._track.header
        if header is None:
            return []
        rows: list[RenderableType] = [self._stages(header)]
        if track.seconds:
            rows += self._chart(header)
        if not self._ended:
            rows.append(self._figures())
        rows += [Padding(Text(note, style="dim"), (0, 0, 0, 2)) for note in self._kept()]
        if not self._ended:
            rows.append(so_far(track.numbers.verdict_so_far, LABEL))
        return rows

    def _kept(self) -> list[str]:
        return self._notes[-NOTES_KEPT if self._console.height >= ROOMY else -NOTES_LOW :]

    def _stages(self, header: EventHeader) -> RenderableType:
        table = phase_table((), NAME_MAX)
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
