"""What both plain views have in common: lines for logs and CI, and a sign of life where they are long in coming."""

from __future__ import annotations

import threading
import time

from rich.console import Console

from shiftproof.model.result import RunResult
from shiftproof.report.live_view import Seconds
from shiftproof.report.summary import print_summary
from shiftproof.report.words import clean, duration

HEARTBEAT_S = 15.0


class PlainLines:
    """No colours, no cursor movement. What begins with _ is called with the lock held."""

    def __init__(self, console: Console, clock: Seconds = time.monotonic, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._console = console
        self._clock = clock
        self._heartbeat_s = heartbeat_s
        self._lock = threading.Lock()
        self._began = self._spoke = clock()
        self._ended = False

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

    def _start(self, title: str, run_id: str) -> None:
        self._began = self._clock()
        self._line(f"{title}   run {clean(run_id)}")

    def _silent(self) -> bool:
        """For so long that a heartbeat is due."""
        return not self._ended and self._clock() - self._spoke >= self._heartbeat_s

    def _done(self, what: str) -> None:
        """What ended, and when in the run."""
        self._line(f"  {what}    at {duration(self._clock() - self._began)}")

    def _line(self, text: str) -> None:
        self._spoke = self._clock()
        self._console.print(text.rstrip(), markup=False, highlight=False, emoji=False, soft_wrap=True)


def can_redraw(console: Console) -> bool:
    """Whether it is a terminal for a live view; a log, a pipe or a dumb terminal gets plain lines."""
    return console.is_terminal and not console.is_dumb_terminal
