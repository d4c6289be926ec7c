"""A rehearsal in plain lines, for logs and CI, and the choice of the view that fits the console."""

from __future__ import annotations

import time

from rich.console import Console

from shiftproof.model.result import RunResult
from shiftproof.report.event_live import EventHeader, EventNumbers, EventView
from shiftproof.report.event_track import (
    StageRun,
    Track,
    header_words,
    load_parts,
    node_parts,
    place_parts,
    pod_parts,
    stage_parts,
)
from shiftproof.report.live_view import SO_FAR, Seconds
from shiftproof.report.plain import HEARTBEAT_S, PlainLines, can_redraw
from shiftproof.report.words import clean


class PlainEventView(PlainLines):
    """One line at each stage's end, each note, and a heartbeat in long stages."""

    def __init__(self, console: Console, clock: Seconds = time.monotonic, heartbeat_s: float = HEARTBEAT_S) -> None:
        super().__init__(console, clock, heartbeat_s)
        self._track = Track()

    def begin(self, header: EventHeader) -> None:
        with self._lock:
            self._track.header = header
            self._start(header_words(header), header.run_id)

    def stage(self, name: str) -> None:
        with self._lock:
            self._closed(self._track.stage(name, self._clock()))
            self._spoke = self._clock()

    def progress(self, numbers: EventNumbers) -> None:
        with self._lock:
            self._track.progress(numbers)
            running, header = self._track.running, self._track.header
            if running is not None and header is not None and self._silent():
                self._line(f"  {clean(running.name):<14} ...    {'   '.join(_heartbeat(header, numbers))}")

    def end(self, result: RunResult | None) -> None:
        with self._lock:
            self._closed(self._track.close(self._clock()))
        super().end(result)

    def _closed(self, stage: StageRun | None) -> None:
        if stage is not None:
            self._done(f"{clean(stage.name):<14} done   {'   '.join(stage_parts(stage, self._clock()))}")


def _heartbeat(header: EventHeader, numbers: EventNumbers) -> list[str]:
    pods = f"pods {', '.join(pod_parts(numbers))}"
    nodes = f"nodes {node_parts(numbers)[0]}"
    return [
        *place_parts(header, numbers.at_s),
        *load_parts(numbers),
        pods,
        nodes,
        node_parts(numbers)[1],
        SO_FAR[numbers.verdict_so_far],
    ]


def event_view_for(console: Console) -> EventView:
    """The live view on a terminal that can redraw, else plain lines."""
    if can_redraw(console):
        from shiftproof.report.event_rich import RichEventView

        return RichEventView(console)
    return PlainEventView(console)
