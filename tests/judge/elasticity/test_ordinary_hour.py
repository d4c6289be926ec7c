"""An hour in which nothing has to scale: what is judged of it, and that it proves nothing of scaling."""

from __future__ import annotations

import pytest
from fakes.event_cases import the
from fakes.event_history import EventBuilder

from shiftproof.judge import judge_event
from shiftproof.judge.elasticity.need import asks_to_scale
from shiftproof.model.event import Side
from shiftproof.model.load_event import Hold, LoadEvent, Ramp
from shiftproof.model.verdict import Verdict, merge

STEADY = LoadEvent("steady", "An ordinary hour", 0.2, (Hold(120),))
BUSY = LoadEvent("busy", "All the time at the peak", 1.0, (Hold(120),))
LOW = LoadEvent("low", "It rises, and two pods are enough", 0.1, (Hold(20), Ramp(0.2, 20), Hold(80)))
OF_SCALING = {"time-to-capacity", "return-to-base"}


def test_it_can_pass_and_what_asks_how_it_scaled_is_not_judged() -> None:
    found = judge_event(EventBuilder(event=STEADY).build())
    assert merge(one.verdict for one in found) is Verdict.PASS, found
    claims = {one.claim for one in found}
    assert not claims & OF_SCALING
    assert claims >= {"load-delivered", "shortfall", "pre-provisioning", "stability", "cost"}


@pytest.mark.parametrize("event", [BUSY, LOW])
def test_a_load_that_rises_or_asks_for_more_has_to_be_followed(event: LoadEvent) -> None:
    found = judge_event(EventBuilder(event=event).build())
    assert {one.claim for one in found} >= OF_SCALING
    assert merge(one.verdict for one in found if one.claim in OF_SCALING) is Verdict.INCONCLUSIVE


def test_whether_it_asks_to_scale() -> None:
    asked = {event.name: asks_to_scale(EventBuilder(event=event).build()) for event in (STEADY, BUSY, LOW)}
    assert asked == {"steady": False, "busy": True, "low": True}


def test_what_moves_all_the_same_is_restless() -> None:
    assert the(EventBuilder(event=STEADY).build(), "stability").reason.endswith("nothing moved.")
    restless = EventBuilder(event=STEADY, limits={"flaps": 0}).wants(20, 3).wants(50, 2).wants(70, 3).wants(90, 2)
    assert the(restless.build(), "stability").verdict is Verdict.FAIL
    less = EventBuilder(event=STEADY, base_pods=3).wants(20, 2)
    assert the(less.build(), "stability").verdict is Verdict.INCONCLUSIVE


def test_nothing_known_of_what_was_wanted_is_no_rest() -> None:
    event = EventBuilder(event=STEADY)
    event._happenings = [one for one in event._happenings if one.kind != "scale.wanted"]
    assert the(event.build(), "stability").verdict is Verdict.INCONCLUSIVE


def test_a_service_that_cannot_carry_it_fails() -> None:
    event = EventBuilder(event=STEADY).spell(Side.EXTRA_CLUSTER, 20, 100, share=0.5)
    assert the(event.build(), "shortfall").verdict is Verdict.FAIL
