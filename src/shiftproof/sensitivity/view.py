"""What a person sees while it runs: one line a turn, and how long the rest will take."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from shiftproof.report.words import clean, duration
from shiftproof.sensitivity.attempts import Attempt, Outcome
from shiftproof.sensitivity.figures import HEADS, figure_cells
from shiftproof.sensitivity.plan import CLEAN, Turn
from shiftproof.sensitivity.table import Row, Summary
from shiftproof.sensitivity.wording import caught_words, seconds_words

STYLES = {
    Outcome.CAUGHT: "green",
    Outcome.PASSED: "green",
    Outcome.OTHER_CLAIM: "yellow",
    Outcome.TOO_EARLY: "yellow",
    Outcome.INCONCLUSIVE: "yellow",
    Outcome.COULD_NOT_RUN: "yellow",
    Outcome.MISSED: "bold white on red",
    Outcome.FALSE_FAIL: "bold white on red",
}
REDRAWS_PER_S = 4.0


class View(Protocol):
    """`begin` first, `close` last. left_s: seconds that the turns without a result will take."""

    def begin(self, total: int) -> None: ...

    def turn_started(self, number: int, turn: Turn, left_s: float) -> None: ...

    def tick(self) -> None: ...

    def checking(self) -> None:
        """The turn has ended, and the platform is looked at."""
        ...

    def turn_ended(self, attempt: Attempt, left_s: float) -> None: ...

    def note(self, text: str) -> None: ...

    def close(self) -> None: ...


class PlainView:
    """A line at each turn's end. No colours, no cursor movement."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._total = 0
        self._number = 0

    def begin(self, total: int) -> None:
        self._total = total

    def turn_started(self, number: int, turn: Turn, left_s: float) -> None:  # noqa: ARG002 (lines come at its end)
        self._number = number

    def tick(self) -> None:
        """Nothing moves here."""

    def checking(self) -> None:
        """Seconds; not worth a line."""

    def turn_ended(self, attempt: Attempt, left_s: float) -> None:
        self._console.print(ended_line(self._number, self._total, attempt, left_s), soft_wrap=True)

    def note(self, text: str) -> None:
        self._console.print(Text(f"  {clean(text)}"), soft_wrap=True)

    def close(self) -> None:
        """Nothing is open."""


class LiveView(PlainView):
    """The same lines, and below them one that moves while a turn is under way."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(console)
        self._clock = clock
        self._doing = ""
        self._began_s = clock()
        self._left_s = 0.0
        self._spinner = Spinner("dots", style="cyan")
        self._live = Live(get_renderable=self._line, console=console, refresh_per_second=REDRAWS_PER_S, transient=True)

    def begin(self, total: int) -> None:
        super().begin(total)
        self._live.start()

    def turn_started(self, number: int, turn: Turn, left_s: float) -> None:
        super().turn_started(number, turn, left_s)
        self._doing, self._began_s, self._left_s = f"{place(number, self._total)}  {turn.name}", self._clock(), left_s

    def checking(self) -> None:
        self._doing += "  is the platform back to normal?"

    def close(self) -> None:
        self._live.stop()

    def _line(self) -> Spinner:
        took_s = self._clock() - self._began_s
        left_s = max(0.0, self._left_s - took_s)
        words = f"{self._doing}   {duration(took_s)}   about {duration(left_s)} left" if self._doing else "beginning"
        self._spinner.update(text=Text(clean(words), no_wrap=True, overflow="ellipsis"))
        return self._spinner


def view_for(console: Console) -> View:
    """The live view on a terminal that can redraw, else plain lines."""
    return LiveView(console) if console.is_terminal and not console.is_dumb_terminal else PlainView(console)


def place(number: int, total: int) -> str:
    """ " 3/16", as wide for each of them."""
    return f"{number:>{len(str(total))}}/{total}"


def ended_line(number: int, total: int, attempt: Attempt, left_s: float) -> Text:
    """One turn as it ended, and how long the rest will take."""
    load = "" if attempt.load_s is None else f"{duration(attempt.load_s)} of load, "
    line = Text(f"{place(number, total)}  {clean(attempt.name):<30} ")
    line.append(attempt.outcome.value, STYLES[attempt.outcome])
    line.append(f"   {load}{duration(attempt.process_s)} in all")
    if attempt.claims:
        line.append(f"   by {', '.join(attempt.claims)}")
    if attempt.problem is not None:
        line.append(f"   {clean(attempt.problem)}")
    line.append(f"   about {duration(left_s)} left" if left_s else "   the last one", "dim")
    return line


def print_plan(console: Console, turns: Sequence[tuple[Turn, float]], going_on: str | None, many: str) -> None:
    """`--dry-run`: each turn with the seconds that it will take, and all of them together."""
    for number, (turn, seconds) in enumerate(turns, start=1):
        what = f"{turn.defect.file}, expected claim {turn.defect.expects}" if turn.defect else "nothing planted"
        words = f"{place(number, len(turns))}  {clean(turn.name):<30} about {duration(seconds):<12} {clean(what)}"
        console.print(Text(words), soft_wrap=True)
    total_s = sum(seconds for _, seconds in turns)
    where = f", going on with {going_on}" if going_on else ""
    console.print(Text(f"{len(turns)} {many}, about {duration(total_s)}{where}; nothing was run"), soft_wrap=True)


def print_summary(console: Console, summary: Summary, last_line: str, where: str) -> None:
    """What it came to: misses first and loud, then the table, the one line that says it all, and where the page is."""
    for row in summary.misses:
        words = f" MISSED  {row.name}: the {summary.one} said PASS with it planted "
        console.print(Text(words, STYLES[Outcome.MISSED]))
        console.print(Text(f"         {clean(row.title)}"), soft_wrap=True)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    own = ("load",) if summary.event is None else HEADS
    for head in ("defect", "expected", "caught", "by", *own, f"whole {summary.one}"):
        table.add_column(head, header_style="dim")
    for row in (*summary.rows, summary.clean):
        if row.outcomes:
            table.add_row(*_cells(row, summary.event))
    console.print(table)
    console.print(Text(f"{last_line}."), soft_wrap=True)
    console.print(Text(f"Page: {where}", "dim"), soft_wrap=True)


def _cells(row: Row, event: str | None) -> list[Text]:
    style = "" if row.worst is None else STYLES[row.worst]
    return [
        Text("(clean)" if row.name == CLEAN else clean(row.name)),
        Text(row.expects or ""),
        Text(caught_words(row), style),
        Text(", ".join(row.claims)),
        *map(Text, [seconds_words(row.load_s)] if event is None else figure_cells(row.figures)),
        Text(seconds_words(row.process_s)),
    ]
