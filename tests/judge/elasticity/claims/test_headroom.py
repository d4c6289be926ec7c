"""Headroom: where a ramp breaks the service, against the declared peak."""

from __future__ import annotations

import pytest
from fakes.event_cases import the
from fakes.event_history import TO_BREAK, EventBuilder, good_payday

from shiftproof.judge import judge_event
from shiftproof.model.event import Side
from shiftproof.model.verdict import Verdict


def breaks_at(t_s: float, **more: float) -> EventBuilder:
    """The ramp goes from 30 to 300 requests a second in 300 s."""
    return EventBuilder(event=TO_BREAK).spell(Side.EXTRA_CLUSTER, t_s, 300, share=0.5)


def test_above_the_declared_peak() -> None:
    found = the(breaks_at(200).build(facts={"declared_peak_per_s": 250, "demand_scale": 0.6}), "headroom")
    assert found.verdict is Verdict.PASS
    assert found.data["carried_per_s"] == pytest.approx(210, abs=5)
    assert (found.data["declared_peak_per_s"], found.data["multiple"]) == (150, pytest.approx(1.4, abs=0.05))
    assert "1.4 times the declared peak of 150/s" in found.reason


def test_below_it() -> None:
    found = the(breaks_at(80).build(facts={"declared_peak_per_s": 150}), "headroom")
    assert (found.verdict, "which it does not carry" in found.reason) == (Verdict.FAIL, True)


def test_too_close_to_tell() -> None:
    found = the(breaks_at(133).build(facts={"declared_peak_per_s": 150}), "headroom")
    assert (found.verdict, "too close to it to be sure" in found.reason) == (Verdict.INCONCLUSIVE, True)


def test_one_that_does_not_break() -> None:
    event = EventBuilder(event=TO_BREAK)
    found = the(event.build(facts={"declared_peak_per_s": 150}), "headroom")
    assert (found.verdict, found.data["broke"]) == (Verdict.PASS, False)
    beyond = the(event.build(facts={"declared_peak_per_s": 400}), "headroom")
    assert (beyond.verdict, "which the ramp did not reach" in beyond.reason) == (Verdict.INCONCLUSIVE, True)


def test_what_makes_it_unknown() -> None:
    undeclared = the(breaks_at(200).build(), "headroom")
    assert (undeclared.verdict, "no peak is declared" in undeclared.reason) == (Verdict.INCONCLUSIVE, True)
    sick = breaks_at(80).spell(Side.LEGACY, 80, 300).build(facts={"declared_peak_per_s": 150})
    assert (the(sick, "headroom").verdict, "the cause is shared" in the(sick, "headroom").reason) == (
        Verdict.INCONCLUSIVE,
        True,
    )
    other = the(good_payday().build(), "headroom")
    assert (other.verdict, "does not rise until it ends" in other.reason) == (Verdict.INCONCLUSIVE, True)


def test_what_only_a_day_can_show_is_not_asked_of_a_ramp() -> None:
    claims = {found.claim for found in judge_event(breaks_at(200).build(facts={"declared_peak_per_s": 250}))}
    assert claims == {"load-delivered", "headroom", "pre-provisioning", "time-to-capacity", "stability", "spot"}


def test_other_shapes_are_not_judged_by_it() -> None:
    assert "headroom" not in {found.claim for found in judge_event(good_payday().build())}
