"""Judges that break, drills that do not run, a clock that is set: the gate stays shut.

Each gate is whole, over a world without fault; what is broken here are the judges, the suites and the clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from fakes.gates import Gate, shut
from fakes.world import World

from shiftproof.errors import MeasureError
from shiftproof.judge import Case, registry
from shiftproof.ports import Rollout

S = 1_000_000_000


# --- the judges -------------------------------------------------------------------------------------------------------


def raising(error: BaseException) -> Callable[[Case], Any]:
    def judge(case: Case) -> Any:
        raise error

    return judge


JUDGES: dict[str, tuple[Callable[[Case], Any], str]] = {
    "raises": (raising(ZeroDivisionError("division by zero")), "stopped with ZeroDivisionError"),
    "could-not-measure": (raising(MeasureError("the metric is missing")), "the metric is missing"),
    "exits": (raising(SystemExit(0)), "stopped with SystemExit"),
    "skips": (raising(pytest.skip.Exception("not today")), "not today"),
    "finds-nothing": (lambda case: [], "found nothing to judge"),
    "returns-nothing": (lambda case: None, "stopped with TypeError"),
    "finds-what-is-no-finding": (lambda case: [True], "which is no finding"),
}


@pytest.mark.parametrize(("judge", "said"), JUDGES.values(), ids=JUDGES)
def test_a_judge_that_breaks_keeps_the_gate_shut(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, judge: Callable[[Case], Any], said: str
) -> None:
    """A team's own, whom no drill asks; that of availability is asked in the midst of drills."""
    monkeypatch.setitem(registry._REGISTRY, "a-team's-own", judge)
    shut(gate(), said)


@pytest.mark.parametrize(("judge", "said"), [JUDGES["exits"], JUDGES["skips"]], ids=["exits", "skips"])
def test_a_judge_that_breaks_in_the_midst_of_drills_keeps_the_gate_shut(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, judge: Callable[[Case], Any], said: str
) -> None:
    monkeypatch.setitem(registry._REGISTRY, "availability", judge)
    shut(gate(), said)


@pytest.mark.parametrize("name", ["customers", "sufficiency", "outage"])  # of all: test_registry.py
def test_a_claim_that_nobody_judges_keeps_the_gate_shut(gate: Gate, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delitem(registry._REGISTRY, name)
    shut(gate(), name)


# --- the drills -------------------------------------------------------------------------------------------------------


class Meddler:
    """A pytest plugin beside ours, as a team's conftest is: does something to the drills once they are collected."""

    def __init__(self, meddle: Callable[[list[pytest.Item]], None]) -> None:
        self._meddle = meddle

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self._meddle(items)


def marked(mark: pytest.MarkDecorator) -> Callable[[list[pytest.Item]], None]:
    def meddle(items: list[pytest.Item]) -> None:
        next(item for item in items if item.name == "test_deploy").add_marker(mark)

    return meddle


def hollow(items: list[pytest.Item]) -> None:
    """Drills that do nothing and pass."""
    for item in items:
        if isinstance(item, pytest.Function) and item.name == "test_deploy":
            item.obj = lambda **_: None


def hollowed(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function):
            item.obj = lambda **_: None


def exiting(items: list[pytest.Item]) -> None:
    def leave(**_: Any) -> None:
        pytest.exit("all is well", returncode=0)

    next(item for item in items if item.name == "test_deploy").obj = leave  # type: ignore[attr-defined]


def leaving(items: list[pytest.Item]) -> None:
    def leave(**_: Any) -> None:
        raise SystemExit(0)

    next(item for item in items if item.name == "test_deploy").obj = leave  # type: ignore[attr-defined]


MEDDLING: dict[str, tuple[Callable[[list[pytest.Item]], None], str]] = {
    "skipped": (marked(pytest.mark.skip(reason="flaky")), "flaky"),
    "expected-to-fail": (marked(pytest.mark.xfail(reason="flaky", run=False)), "flaky"),
    "taken-out": (lambda items: items.remove(next(i for i in items if i.name == "test_deploy")), "deploy was not run"),
    "optional-and-taken-out": (
        lambda items: items.remove(next(i for i in items if i.name == "test_rollback")),
        "rollback was not run",
    ),
    "all-taken-out": (lambda items: items.clear(), "no drill ran"),
    "hollow": (hollow, "deploy was not run"),
    "all-hollow": (hollowed, "not checked"),
    "exits": (exiting, "did not run"),
    "leaves": (leaving, "SystemExit"),
}


@pytest.mark.parametrize(("meddle", "said"), MEDDLING.values(), ids=MEDDLING)
def test_a_drill_that_did_not_do_its_work_keeps_the_gate_shut(
    gate: Gate, meddle: Callable[[list[pytest.Item]], None], said: str
) -> None:
    shut(gate(plugins=[Meddler(meddle)]), said)


# --- the clock --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step_s", [-3600, -2, 2, 3600])
def test_a_wall_clock_that_is_set_meanwhile_keeps_the_gate_shut(
    gate: Gate, world: World, monkeypatch: pytest.MonkeyPatch, step_s: int
) -> None:
    """The run's own clock does not step; what others write down by the wall clock no longer fits to it."""
    roll, wall_ns = world.cluster.roll, time.time_ns

    def meanwhile(deadline_s: float) -> Rollout:
        monkeypatch.setattr("shiftproof.gate.clock.time.time_ns", lambda: wall_ns() + step_s * S)
        return roll(deadline_s)

    world.cluster.roll = meanwhile  # type: ignore[method-assign]
    shut(gate(), "the wall clock was set")
