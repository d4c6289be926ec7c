"""The live view of a load event: readable at any width, plain without a terminal, and never in the way of its end."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import pytest
from fakes.payday import failed
from rich.console import Console
from rich.text import Text

from shiftproof.model.demand import Demand
from shiftproof.model.verdict import Verdict
from shiftproof.report.event_chart import chart
from shiftproof.report.event_live import EventHeader, EventNumbers, EventView
from shiftproof.report.event_rich import RichEventView
from shiftproof.report.event_track import (
    Second,
    StageRun,
    load_parts,
    node_parts,
    piece_words,
    place_parts,
    pod_parts,
    stage_parts,
)
from shiftproof.report.event_view import PlainEventView, event_view_for

DEMAND = Demand.of([(0, 20), (40, 20), (85, 100), (160, 100), (200, 20), (380, 20)])
HEADER = EventHeader("payday", "Salaries land", "payments", "lab", "7f3a", DEMAND, 0.25, 300.0, (2, 5))


class Hand:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Hand:
    return Hand()


def numbers(at_s: int) -> EventNumbers:
    rate = DEMAND.rate_at(at_s)
    short = 60 <= at_s < 90
    return EventNumbers(
        at_s=float(at_s),
        demand_per_s=rate,
        sent_per_s=rate,
        bad_per_s=4 if short else 0,
        sent=at_s * 40,
        bad=max(0, min(at_s, 90) - 60) * 4,
        p99_ms=612.0 if short else 61.0,
        pods_needed=5 if rate > 60 else 2,
        pods_wanted=5 if at_s > 64 else 2,
        pods_ready=5 if 90 <= at_s < 250 else 2,
        pods_pending=2 if short else 0,
        nodes=3,
        nodes_spot=1,
        cost=0.0001 * at_s,
    )


def play(view: EventView, clock: Hand, until_s: int) -> None:
    """Preflight of 4 s, then the event, a look at it each second."""
    view.begin(HEADER)
    view.stage("preflight")
    clock.at = 4.0
    view.stage("event")
    for second in range(until_s + 1):
        clock.at = 4.0 + second
        view.progress(numbers(second))


def rich_view(width: int, clock: Hand, height: int = 40) -> tuple[RichEventView, Console]:
    console = Console(
        file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None, record=True
    )
    return RichEventView(console, clock), console


def screen(view: RichEventView, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, record=True)
    console.print(view.render())
    return [line.rstrip() for line in console.export_text().splitlines()]


def test_the_screen_at_80_columns(clock: Hand) -> None:
    view, _ = rich_view(80, clock)
    play(view, clock, 76)
    view.note("12:02:09 machine i-0ab12 launched")
    lines = screen(view, 80)
    view.end(None)
    spinner = lines[2][13]
    assert lines == [
        "payments   payday 20 -> 100/s (scaled by 0.25)   lab       run 7f3a   1 min 20 s",
        "  preflight  done  4.0 s",
        f"  event      {spinner}     1 min 16 s of 6 min 20 s   rising to 100/s, 9.0 s left",
        "  demand               ▂▅███████████████▅▃",
        "  100/s            ▁▃▆█████████████████████▆▃",
        "          ▅▅▅▅▅▅▅▅▇███████████████████████████▆▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅",
        "                       ▲ 1 min 16 s                                  6 min 20 s",
        "  needed  22222222222555",
        "  ready   22222222222222",
        "  load    demand 84/s   sent 84/s   bad 4.8% now, 64 of 3,040 so far",
        "          p99 612 ms",
        "  pods    needed 5   wanted 5   ready 2   pending 2   3 short",
        "  nodes   3 ready, 1 of them Spot   cost 0.0076",
        "  12:02:09 machine i-0ab12 launched",
        "  so far  too early to say",
    ]


@pytest.mark.parametrize("width", [40, 60, 80, 132])
@pytest.mark.parametrize("until_s", [0, 76, 379, 700])
def test_no_width_and_no_moment_breaks_it(width: int, until_s: int, clock: Hand) -> None:
    view, _ = rich_view(width, clock, height=20)
    play(view, clock, until_s)
    view.stage("a stage with a very long name that nobody would give it")
    lines = screen(view, width)
    view.end(None)
    assert all(len(line) <= width for line in lines)
    assert len(lines) <= (24 if width >= 60 else 32)
    assert any("▲" in line for line in lines)


def test_before_the_event_nothing_is_zero_that_is_only_unknown(clock: Hand) -> None:
    view, _ = rich_view(80, clock)
    view.begin(HEADER)
    view.stage("preflight")
    view.progress(EventNumbers(pods_ready=2))
    lines = screen(view, 80)
    view.end(None)
    assert "  load    not begun" in lines
    assert "  pods    needed -   wanted -   ready 2   pending -" in lines
    assert "  nodes   -   cost -" in lines


def test_the_chart_holds_on_to_what_was_seen_and_knows_no_more() -> None:
    seen = {0: Second(20, 2, 2), 100: Second(100, 5, 3), 200: Second(20, 2, 5)}
    lines = [line.plain for line in chart(DEMAND, seen, 200.0, 48, height=1, plain=False)]
    assert lines[2] == "  needed  22222222225555555555" + "2" + " " * 17
    assert lines[3] == "  ready   22222222223333333333" + "5" + " " * 17
    red = [
        span for span in chart(DEMAND, seen, 200.0, 48, height=1, plain=False)[3].spans if str(span.style) == "bold red"
    ]
    assert [(span.start, span.end) for span in red] == [(n, n + 1) for n in range(20, 30)]


def test_more_than_nine_pods_are_bars_and_ascii_is_enough() -> None:
    seen = {second: Second(100, 40, 10 + second // 10) for second in range(300)}
    lines = [line.plain for line in chart(DEMAND, seen, 299.0, 60, height=2, plain=True)]
    assert all(line.isascii() for line in lines)
    assert set(lines[-2].removeprefix("  needed").strip()) == {"#"}
    assert len(set(lines[-1].removeprefix("  ready").strip())) > 2


def test_a_short_peak_does_not_fall_between_two_columns() -> None:
    spike = Demand.of([(0, 10), (100, 10), (100, 100), (101, 100), (101, 10), (400, 10)])
    top: Text = chart(spike, {}, None, 50, height=3, plain=False)[0]
    assert top.plain.count("█") == 1


def test_where_in_the_event_it_is() -> None:
    assert piece_words(DEMAND, 0) == "holding 20/s, 40 s left"
    assert piece_words(DEMAND, 40) == "rising to 100/s, 45 s left"
    assert piece_words(DEMAND, 199) == "falling to 20/s, 1.0 s left"
    assert place_parts(HEADER, None) == []
    assert place_parts(HEADER, 420) == ["40 s after the event of 5 min 0 s at most"]


def test_figures_in_words() -> None:
    assert load_parts(EventNumbers(at_s=381.0, sent=900, bad=0)) == ["none now", "bad 0 of 900 in all"]
    assert load_parts(EventNumbers(at_s=1.0, demand_per_s=20))[1:] == ["sent 0/s", "bad - now, 0 of 0 so far", "p99 -"]
    assert pod_parts(EventNumbers(pods_needed=4, pods_ready=6, pods_wanted=4, pods_pending=0))[-1] == "pending 0"
    assert node_parts(EventNumbers(nodes=2, nodes_spot=0, cost=0.0)) == ["2 ready", "cost 0"]


def test_a_stage_tells_the_turns_of_its_pods() -> None:
    stage = StageRun("event", 0.0, 380.0)
    for ready in (2, 3, 5, 4, 2):
        stage.see(EventNumbers(at_s=1.0, sent=100, bad=3, pods_needed=4, pods_ready=ready))
    assert stage_parts(stage, 999.0) == ["6 min 20 s", "3 of 100 bad", "pods 2 -> 5 -> 2", "2 short at worst"]
    for ready in (6, 2, 6, 2, 6):
        stage.see(EventNumbers(pods_ready=ready))
    assert "pods 2 to 6, 6 turns" in stage_parts(stage, 999.0)


def test_the_end_leaves_the_stages_and_the_chart_and_then_the_verdict(clock: Hand, tmp_path: Path) -> None:
    view, console = rich_view(100, clock)
    play(view, clock, 379)
    view.end(failed(tmp_path))
    view.end(failed(tmp_path))
    text = console.export_text()
    assert "  event      done  6 min 19 s   120 of 15,160 bad   pods 2 -> 5 -> 2   3 short at worst" in text
    assert text.count("FAIL   1,024 of") == 1
    assert text.index("  demand") < text.index("FAIL   1,024 of") < text.index("time-to-capacity")


def test_many_threads_may_call_while_it_draws() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    view = RichEventView(console, redraws_per_s=200)
    view.begin(HEADER)
    view.stage("event")

    def call() -> None:
        for second in range(300):
            view.progress(numbers(second))
            view.note(f"note {second}")

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not any(thread.is_alive() for thread in threads)
    assert any("11,960 so far" in line for line in screen(view, 80))
    view.end(None)


def test_plain_lines_for_logs(clock: Hand, tmp_path: Path) -> None:
    out = io.StringIO()
    view = PlainEventView(Console(file=out, width=80), clock, heartbeat_s=40)
    play(view, clock, 85)
    view.note("12:02:09 machine i-0ab12\x1b[2J launched")
    view.end(failed(tmp_path))
    view.end(failed(tmp_path))
    view.progress(numbers(99))
    lines = out.getvalue().splitlines()
    beat = (
        "  event          ...    {at} of 6 min 20 s   {piece}   demand {rate}/s   sent {rate}/s   bad {bad}   p99 {p99}"
        "   pods {pods}   nodes 3 ready, 1 of them Spot   cost {cost}   too early to say"
    )
    ended = "1 min 25 s   100 of 3,400 bad   pods 2   3 short at worst   2 pending at most    at 1 min 29 s"
    calm, busy = "needed 2, wanted 2, ready 2, pending 0", "needed 5, wanted 5, ready 2, pending 2, 3 short"
    assert lines[:6] == [
        "payments   payday 20 -> 100/s (scaled by 0.25)   lab   run 7f3a",
        "  preflight      done   4.0 s    at 4.0 s",
        beat.format(at="40 s", piece="rising to 100/s, 45 s left", rate=20, bad="0% now, 0 of 1,600 so far",
                    p99="61 ms", pods=calm, cost="0.004"),
        beat.format(at="1 min 20 s", piece="rising to 100/s, 5.0 s left", rate=91, bad="4.4% now, 80 of 3,200 so far",
                    p99="612 ms", pods=busy, cost="0.008"),
        "  12:02:09 machine i-0ab12 [2J launched",
        f"  event          done   {ended}",
    ]  # fmt: skip
    assert lines[6].startswith("FAIL   1,024 of 16,707 requests failed")
    assert sum(line.startswith("FAIL ") for line in lines) == 1
    assert "\x1b" not in out.getvalue()


def test_what_is_decided_against_it_is_said(clock: Hand) -> None:
    view, _ = rich_view(80, clock)
    view.begin(HEADER)
    view.stage("event")
    view.progress(EventNumbers(at_s=1.0, verdict_so_far=Verdict.FAIL))
    last = screen(view, 80)[-1]
    view.end(None)
    assert last == "  so far  FAIL"


def test_the_view_fits_its_console() -> None:
    assert isinstance(event_view_for(Console(file=io.StringIO(), force_terminal=True)), RichEventView)
    assert isinstance(event_view_for(Console(file=io.StringIO())), PlainEventView)
