"""Load delivered: never a FAIL, and never a PASS of what was not sent or not seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from fakes.event_cases import the
from fakes.event_history import START_NS, S, good_payday, report

from shiftproof.judge import EventCase, judge_event
from shiftproof.model.event import Side
from shiftproof.model.history import WATCH_GAP, LoadReport, Source
from shiftproof.model.verdict import Verdict

_LOST = "load worker 2 of 3 was lost, and 33% of the event's load from then on"


def keep(case: EventCase, wanted: npt.NDArray[np.bool_]) -> EventCase:
    """The same with some of its requests alone, and an account that agrees."""
    events = case.history.events[wanted]
    history = replace(case.history, events=events, load=report(events[events["side"] != Side.EXTRA_CLUSTER]))
    return replace(case, history=history, event_load=report(events[events["side"] == Side.EXTRA_CLUSTER]))


def lose(case: EventCase, from_s: float) -> EventCase:
    """A third of the event's requests is missing from then on."""
    events = case.history.events
    gone = (events["side"] == Side.EXTRA_CLUSTER) & (events["pair"] % 3 == 1)
    gone &= events["intended_ns"] >= START_NS + round(from_s * S)
    return keep(case, ~gone)


def test_all_of_it_was_sent() -> None:
    found = the(good_payday().build(), "load-delivered")
    assert found.verdict is Verdict.PASS
    assert found.reason.startswith("23,400 requests of the event sent as planned")
    assert found.data["planned"] == 23_400


def test_no_load_at_all() -> None:
    case = good_payday().build()
    found = the(keep(case, case.history.events["side"] != Side.EXTRA_CLUSTER), "load-delivered")
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "no request of the event was recorded" in found.reason


@pytest.mark.parametrize("from_s", [0, 12, 150])
def test_a_lost_worker_is_named_with_its_share_and_since_when(from_s: int) -> None:
    case = lose(good_payday().build(), from_s)
    load = replace(case.event_load, problem=_LOST, finished=False) if case.event_load else None
    found = [one.reason for one in judge_event(replace(case, event_load=load, lost_share=1 / 3), ["load-delivered"])]
    assert len(found) == 1, "a lost worker is told of once"
    before, _, since = found[0].partition("from ")
    assert before == "load worker 2 of 3 was lost, and 33% of the event's load "
    assert int(since.split()[0]) == pytest.approx(from_s, abs=1)


def test_a_hole_in_the_rates_is_no_silence() -> None:
    found = the(lose(good_payday().build(), 100), "load-delivered")
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "fewer requests than planned in " in found.reason


def account(**fields: object) -> LoadReport:
    load = good_payday().build().event_load
    assert load is not None
    return replace(load, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("load", "words"),
    [
        (None, "left no account of itself"),
        (account(problem="it broke"), "the event's load: it broke"),
        (account(finished=False), "ended before it was over"),
        (account(scheduled=24_000), "24,000 requests of the event were planned, 23,400 recorded"),
        (account(locust_requests=1), "Locust counted 1 requests"),
        (account(locust_failures=7), "Locust counted 7 failures"),
        (account(recorded=23_399, scheduled=23_399, locust_requests=23_399), "23,400 are in the record"),
    ],
)
def test_what_the_account_says(load: LoadReport | None, words: str) -> None:
    found = the(good_payday().build(event_load=load), "load-delivered")
    assert found.verdict is Verdict.INCONCLUSIVE
    assert words in found.reason


@pytest.mark.parametrize("side", [Side.EXTRA_CLUSTER, Side.LEGACY])
def test_a_load_that_lags(side: Side) -> None:
    case = good_payday().build()
    events = case.history.events.copy()
    rows = np.flatnonzero(events["side"] == side)[::20]
    events["sent_ns"][rows] += 50_000_000
    found = the(replace(case, history=replace(case.history, events=events)), "load-delivered")
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "more than 20 ms late" in found.reason


def test_a_control_that_is_too_small_or_has_a_hole() -> None:
    few = the(good_payday(pairs_per_s=0.2).build(), "load-delivered")
    assert (few.verdict, "at least 100 are needed" in few.reason) == (Verdict.INCONCLUSIVE, True)
    case = good_payday().build()
    events, start = case.history.events, START_NS
    hole = (events["side"] == Side.LEGACY) & (events["intended_ns"] > start + 90 * S)
    hole &= events["intended_ns"] < start + 100 * S
    assert "no request of the control for 9 s" in the(keep(case, ~hole), "load-delivered").reason


def test_a_control_whose_load_broke() -> None:
    case = good_payday().build()
    assert case.history.load is not None
    broken = replace(case.history.load, problem="it broke")
    found = the(replace(case, history=replace(case.history, load=broken)), "load-delivered")
    assert (found.verdict, "which is the control: it broke" in found.reason) == (Verdict.INCONCLUSIVE, True)


def test_what_was_not_seen() -> None:
    gap = good_payday().at(50, WATCH_GAP, "watcher/kubernetes", problem="it was away for 4 s")
    assert "it was away for 4 s" in the(gap.build(), "load-delivered").reason
    deaf = good_payday().build(watchers=(Source.KUBERNETES, Source.LOAD_BALANCER))
    assert "nothing was heard from load-balancer" in the(deaf, "load-delivered").reason


def test_an_event_that_was_cut_short() -> None:
    case = good_payday().build()
    short = replace(case, end_ns=START_NS + 120 * S, looked_until_ns=START_NS + 130 * S)
    events = case.history.events
    reasons = [one.reason for one in judge_event(keep(short, events["intended_ns"] < short.end_ns), ["load-delivered"])]
    assert "the event was ended after 120 of 300 s." in reasons
