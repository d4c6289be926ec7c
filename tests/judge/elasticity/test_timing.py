"""Time to capacity, and the stages that it is made of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shiftproof.judge.elasticity.steps import Steps
from shiftproof.judge.elasticity.timing import PodStart, Stage, TimeToCapacity, time_to_capacity

S = 1_000_000_000
CROSSED_NS = 100 * S
LAST = PodStart(
    "pod/new-2", ready_ns=170 * S, scheduled_ns=165 * S, refused_ns=118 * S, launched_ns=121 * S
)  # 4 s of metric, 12 of decision, 2 to be refused, 3 until its machine started, 44 to boot, 5 to be ready
EARLIER = PodStart("pod/new-1", ready_ns=120 * S, scheduled_ns=117 * S)


def seconds(*changes: tuple[int, int]) -> Steps:
    return Steps.of([(t_s * S, value) for t_s, value in changes])


READY = seconds((0, 3), (120, 4), (170, 5))
WANTED = seconds((0, 3), (110, 4), (116, 5))


def timed(needed: int = 5, observed_s: int | None = 104, last: PodStart = LAST) -> TimeToCapacity:
    observed_ns = None if observed_s is None else observed_s * S
    return time_to_capacity(CROSSED_NS, needed, READY, WANTED, observed_ns, (last, EARLIER))


def test_it_follows_the_pod_that_completed_the_supply() -> None:
    found = timed()
    assert (found.seconds, found.last) == (70.0, "pod/new-2")
    assert list(found.stages.items()) == [
        (Stage.METRIC, 4.0),
        (Stage.DECISION, 12.0),
        (Stage.SCHEDULING, 2.0),
        (Stage.NODE, 3.0),
        (Stage.BOOT, 44.0),
        (Stage.READY, 5.0),
    ]


def test_a_pod_that_found_a_place_waited_for_no_node() -> None:
    found = timed(needed=4)
    assert (found.seconds, found.last) == (20.0, "pod/new-1")
    assert (found.stages[Stage.NODE], found.stages[Stage.BOOT]) == (0.0, 0.0)
    assert found.stages[Stage.SCHEDULING] == 7.0


def test_a_node_that_another_pod_had_asked_for_before_took_no_time_to_be_asked_for() -> None:
    found = timed(last=replace(LAST, launched_ns=112 * S))
    assert (found.stages[Stage.NODE], found.stages[Stage.BOOT]) == (0.0, 47.0)


@pytest.mark.parametrize("observed_s", [None, 104, 500])
def test_the_stages_add_up_whatever_was_seen(observed_s: int | None) -> None:
    for last in (LAST, replace(LAST, refused_ns=None), replace(LAST, launched_ns=None, scheduled_ns=None)):
        found = timed(observed_s=observed_s, last=last)
        assert sum(found.stages.values()) == pytest.approx(70.0)


def test_supply_that_was_there_took_no_time() -> None:
    found = timed(needed=3)
    assert (found.seconds, found.last, sum(found.stages.values())) == (0.0, None, 0.0)


def test_supply_that_never_came_has_no_time() -> None:
    found = timed(needed=6)
    assert (found.seconds, found.reached_ns, found.stages) == (None, None, {})
