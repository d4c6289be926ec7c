"""Parts come up as soon as what they need stands, and the first that fails ends the start."""

from __future__ import annotations

import threading

import pytest

from shiftproof.errors import LabError
from shiftproof.lab.parts import Part, Progress, bring_up
from shiftproof.lab.supervisor import PartFailed


def test_each_starts_after_all_that_it_needs() -> None:
    order: list[str] = []

    def part(name: str, *needs: str) -> Part:
        return Part(name, lambda: order.append(name), needs)

    bring_up([part("d", "b", "c"), part("b", "a"), part("c", "a"), part("a")], lambda _: None)
    assert order[0] == "a"
    assert sorted(order[1:3]) == ["b", "c"]
    assert order[3] == "d"


def test_those_that_do_not_need_each_other_start_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=60)

    def meet() -> None:
        both.wait()

    bring_up([Part("a", meet), Part("b", meet)], lambda _: None)
    assert not both.broken


def test_progress_is_told_for_each() -> None:
    told: list[Progress] = []
    bring_up([Part("a", lambda: None)], told.append)
    assert [(step.part, step.state) for step in told] == [("a", "starting"), ("a", "ready")]


def test_the_failure_names_its_part_and_what_needs_it_never_starts() -> None:
    started: list[str] = []

    def fail() -> None:
        raise LabError("no such luck")

    with pytest.raises(PartFailed, match="etcd did not start: no such luck") as raised:
        bring_up(
            [Part("etcd", fail), Part("apiserver", lambda: started.append("apiserver"), ("etcd",))], lambda _: None
        )
    assert raised.value.part == "etcd"
    assert started == []


def test_a_mistake_of_our_own_is_not_called_a_failed_part() -> None:
    def wrong() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        bring_up([Part("a", wrong)], lambda _: None)


def test_giving_up_while_parts_wait() -> None:
    release = threading.Event()

    def give_up() -> None:
        raise BrokenPipeError

    def wait() -> None:
        release.wait(60)

    with pytest.raises(BrokenPipeError):
        bring_up([Part("slow", wait)], lambda _: None, tick=give_up)
    release.set()


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([Part("a", lambda: None, ("b",)), Part("b", lambda: None, ("a",))], id="a circle"),
        pytest.param([Part("a", lambda: None, ("nowhere",))], id="a need that is not there"),
    ],
)
def test_parts_that_can_never_start_are_refused(parts: list[Part]) -> None:
    with pytest.raises(ValueError, match="can never start: a"):
        bring_up(parts, lambda _: None)
