"""Capacity that the lab itself kept away, or may have, is laid to nobody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from fakes.rehearsals import EventWorld
from fakes.rehearsed import Rehearse, is_put_back, reasons

from shiftproof.errors import LabError
from shiftproof.model.history import Source
from shiftproof.model.verdict import Verdict
from shiftproof.rehearse.compare import doubt_of
from shiftproof.rehearse.judging import judge_scaling

TROUBLE = "the lab: node-11 (i-1) did not boot"
Ours = Callable[[Callable[[int], str | None]], None]


@pytest.fixture
def ours(world: EventWorld, monkeypatch: pytest.MonkeyPatch) -> Ours:
    """Let the world's lab answer so."""

    def answer(how: Callable[[int], str | None]) -> None:
        ordinary = world.parts
        monkeypatch.setattr(world, "parts", lambda demand: replace(ordinary(demand), ours=how))

    return answer


def test_it_is_inconclusive(rehearse: Rehearse, world: EventWorld, ours: Ours) -> None:
    world.judge, world.elastic.stuck = judge_scaling, 2
    asked_ns: list[int] = []

    def how(since_ns: int) -> str:
        asked_ns.append(since_ns)
        return TROUBLE

    ours(how)
    done = rehearse()
    assert done.result.verdict is Verdict.INCONCLUSIVE, reasons(done)
    assert f"sufficiency run INCONCLUSIVE: {TROUBLE}" in reasons(done)
    (case,) = world.judged
    assert asked_ns[0] <= case.history.phases[0].start_ns, "from before anything was asked for"
    assert doubt_of(done) == TROUBLE, "no row of a table beside others"


def test_what_was_borne_all_the_same_stands(rehearse: Rehearse, world: EventWorld, ours: Ours) -> None:
    world.judge = judge_scaling
    ours(lambda _: TROUBLE)
    done = rehearse()
    assert done.result.verdict is Verdict.PASS, reasons(done)
    assert TROUBLE not in reasons(done)
    (case,) = world.judged
    assert [one.detail for one in case.history.timeline if one.kind == "lab.trouble"] == [TROUBLE], "but it is noted"


def test_a_base_that_was_not_reached_meanwhile_is_too(rehearse: Rehearse, world: EventWorld, ours: Ours) -> None:
    world.elastic.stuck = 1
    ours(lambda _: TROUBLE)
    done = rehearse()
    assert "1 of 2 pods are ready before the event" in reasons(done)
    assert done.result.verdict is Verdict.INCONCLUSIVE, reasons(done)
    is_put_back(world)


def test_not_to_know_whether_it_did_is_no_end_of_the_verdict(rehearse: Rehearse, world: EventWorld, ours: Ours) -> None:
    world.judge, world.elastic.stuck = judge_scaling, 2

    def how(_: int) -> None:
        raise LabError("the lab does not answer")

    ours(how)
    done = rehearse()
    assert done.result.verdict is Verdict.INCONCLUSIVE
    assert "whether the lab kept capacity away is not known: the lab does not answer" in reasons(done)
    assert (done.result.run_dir / "verdict.json").exists()


def test_fixed_capacity_that_never_came_is_a_figure(rehearse: Rehearse, world: EventWorld) -> None:
    world.elastic.stuck = 1
    done = rehearse(fixed_pods=5)
    assert done.result.verdict is Verdict.INCONCLUSIVE, reasons(done)
    (found,) = [one for one in done.result.findings if "1 of 5 pods are ready" in one.reason]
    assert (found.verdict, found.data["judged"]) == (Verdict.INCONCLUSIVE, "FAIL")


def test_a_watcher_that_was_not_heard_is_a_doubt(
    rehearse: Rehearse, world: EventWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.judge = judge_scaling
    ordinary = world.parts
    heard = (Source.KUBERNETES, Source.LOAD_BALANCER)
    monkeypatch.setattr(world, "parts", lambda demand: replace(ordinary(demand), heard=heard))
    done = rehearse()
    assert done.result.verdict is Verdict.INCONCLUSIVE
    assert "nothing was heard from load-balancer" in reasons(done)
