"""Experiments: graceful work loses nothing, a crash keeps to its budget, a blind autoscaler holds its size."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fakes.event_cases import the
from fakes.event_history import START_NS, EventBuilder, S, good_payday

from shiftproof.judge.elasticity.case import EventCase, Strike
from shiftproof.judge.elasticity.registry import event_claim_names, judge_event
from shiftproof.model.event import Side
from shiftproof.model.history import Budget, PhaseKind, Source
from shiftproof.model.verdict import Finding, Verdict

_NAME = "experiment"
BUDGET = Budget(outage_ms=5000, lost_requests=600, recover_s=20)


def _at(t_s: float) -> int:
    return START_NS + int(t_s * S)


def _drain(**changes: Any) -> Strike:
    return replace(Strike("node-drain", _at(100), _at(140), victims=("node/a",)), **changes)


def _crash(**changes: Any) -> Strike:
    return _drain(experiment="node-loss", kind=PhaseKind.CRASH, budget=BUDGET, **changes)


def _judged(event: EventBuilder, strike: Strike) -> Finding:
    return the(event.build(strikes=(strike,)), _NAME)


def _lost(begin_s: float, end_s: float, share: float = 1.0, **more: Any) -> EventBuilder:
    return good_payday().spell(Side.EXTRA_CLUSTER, begin_s, end_s, share=share, **more)


def test_it_is_asked_only_where_something_struck() -> None:
    assert _NAME in event_claim_names()
    assert _NAME not in {finding.claim for finding in judge_event(good_payday().build())}


def test_graceful_work_that_lost_nothing() -> None:
    found = _judged(good_payday(), _drain())
    assert found.verdict is Verdict.PASS
    assert (found.data["failed"], found.data["requests"]) == (0, pytest.approx(40 * 150, rel=0.02))


def test_graceful_work_that_lost_requests() -> None:
    found = _judged(_lost(110, 111, 0.2), _drain())
    assert found.verdict is Verdict.FAIL
    assert "graceful work may lose none" in found.reason


def test_what_failed_before_it_or_after_it_is_not_its_own() -> None:
    assert _judged(_lost(85, 95), _drain()).verdict is Verdict.PASS
    assert _judged(_lost(141, 150), _drain()).verdict is Verdict.PASS


def test_what_is_only_late_is_not_lost_by_graceful_work() -> None:
    assert _judged(_lost(105, 120, latency_ms=900), _drain()).verdict is Verdict.PASS


def test_a_single_failure_is_neither() -> None:
    found = _judged(_lost(110, 110.008), _drain())
    assert (found.verdict, found.data["failed"]) == (Verdict.INCONCLUSIVE, 1)


def test_a_control_that_fails_as_well_is_a_cause_that_is_shared() -> None:
    event = _lost(105, 130, 0.5).spell(Side.LEGACY, 105, 130, share=0.5)
    found = _judged(event, _drain())
    assert (found.verdict, "the cause is shared" in found.reason) == (Verdict.INCONCLUSIVE, True)


def test_what_fails_before_it_as_well_is_not_laid_to_it() -> None:
    event = _lost(80, 80.02).spell(Side.EXTRA_CLUSTER, 110, 110.008)
    found = _judged(event, _drain())
    assert (found.verdict, "it cost fewer than 0." in found.reason) == (Verdict.PASS, True), found.reason
    assert found.data["failed"] == 1


def test_a_service_that_fails_all_the_time_passes_nothing() -> None:
    """Not more than before, and far more than is acceptable: neither its doing nor none of it."""
    found = _judged(good_payday().spell(Side.EXTRA_CLUSTER, 0, 300, share=0.003), _drain())
    assert (found.verdict, "nobody knows what it cost" in found.reason) == (Verdict.INCONCLUSIVE, True), found.reason


def test_a_rise_that_failed_does_not_hide_what_a_drain_costs() -> None:
    """Five in a hundred failed until it struck, three while it lasted: fewer, and still none that may be."""
    event = good_payday().spell(Side.EXTRA_CLUSTER, 40, 90, share=0.08).spell(Side.EXTRA_CLUSTER, 100, 140, share=0.03)
    found = _judged(event, _drain())
    assert (found.verdict, "nobody knows what it cost" in found.reason) == (Verdict.INCONCLUSIVE, True), found.reason


@pytest.mark.parametrize("strike", [_drain(), _crash()])
def test_a_service_that_failed_already_does_not_tell_what_it_cost(strike: Strike) -> None:
    flapping = _lost(70, 90, 0.3).spell(Side.EXTRA_CLUSTER, 102, 140, share=0.6)
    found = _judged(flapping, strike)
    assert (found.verdict, "nobody knows what it cost" in found.reason) == (Verdict.INCONCLUSIVE, True)


@pytest.mark.parametrize("strike", [_drain(), _crash()])
def test_what_fails_after_it_as_well_may_be_its_own(strike: Strike) -> None:
    broken = _lost(102, 140, 0.3).spell(Side.EXTRA_CLUSTER, 140, 250, share=0.6)
    assert _judged(broken, strike).verdict is Verdict.FAIL


def test_a_control_that_fails_now_and_then_is_noise_of_both() -> None:
    event = _lost(110, 110.03).spell(Side.LEGACY, 110, 110.15)
    found = _judged(event, _drain())
    assert found.data["control_failed"] in (1, 2)
    assert (found.verdict, "of the old side" in found.reason) == (Verdict.INCONCLUSIVE, True), found.reason


def test_a_control_that_fails_twice_does_not_excuse_a_hundred() -> None:
    """Too many for a PASS, and too few of the control to lay them to the drain."""
    event = _lost(105, 138, 0.02).spell(Side.LEGACY, 110, 110.2)
    found = _judged(event, _drain())
    assert found.data["failed"] == pytest.approx(100, abs=8)
    assert found.verdict is Verdict.INCONCLUSIVE, found.reason


def test_noise_before_it_excuses_no_more_than_it_can_hide() -> None:
    """Before it 1 in 100 failed, while it lasted 1.5: not told apart, and 1 in 100 beyond the first is not excluded."""
    event = good_payday().spell(Side.EXTRA_CLUSTER, 0, 100, share=0.01).spell(Side.EXTRA_CLUSTER, 100, 106, share=0.015)
    found = _judged(event, _drain(ended_ns=_at(106)))
    assert found.verdict is Verdict.INCONCLUSIVE, found.reason


def test_noise_does_not_make_a_pass_of_what_outlasts_the_load() -> None:
    event = _lost(80, 80.02).spell(Side.EXTRA_CLUSTER, 290, 290.01)
    found = _judged(event, _drain(began_ns=_at(280), ended_ns=_at(330)))
    assert (found.verdict, "ended before it did" in found.reason) == (Verdict.INCONCLUSIVE, True), found.reason


def test_graceful_work_that_outlasts_the_load_or_meets_too_little_of_it() -> None:
    found = _judged(good_payday(), _drain(began_ns=_at(280), ended_ns=_at(330)))
    assert (found.verdict, "ended before it did" in found.reason) == (Verdict.INCONCLUSIVE, True)
    found = _judged(good_payday(), _drain(began_ns=_at(280), ended_ns=_at(285)))
    assert (found.verdict, "excludes no more than" in found.reason) == (Verdict.INCONCLUSIVE, True)


def test_seconds_without_a_request_are_neither_well_nor_not() -> None:
    case = good_payday().build(strikes=(_crash(),))
    mine = (case.history.events["side"] == Side.EXTRA_CLUSTER) & (case.history.events["intended_ns"] > _at(101))
    silent = replace(case, history=replace(case.history, events=case.history.events[~mine]))
    found = the(silent, _NAME)
    assert (found.verdict, "not seen to be well again" in found.reason) == (Verdict.INCONCLUSIVE, True)


def test_one_that_proves_nothing_and_one_that_was_not_borne() -> None:
    assert _judged(good_payday(), _drain(problem="no node was hit")).verdict is Verdict.INCONCLUSIVE
    found = _judged(good_payday(), _drain(service_problem="never whole again"))
    assert (found.verdict, found.reason) == (Verdict.FAIL, "node-drain: never whole again.")
    assert found.data["not_borne"]


def test_a_crash_within_its_budget() -> None:
    found = _judged(_lost(101, 104), _crash())
    assert found.verdict is Verdict.PASS, found.reason
    assert found.data["failed"] == pytest.approx(450, abs=15)
    assert found.data["recovered_s"] in (3, 4)
    assert 2950 < found.data["longest_outage_ms"] < 3100


@pytest.mark.parametrize(
    ("begin_s", "end_s", "share", "why"),
    [
        (101, 108, 1.0, "longer without an answer than may be"),
        (101, 108, 1.0, "more than may be lost"),
        (101, 127, 0.1, "not well again in time"),
    ],
)
def test_a_crash_beyond_its_budget(begin_s: float, end_s: float, share: float, why: str) -> None:
    found = _judged(_lost(begin_s, end_s, share), _crash())
    assert (found.verdict, why in found.reason) == (Verdict.FAIL, True), found.reason


def test_a_crash_is_not_well_again_while_answers_are_late() -> None:
    found = _judged(_lost(101, 130, 0.4, latency_ms=900), _crash())
    assert (found.verdict, found.data["recovered_s"]) == (Verdict.FAIL, 30)


@pytest.mark.parametrize("first", [(100, 100), (100, 102)])
def test_a_crash_that_hurts_later_is_not_well_again_before_that(first: tuple[float, float]) -> None:
    """Connections break first; that the pods which are left are too few shows only then, and as lateness."""
    event = good_payday().spell(Side.EXTRA_CLUSTER, *first).spell(Side.EXTRA_CLUSTER, 105, 150, latency_ms=900)
    found = _judged(event, _crash())
    assert (found.verdict, found.data["recovered_s"]) == (Verdict.FAIL, 50), found.reason


def test_an_event_that_ends_before_a_crash_could_be_over() -> None:
    event = good_payday().spell(Side.EXTRA_CLUSTER, 296, 300, share=0.2)
    found = _judged(event, _crash(began_ns=_at(295), ended_ns=_at(360)))
    assert (found.verdict, "ended too soon" in found.reason) == (Verdict.INCONCLUSIVE, True)


def test_never_well_again_until_the_end_is_no_doubt() -> None:
    event = good_payday().spell(Side.EXTRA_CLUSTER, 260, 300, share=0.05)
    assert _judged(event, _crash(began_ns=_at(259), ended_ns=_at(300))).verdict is Verdict.FAIL


def test_the_faults_own_mark_is_its_beginning() -> None:
    event = _lost(101, 104).at(103.5, "fault.begin", "node/a", source=Source.CHAOS, experiment="node-loss")
    assert _judged(event, _crash()).data["failed"] == pytest.approx(75, abs=10)


def _blind(wants: tuple[tuple[float, int], ...], begin_s: float = 100) -> list[Finding]:
    event = good_payday()
    for at_s, pods in wants:
        event.wants(at_s, pods)
    hidden = _drain(
        experiment="metrics-outage",
        began_ns=_at(begin_s),
        ended_ns=_at(begin_s + 60),
        victims=("part/prometheus",),
        facts={"blind_after_s": 10.0},
    )
    case: EventCase = event.build(strikes=(hidden,))
    return [finding for finding in judge_event(case) if finding.claim == _NAME]


def test_an_autoscaler_that_sees_nothing_and_holds_its_size() -> None:
    borne, held = _blind(())
    assert (borne.verdict, held.verdict) == (Verdict.PASS, Verdict.PASS)
    assert held.data["had"] == held.data["least"] > 2


def test_an_autoscaler_that_takes_what_it_does_not_see_for_no_load() -> None:
    _, held = _blind(((125, 2), (138, 6)))
    assert (held.verdict, held.data["least"]) == (Verdict.FAIL, 2)
    assert "took what it did not see for no load" in held.reason


def test_a_blind_one_may_follow_a_load_that_falls() -> None:
    _, held = _blind(((168, 4), (172, 2)), begin_s=140)  # payday falls from 160 to 200
    assert held.verdict is Verdict.FAIL
    _, held = _blind(((196, 4), (200, 2)), begin_s=140)
    assert held.verdict is Verdict.PASS, held.reason


def test_what_it_did_before_the_fault_is_not_judged() -> None:
    _, held = _blind(((90, 2), (95, 6)))
    assert held.verdict is Verdict.PASS


def test_it_may_shrink_before_anybody_notices_that_it_is_blind() -> None:
    _, held = _blind(((104, 2), (106, 6)))
    assert held.verdict is Verdict.FAIL


def test_what_it_does_once_it_sees_again_is_not_laid_to_blindness() -> None:
    ended = good_payday().at(140, "fault.end", "part/prometheus", source=Source.CHAOS).wants(145, 3).wants(146, 6)
    hidden = _drain(experiment="metrics-outage", victims=("part/prometheus",), facts={"blind_after_s": 5.0})
    found = [
        one for one in judge_event(ended.build(strikes=(replace(hidden, ended_ns=_at(150)),))) if one.claim == _NAME
    ]
    assert (found[1].verdict, found[1].data["telling_s"]) == (Verdict.PASS, 35)


def test_blind_for_too_short_a_time_shows_nothing() -> None:
    _, held = _blind((), begin_s=130)  # the load falls from 160 s on, and needs no more than the least from 190 s on
    assert held.verdict is Verdict.PASS
    _, held = _blind((), begin_s=160)
    assert held.verdict is Verdict.INCONCLUSIVE


def test_a_blind_one_at_its_least_shows_nothing() -> None:
    found = EventBuilder().build(strikes=(_drain(facts={"blind_after_s": 5.0}),))
    verdicts = [finding.verdict for finding in judge_event(found) if finding.claim == _NAME]
    assert verdicts == [Verdict.PASS, Verdict.INCONCLUSIVE]
