"""A load event by a master and its workers, on real sockets."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from fakes.load_target import LoadTarget, until

from shiftproof.adapters.locust import event, process
from shiftproof.adapters.locust.event import (
    LocustEventLoad,
    Lost,
    RunningEvent,
    describe,
    describe_all,
    start_event,
)
from shiftproof.errors import LoadError, UserError
from shiftproof.model.demand import Demand
from shiftproof.model.event import Failure, Side
from shiftproof.model.load_event import Hold, Ramp
from shiftproof.ports import EventPlan, LoadPlan

pytestmark = pytest.mark.component

PROFILE = """
from shiftproof.load.shape import RateShape
from shiftproof.model.load_event import Hold, Ramp

class Rise(RateShape):
    title = "A small rise"
    begin = 0.5
    pieces = (Hold(1, really_s=60), Ramp(1.0, 1), Hold(1))
"""
HURRIED = """
import logging, sys
from shiftproof.load.event import master

logging.basicConfig(level=logging.INFO)
master.TAKEN_WITHIN_S = 1.0
sys.exit(master.main())
"""
DEAF = """
import os, sys
from shiftproof.load.event import worker

try:
    os.unlink("FILE")
    worker._Worker._part = lambda self, **_: None
except FileNotFoundError:
    pass
sys.exit(worker.main())
"""
RISE = Demand.of([(0, 20), (1, 20), (2, 40), (3, 40)])
Begin = Callable[..., RunningEvent]


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    path = tmp_path / "rise.py"
    path.write_text(PROFILE)
    return path


@pytest.fixture
def begin(plan: LoadPlan, profile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Begin]:
    """Start the event half a second from now; whatever the test does, none of it is left running."""
    monkeypatch.setattr(event, "LISTENS_WITHIN_S", 90.0)
    monkeypatch.setattr(process, "ORDER_S", 60.0)
    events: list[RunningEvent] = []

    def start(demand: Demand = RISE, workers: int = 2) -> RunningEvent:
        points = tuple(zip(demand.times_s, demand.rates_per_s, strict=True))
        running = start_event(EventPlan(plan, points, str(profile), workers), tmp_path)
        events.append(running)
        running.begin(plan.anchor_ns + time.monotonic_ns() + 500_000_000)
        return running

    yield start
    for running in events:
        running.stop()
        assert not running.alive()


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_send_the_event_between_them_on_one_clock(service: LoadTarget, begin: Begin, workers: int) -> None:
    running = begin(workers=workers)
    until(lambda: not running.alive(), "the event's end")
    report, events = running.stop(), np.sort(running.new_events(), order="pair")
    assert (report.problem, report.finished) == (None, True)
    assert events["pair"].tolist() == list(range(round(RISE.requests)))
    assert report.scheduled == report.recorded == report.locust_requests == len(events)
    assert set(events["side"]) == {Side.EXTRA_CLUSTER}
    assert (events["failure"] == Failure.NONE).all()
    due = (events["intended_ns"] - events["intended_ns"][0]) / 1e9
    assert due == pytest.approx([RISE.due_s(number) for number in range(len(events))], abs=1e-6)
    assert len(service.of("cluster")) == len(events)
    assert {running.servers()[index] for index in set(events["served_by"])} == {service.server_of(service.arrivals[0])}
    assert running.lost() == ()


def test_what_a_lost_worker_had_to_send_is_named_and_sent_by_nobody(service: LoadTarget, begin: Begin) -> None:
    running = begin(Demand.of([(0, 20), (20, 20)]))
    until(lambda: len(service.arrivals) > 20, "20 arrivals")
    os.kill(running.worker_pids[0], signal.SIGKILL)
    until(lambda: not running.alive(), "the event's end")
    report = running.stop()
    (lost,) = running.lost()
    assert lost == Lost(lost.part, 2, 0.5)
    assert not report.finished
    assert report.problem == f"load worker {lost.part + 1} of 2 was lost, and 50% of the event's load from then on"
    parts = running.new_events()["pair"] % 2
    assert (parts == lost.part).sum() < 150 < (parts != lost.part).sum() == 200


@pytest.fixture
def own_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A master that is in a hurry and says what Locust says; of the workers, the first that finds a file is deaf."""
    (tmp_path / "hurried_master.py").write_text(HURRIED)
    (tmp_path / "deaf_worker.py").write_text(DEAF.replace("FILE", str(tmp_path / "deaf")))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(event, "MASTER", "hurried_master")
    monkeypatch.setattr(event, "WORKER", "deaf_worker")


def test_a_worker_that_takes_no_part_is_named_before_anything_begins(
    plan: LoadPlan, profile: Path, tmp_path: Path, service: LoadTarget, own_processes: None
) -> None:
    (tmp_path / "deaf").touch()
    with pytest.raises(LoadError, match=r"load worker [12] of 2 \(\S+\) took no part of the event within 1 s"):
        start_event(EventPlan(plan, ((0, 20), (1, 20)), str(profile), 2), tmp_path)
    assert service.arrivals == []


def test_a_worker_that_is_lost_before_the_event_is_named_and_nothing_begins(
    plan: LoadPlan, profile: Path, tmp_path: Path, service: LoadTarget, own_processes: None
) -> None:
    running = start_event(EventPlan(plan, ((0, 20), (1, 20)), str(profile), 2), tmp_path)
    try:
        os.kill(running.worker_pids[0], signal.SIGKILL)
        until(lambda: "setting state to missing" in (tmp_path / "load-event.log").read_text(), "Locust's notice of it")
        with pytest.raises(LoadError, match=r"load worker [12] of 2 \(\S+\) was lost before the event began"):
            running.begin(plan.anchor_ns + time.monotonic_ns() + 500_000_000)
    finally:
        running.stop()
    assert service.arrivals == []


def test_told_to_stop_before_it_began_it_ends_at_once(
    plan: LoadPlan, profile: Path, tmp_path: Path, service: LoadTarget
) -> None:
    report = start_event(EventPlan(plan, ((0, 20), (1, 20)), str(profile), 2), tmp_path).stop()
    assert (report.problem, report.recorded, service.arrivals) == (None, 0, [])


def test_told_to_stop_it_sends_nothing_more_and_accounts_for_all_it_sent(service: LoadTarget, begin: Begin) -> None:
    running = begin(Demand.of([(0, 20), (60, 20)]))
    until(lambda: len(service.arrivals) > 20, "20 arrivals")
    report = running.stop()
    assert (report.problem, report.finished) == (None, True)
    assert 20 < report.recorded == len(service.arrivals) < 400


def test_when_the_master_dies_its_workers_end(service: LoadTarget, begin: Begin) -> None:
    running = begin(Demand.of([(0, 20), (60, 20)]))
    until(lambda: len(service.arrivals) > 20, "20 arrivals")
    os.kill(running._master.pid, signal.SIGKILL)
    report = running.stop()
    assert (report.problem, report.finished) == ("the load was killed by SIGKILL", False)
    for pid in running.worker_pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_profile_is_described(profile: Path) -> None:
    found = describe(profile)
    assert (found.name, found.title, found.begin) == ("rise", "A small rise", 0.5)
    assert found.pieces == (Hold(1, really_s=60), Ramp(1.0, 1), Hold(1))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x = (", r"rise.py:1: SyntaxError"),
        ("\nimport nowhere", r"rise.py:2: ModuleNotFoundError"),
        ("", r"one RateShape is wanted in a load profile, this has 0"),
        (PROFILE.replace("begin = 0.5", ""), r"Rise: .*begin"),
        (PROFILE.replace("Hold(1)", "Hold(1, really_s=0.5)"), r"does not lengthen"),
    ],
)
def test_what_is_wrong_with_a_profile_is_said_with_its_place(profile: Path, text: str, problem: str) -> None:
    profile.write_text(text)
    with pytest.raises(UserError, match=problem):
        describe(profile)


def test_several_profiles_are_described_at_once_in_their_order(profile: Path, tmp_path: Path) -> None:
    noisy, broken = tmp_path / "all_day.py", tmp_path / "broken.py"
    noisy.write_text("print('event: {}')".replace("event: ", "says ") + PROFILE)
    broken.write_text("x = (")
    first, second, third = describe_all([broken, noisy, profile])
    assert first.event is None
    assert "broken.py:1: SyntaxError" in str(first.problem)
    assert [one.event.name for one in (second, third) if one.event is not None] == ["all-day", "rise"]


def test_a_machine_says_how_much_it_can_send(plan: LoadPlan, profile: Path) -> None:
    """A worker sends hundreds a second anywhere."""
    assert LocustEventLoad().sends_per_s(EventPlan(plan, ((0, 1), (1, 1)), str(profile), 1)) > 50


def test_twice_the_workers_send_twice_as_much_up_to_the_machines_cores(
    plan: LoadPlan, profile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event, "_cpu_s_a_request", lambda _: 0.002)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    load = LocustEventLoad()
    rates = [load.sends_per_s(EventPlan(plan, ((0, 1), (1, 1)), str(profile), workers)) for workers in (1, 2, 64)]
    assert rates == [event.FULL_SHARE / 0.002 * cores for cores in (1, 2, 4)]


def test_a_profile_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no such load profile"):
        describe(tmp_path / "nowhere.py")
