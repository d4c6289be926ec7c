"""The live view: readable at 80 columns, plain without a terminal, and never in the way of its own end."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import pytest
from fakes.report_runs import passed
from rich.console import Console

from shiftproof.model.result import PhaseRow
from shiftproof.model.verdict import Verdict
from shiftproof.report.live import PlainView, open_console, view_for
from shiftproof.report.live_rich import RichView
from shiftproof.report.live_view import Header, LiveNumbers, View

HEADER = Header("payments", "lab", 0, 25, 150, "7f3a")
ROWS = (
    PhaseRow("preflight", Verdict.PASS, "14 checks"),
    PhaseRow("steady", Verdict.PASS, "", 2250, 0),
    PhaseRow("deploy", Verdict.FAIL, "3 rollouts, 6.1 s each", 3010, 40),
    PhaseRow(
        "node-loss",
        Verdict.INCONCLUSIVE,
        "outage 1.9 s +- 7 ms (budget 5 s), 112 requests, objective met again after 2.3 s",
    ),
)


class Hand:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def numbers(phase: str, pairs: int = 1204, attributed: int = 0) -> LiveNumbers:
    return LiveNumbers(phase, pairs, attributed, 0, 149.6, 0.2, 8.0, Verdict.INCONCLUSIVE)


def rich_view(width: int, clock: Hand) -> tuple[RichView, Console]:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None, record=True)
    return RichView(console, clock), console


def screen(view: RichView, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, record=True)
    console.print(view.render())
    return [line.rstrip() for line in console.export_text().splitlines()]


@pytest.fixture
def clock() -> Hand:
    return Hand()


def test_the_screen_at_80_columns(clock: Hand) -> None:
    view, _ = rich_view(80, clock)
    view.begin(HEADER)
    try:
        for row in ROWS:
            view.phase_started(row.name)
            view.phase_ended(row)
        clock.at = 153.0
        view.phase_started("rollback", 2, 3)
        view.progress(numbers("rollback"))
        clock.at = 161.0
        view.note("node-2 is back")
        lines = screen(view, 80)
    finally:
        view.end(None)
    spinner = lines[6][13]
    assert lines == [
        "payments   legacy 100% -> cluster 25%   lab   150 pairs/s  run 7f3a   2 min 41 s",
        "  preflight  ok       14 checks",
        "  steady     ok       2,250 pairs    0 attributed",
        "  deploy     FAIL     3 rollouts, 6.1 s each    40 of 3,010",
        "  node-loss  unclear  outage 1.9 s +- 7 ms (budget 5 s), 112 requests, objective",
        "                      met again after 2.3 s",
        f"  rollback   {spinner}        2 of 3   1,204 pairs   0 attributed   150/s   8.0 s",
        "  node-2 is back",
        "  so far     not enough yet   40 of 6,464 attributed",
    ]
    assert all(len(line) <= 80 for line in lines)


@pytest.mark.parametrize("width", [40, 60, 80, 132])
def test_no_width_breaks_it(width: int, clock: Hand) -> None:
    view, _ = rich_view(width, clock)
    view.begin(HEADER)
    try:
        for row in ROWS:
            view.phase_ended(row)
        view.phase_started("a-phase-of-a-team-with-a-very-long-name")
        lines = screen(view, width)
    finally:
        view.end(None)
    assert all(len(line) <= width for line in lines)
    assert width < 60 or "2.3 s" in "".join(lines)


def test_a_crash_raises_no_alarm_and_no_total(clock: Hand) -> None:
    view, _ = rich_view(80, clock)
    view.begin(HEADER)
    try:
        view.phase_started("node-loss")
        view.progress(LiveNumbers("node-loss", 900, 112, 0, 150, 0, 6, None, budgeted=True))
        last = screen(view, 80)[-1]
    finally:
        view.end(None)
    assert last == "  so far     too early to say"


def test_the_end_leaves_the_phases_and_then_the_summary(clock: Hand, tmp_path: Path) -> None:
    view, console = rich_view(100, clock)
    view.begin(HEADER)
    view.phase_ended(ROWS[1])
    view.phase_started("deploy")
    view.end(passed(tmp_path)[0])
    view.end(passed(tmp_path)[0])
    text = console.export_text()
    assert "  deploy     -     not finished" in text
    assert text.count("PASS   Nothing a customer could notice") == 1
    assert text.index("2,250 pairs") < text.index("PASS   Nothing")


def test_many_threads_may_call_while_it_draws(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    view = RichView(console, redraws_per_s=200)
    view.begin(HEADER)
    view.phase_started("steady")

    def call() -> None:
        for pairs in range(300):
            view.progress(numbers("steady", pairs))

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads)
    assert any("299 pairs" in line for line in screen(view, 80))
    view.end(None)


def test_plain_lines_for_logs(clock: Hand, tmp_path: Path) -> None:
    out = io.StringIO()
    view = PlainView(Console(file=out, width=80), clock)
    view.begin(HEADER)
    for at, row in zip((1.2, 16.0, 41.0, 61.0), ROWS, strict=True):
        view.phase_started(row.name)
        clock.at = at
        view.phase_ended(row)
    view.end(passed(tmp_path)[0])
    assert out.getvalue().splitlines()[:6] == [
        "payments   legacy 100% -> cluster 25%   lab   150 pairs/s   run 7f3a",
        "  preflight   ok      14 checks    at 1.2 s",
        "  steady      ok      2,250 pairs    0 attributed    at 16 s",
        "  deploy      FAIL    3 rollouts, 6.1 s each    40 of 3,010    at 41 s",
        f"  node-loss   unclear {ROWS[3].detail}    at 1 min 1 s",
        "PASS   Nothing a customer could notice: 0 of 14,880 graceful pairs attributed",
    ]


def test_a_heartbeat_in_long_phases_only(clock: Hand) -> None:
    out = io.StringIO()
    view = PlainView(Console(file=out, width=80), clock, heartbeat_s=15)
    view.begin(HEADER)
    view.phase_started("deploy", 2, 3)
    for second in range(40):
        clock.at = float(second)
        view.progress(numbers("deploy", second * 150))
    beats = [line for line in out.getvalue().splitlines() if "..." in line]
    assert beats == [
        "  deploy      ...     2 of 3   2,250 pairs   0 attributed   150/s   not enough yet after 8.0 s",
        "  deploy      ...     2 of 3   4,500 pairs   0 attributed   150/s   not enough yet after 8.0 s",
    ]


def test_the_view_fits_its_console() -> None:
    terminal: View = view_for(Console(file=io.StringIO(), force_terminal=True))
    assert isinstance(terminal, RichView)
    assert isinstance(view_for(Console(file=io.StringIO())), PlainView)


def test_the_console_outlives_what_pytest_does_to_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    read, write = os.pipe()
    kept = os.dup(1)
    os.dup2(write, 1)
    try:
        with open(1, "w", closefd=False) as stdout, pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.stdout", stdout)
            console = open_console()
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(write)
    console.print("still here")
    console.file.close()
    assert os.read(read, 100) == b"still here\n"
    os.close(read)
