"""Before and after the event: what it began with, and whether it went back there."""

from __future__ import annotations

import pytest
from fakes.event_cases import the, unscaled
from fakes.event_history import EventBuilder, good_payday

from shiftproof.model.verdict import Verdict


def test_it_began_at_its_base() -> None:
    found = the(good_payday().build(), "pre-provisioning")
    assert (found.verdict, found.data["ready"], found.data["needed"]) == (Verdict.PASS, 2, 2)


@pytest.mark.parametrize(("pods", "verdict"), [(3, Verdict.PASS), (4, Verdict.FAIL), (6, Verdict.FAIL)])
def test_one_spare_pod_may_be_there(pods: int, verdict: Verdict) -> None:
    assert the(EventBuilder(base_pods=pods).build(), "pre-provisioning").verdict is verdict


def test_nodes_beyond_the_base() -> None:
    event = good_payday().at(-60, "node.present", "node/extra", ready=True, machine="i-x", capacity_type="on-demand")
    assert the(event.build(), "pre-provisioning").verdict is Verdict.PASS, "nobody says how many the base needs"
    found = the(event.build(facts={"base_nodes": 1}), "pre-provisioning")
    assert (found.verdict, "1 node beyond the base's 1" in found.reason) == (Verdict.FAIL, True)


@pytest.mark.parametrize("pods", [0, 1])
def test_less_than_the_base_is_no_base(pods: int) -> None:
    assert the(EventBuilder(base_pods=pods).build(), "pre-provisioning").verdict is Verdict.INCONCLUSIVE


def test_it_went_back() -> None:
    found = the(good_payday().build(), "return-to-base")
    assert found.verdict is Verdict.PASS
    assert found.data["back_s"] == {
        "wanted pods": 0.0,
        "ready pods": pytest.approx(0.1),
        "nodes": 35.0,
        "machines": 35.0,
    }


def test_it_went_back_before_the_event_was_over() -> None:
    event = EventBuilder().sees(50, 2.0).wants(52, 6)
    for _ in range(4):
        event.starts(52, ready_s=60)
    found = the(event.wants(220, 2).goes(220, 4).build(), "return-to-base")
    assert (found.verdict, set(found.data["back_s"].values())) == (Verdict.PASS, {0.0})


def test_too_late() -> None:
    found = the(good_payday(limits={"return_within_s": 30}).build(), "return-to-base")
    assert (found.verdict, "35 s after the event (within 30 s): too late" in found.reason) == (Verdict.FAIL, True)


def stays(**more: float) -> EventBuilder:
    event = EventBuilder(**more).sees(50, 2.0).wants(52, 6).node("new-1", launched_s=53, ready_s=90)  # type: ignore[arg-type]
    for _ in range(4):
        event.waits(52, node="new-1", placed_s=90, ready_s=95)
    return event


def test_never() -> None:
    found = the(stays(looked_s=310).build(), "return-to-base")
    assert found.verdict is Verdict.FAIL
    assert "6 wanted pods instead of 2, 6 ready pods instead of 2 and 2 nodes instead of 1" in found.reason


def test_a_node_that_is_left_behind() -> None:
    found = the(stays(looked_s=310).wants(320, 2).goes(320, 4).build(), "return-to-base")
    assert (found.verdict, found.reason.endswith("(within 300 s): 2 nodes instead of 1.")) == (Verdict.FAIL, True)


@pytest.mark.parametrize("spot", [True, False])
def test_a_machine_that_no_node_stands_on_is_paid_for_all_the_same(spot: bool) -> None:
    event = good_payday(looked_s=310).node("lost", launched_s=60, ready_s=None, spot=spot)
    found = the(event.build(), "return-to-base")
    assert (found.verdict, found.reason.endswith("(within 300 s): 1 machine instead of 0.")) == (Verdict.FAIL, True)


def test_nobody_looked_for_long_enough() -> None:
    found = the(stays(looked_s=100).build(), "return-to-base")
    assert (found.verdict, "nobody looked for long enough" in found.reason) == (Verdict.INCONCLUSIVE, True)


def test_it_went_too_far_back() -> None:
    found = the(good_payday().goes(340, 1).build(), "return-to-base")
    assert (found.verdict, "only 1 pod of 2 were ready" in found.reason) == (Verdict.FAIL, True)


def test_it_came_back_up_again() -> None:
    event = good_payday().wants(340, 4).wants(350, 2)
    assert the(event.build(), "return-to-base").data["back_s"]["wanted pods"] == 50.0


def test_what_never_rose_has_nothing_to_go_back_from() -> None:
    found = the(unscaled().build(), "return-to-base")
    assert (found.verdict, "nothing had to go back" in found.reason) == (Verdict.INCONCLUSIVE, True)
    nothing = the(EventBuilder(base_pods=0).build(), "return-to-base")
    assert nothing.verdict is Verdict.INCONCLUSIVE


def test_a_node_of_the_base_that_is_gone_is_not_said_to_be_back() -> None:
    found = the(good_payday().no_node(330, "base-1").build(), "return-to-base")
    assert (found.verdict, "2 pods and 0 nodes (1 before), " in found.reason) == (Verdict.PASS, True)
