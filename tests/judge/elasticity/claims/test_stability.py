"""Stability: it turns when the load does, and does not go far beyond what is needed."""

from __future__ import annotations

from fakes.event_cases import flapping, the, unscaled
from fakes.event_history import EventBuilder, good_payday

from shiftproof.model.verdict import Verdict

_NAME = "stability"


def test_up_and_down_once() -> None:
    found = the(good_payday().build(), _NAME)
    assert (found.verdict, found.data["turns"], found.data["demand_turns"]) == (Verdict.PASS, 1, 1)


def test_flapping_by_start_up_cpu() -> None:
    found = the(flapping().build(), _NAME)
    assert found.verdict is Verdict.FAIL
    assert (found.data["turns"], found.data["flaps"]) == (5, 4)
    assert "it flaps (2, 4, 6, 3, 6, 3, 6, 2)" in found.reason


def test_flaps_that_are_allowed() -> None:
    event = flapping()
    event.limits = {"flaps": 4}
    assert the(event.build(), _NAME).verdict is Verdict.PASS


def test_overshoot() -> None:
    assert the(EventBuilder().sees(50, 2.0).wants(52, 7).wants(310, 2).build(), _NAME).verdict is Verdict.PASS
    found = the(EventBuilder().sees(50, 2.0).wants(52, 8).wants(310, 2).build(), _NAME)
    assert (found.verdict, "it overshoots" in found.reason) == (Verdict.FAIL, True)
    assert (found.data["most_wanted"], found.data["most_needed"]) == (8, 6)


def test_one_that_never_moves_shows_nothing() -> None:
    found = the(unscaled().build(), _NAME)
    assert (found.verdict, "shows nothing of how steady it is" in found.reason) == (Verdict.INCONCLUSIVE, True)


def test_nothing_known_of_it() -> None:
    event = unscaled()
    event._happenings = [one for one in event._happenings if one.kind != "scale.wanted"]
    assert the(event.build(), _NAME).verdict is Verdict.INCONCLUSIVE


def test_what_it_did_before_the_event_is_not_judged() -> None:
    event = good_payday().wants(-50, 4).wants(-40, 2).wants(-30, 4).wants(-20, 2)
    assert the(event.build(), _NAME).verdict is Verdict.PASS
