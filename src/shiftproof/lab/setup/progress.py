"""Show long work: a live line where there is a terminal, one plain line a change where there is none."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

_PLAIN_EVERY_PCT = 20


class Ticker(Protocol):
    """What a step tells about itself while it works."""

    def update(
        self, *, done: int | None = None, total: int | None = None, note: str | None = None, detail: str | None = None
    ) -> None:
        """`done` of `total` units, the stage reached, and a passing detail of it; None leaves a value as it is."""


class SilentTicker:
    """For callers that show nothing."""

    def update(
        self, *, done: int | None = None, total: int | None = None, note: str | None = None, detail: str | None = None
    ) -> None:
        pass


class LiveTicker:
    """One rich task: spinner, title, bar once a total is known, time so far, stage and detail."""

    def __init__(self, bars: Progress, task: TaskID) -> None:
        self._bars = bars
        self._task = task

    def update(
        self, *, done: int | None = None, total: int | None = None, note: str | None = None, detail: str | None = None
    ) -> None:
        self._bars.update(self._task, total=total, completed=done)
        if note is not None or detail is not None:
            self._bars.update(self._task, note=escape(detail or note or ""))


class PlainTicker:
    """A line at each new stage, and at every 20% of a count; details never, so that a build log stays readable."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._done = 0
        self._total: int | None = None
        self._note = ""
        self._shown = ""

    def update(
        self,
        *,
        done: int | None = None,
        total: int | None = None,
        note: str | None = None,
        detail: str | None = None,  # noqa: ARG002
    ) -> None:
        self._total = total if total is not None else self._total
        self._done = done if done is not None else self._done
        self._note = note if note is not None else self._note
        text = self._text()
        if text and text != self._shown:
            self._shown = text
            self._say(text)

    def _text(self) -> str:
        if not self._total:
            return self._note
        reached_pct = 100 * self._done // self._total
        return f"{self._note}: {reached_pct - reached_pct % _PLAIN_EVERY_PCT}% of {self._total:,}"


@contextmanager
def shown(title: str, console: Console, now: Callable[[], float] = time.monotonic) -> Iterator[Ticker]:
    """Show the work of the body under `title`; when it succeeds, one line with the time it took stays."""
    start_s = now()

    def say(mark: str, text: str) -> None:
        console.print(
            f"{mark}  {title}{text}  ({duration(now() - start_s)})", markup=False, highlight=False, soft_wrap=True
        )

    if console.is_terminal:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[note]}"),
        )
        with Progress(*columns, console=console, transient=True) as bars:
            yield LiveTicker(bars, bars.add_task(escape(title), total=None, note=""))
    else:
        say("..", "")
        yield PlainTicker(lambda text: say("..", f": {text}"))
    say("ok", "")


def duration(seconds: float) -> str:
    """12.3 s, or 4 min 05 s."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"
