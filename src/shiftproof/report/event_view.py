"""A rehearsal in plain lines, for logs and CI, and the choice of the view that fits the console."""

from __future__ import annotations

import threading
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
from shiftproof.report.live import HEARTBEAT_S
from shiftproof.report.live_view import SO_FAR, Seconds
from shiftproof.report.summary import print_summary
from shiftproof.report.words import clean, duration


class PlainEventView:
    """One line at each stage's end, each note, and a heartbeat in long stages. No colours, no cursor movement."""

    def __init__(self, console: Console, clock: Seconds = time.monotonic, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._console = console
        self._clock = clock
        self._heartbeat_s = heartbeat_s
        self._lock = threading.Lock()
        self._track = Track()
        self._spoke = clock()
        self._ended = False

    def begin(self, header: EventHeader) -> None:
        with self._lock:
            self._track.begin(header, self._clock())
            self._line(f"{header_words(header)}   run {clean(header.run_id)}")

    def stage(self, name: str) -> None:
        with self._lock:
            self._closed(self._track.stage(name, self._clock()))
            self._spoke = self._clock()

    def progress(self, numbers: EventNumbers) -> None:
        with self._lock:
            if self._ended:
                return
            self._track.progress(numbers)
            running, header = self._track.running, self._track.header
            if running is None or header is None or self._clock() - self._spoke < self._heartbeat_s:
                return
            self._line(f"  {clean(running.name):<14} ...    {'   '.join(_heartbeat(header, numbers))}")

    def note(self, text: str) -> None:
        with self._lock:
            self._line(f"  {clean(text)}")

    def end(self, result: RunResult | None) -> None:
        with self._lock:
            if self._ended:
                return
            self._ended = True
            self._closed(self._track.close(self._clock()))
            if result is not None:
                print_summary(self._console, result)

    def _closed(self, stage: StageRun | None) -> None:
        if stage is not None:
            took = f"    at {duration(self._clock() - self._track.began)}"
            self._line(f"  {clean(stage.name):<14} done   {'   '.join(stage_parts(stage, self._clock()))}{took}")

    def _line(self, text: str) -> None:
        self._spoke = self._clock()
        self._console.print(text.rstrip(), markup=False, highlight=False, emoji=False, soft_wrap=True)


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
    if console.is_terminal and not console.is_dumb_terminal:
        from shiftproof.report.event_rich import RichEventView

        return RichEventView(console)
    return PlainEventView(console)
