"""A rehearsal whose load is not as planned says nothing against the service."""

from __future__ import annotations

from dataclasses import replace

from fakes.rehearsals import EventWorld, FakeLost
from fakes.rehearsed import Rehearse, is_put_back, reasons

from shiftproof.model.event import Side
from shiftproof.model.verdict import Verdict
from shiftproof.rehearse.judging import judge_scaling


def test_no_load_is_inconclusive_though_no_pod_came(rehearse: Rehearse, world: EventWorld) -> None:
    world.judge = judge_scaling
    world.event_load.change = lambda event: replace(event, silent=True)
    done = rehearse()
    assert done.result.verdict is Verdict.INCONCLUSIVE, reasons(done)
    assert "no request of the event was recorded" in reasons(done)
    (capacity,) = [finding for finding in done.result.findings if finding.claim == "time-to-capacity"]
    assert (capacity.verdict, capacity.data["judged"]) == (Verdict.INCONCLUSIVE, "FAIL")
    assert "The load was not as planned, so this is laid to nobody: no request" in capacity.reason


def test_a_load_that_does_not_start_is_inconclusive(rehearse: Rehearse, world: EventWorld) -> None:
    world.event_load.refusal = "1 of 2 load workers came within 60 s"
    done = rehearse()
    assert done.result.verdict is Verdict.INCONCLUSIVE
    assert "1 of 2 load workers came" in reasons(done)
    is_put_back(world)


def test_a_lost_worker_is_inconclusive_and_its_share_is_named(rehearse: Rehearse, world: EventWorld) -> None:
    world.judge = judge_scaling
    world.event_load.change = lambda event: replace(event, parts_lost=(FakeLost(0.5),))
    done = rehearse()
    assert done.result.verdict is Verdict.INCONCLUSIVE, reasons(done)
    assert world.judged[0].lost_share == 0.5
    assert "50% of the event's load" in reasons(done)
    judged = [finding for finding in done.result.findings if finding.data.get("judged") == "FAIL"]
    assert "time-to-capacity" in {finding.claim for finding in judged}  # pods for half of the plan never came
    assert all("50% of the event's load" in finding.reason for finding in judged)


def test_a_load_that_dies_on_the_way_is_not_judged(rehearse: Rehearse, world: EventWorld) -> None:
    world.elastic.stuck = 2  # which would FAIL
    world.event_load.change = lambda event: replace(event, dies_after_s=3.0)
    done = rehearse()
    assert done.result.verdict is Verdict.INCONCLUSIVE
    assert "the event's load ended before the event did" in reasons(done)
    assert not world.judged
    is_put_back(world)


def test_a_load_with_another_clock_is_inconclusive(rehearse: Rehearse, world: EventWorld) -> None:
    world.event_load.change = lambda event: replace(event, early_ns=3_000_000_000)
    done = rehearse()
    assert done.result.verdict is Verdict.INCONCLUSIVE
    assert "its clock is not the run's" in reasons(done)


def test_events_requests_that_the_load_balancer_never_saw_are_noticed(rehearse: Rehearse, world: EventWorld) -> None:
    world.access_log.lost = lambda pair, side: side is Side.EXTRA_CLUSTER
    rehearse()
    (case,) = world.judged
    assert not case.history.logged
    gap = next(one for one in case.history.timeline if one.subject == "watcher/access-log")
    assert "the load balancer's log knows 0 of" in gap.detail


def test_pairs_that_the_load_balancer_never_saw_do_not_hide_behind_the_event(
    rehearse: Rehearse, world: EventWorld
) -> None:
    world.access_log.lost = lambda pair, side: side is not Side.EXTRA_CLUSTER
    rehearse()
    assert not world.judged[0].history.logged
