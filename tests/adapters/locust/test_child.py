"""The load's process: every way it can end, and what the gate is told of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes.load_target import LoadTarget, Start, until

from shiftproof.adapters.customers import CustomersLoad
from shiftproof.adapters.locust import LocustLoad, read_events
from shiftproof.errors import LoadError
from shiftproof.model.event import EVENT_DTYPE, Failure, Side
from shiftproof.ports import LoadPlan

pytestmark = pytest.mark.component


def test_a_killed_child_is_not_finished_and_its_events_can_be_read(service: LoadTarget, start: Start) -> None:
    load = start()
    until(lambda: len(service.arrivals) >= 60, "60 arrivals")
    assert load.alive()
    os.kill(load.pid, signal.SIGKILL)
    until(lambda: not load.alive(), "its end")
    report = load.stop()
    assert not report.finished
    assert report.problem == "the load was killed by SIGKILL"
    events = load.new_events()
    assert len(events) == report.recorded >= 20
    assert (events["failure"] == Failure.NONE).all()
    with pytest.raises(LoadError, match="killed by SIGKILL"):
        load.triples(True)
    load.triples(False)
    assert load.stop() == report


def test_a_file_cut_short_is_a_problem_and_no_data(service: LoadTarget, start: Start) -> None:
    load = start()
    until(lambda: len(service.arrivals) >= 40, "40 arrivals")
    os.kill(load.pid, signal.SIGTERM)
    until(lambda: not load.alive(), "its end")
    with load.events_path.open("r+b") as file:
        file.truncate(load.events_path.stat().st_size - 7)
    report = load.stop()
    assert report.problem is not None
    assert not report.finished
    with pytest.raises(LoadError, match="cut short"):
        read_events(load.events_path, operations=3, servers=9)


def test_records_that_are_missing_are_noticed(service: LoadTarget, start: Start) -> None:
    load = start()
    until(lambda: load.events_path.stat().st_size > 40 * EVENT_DTYPE.itemsize, "40 records")
    os.kill(load.pid, signal.SIGSTOP)  # so that it writes nothing more until its file was tampered with
    tampered = load.events_path.stat().st_size - 3 * EVENT_DTYPE.itemsize
    os.truncate(load.events_path, tampered)
    os.kill(load.pid, signal.SIGCONT)
    report = load.stop()
    assert report.problem is not None
    assert "missing from the record" in report.problem
    assert report.recorded == report.locust_requests - 3


def test_a_file_that_shrinks_while_it_is_read_is_noticed_at_once(service: LoadTarget, start: Start) -> None:
    load = start()
    until(lambda: load.events_path.stat().st_size > 40 * EVENT_DTYPE.itemsize, "40 records")
    os.kill(load.pid, signal.SIGSTOP)
    assert len(load.new_events()) >= 40
    os.truncate(load.events_path, EVENT_DTYPE.itemsize)
    with pytest.raises(LoadError, match="cut short"):
        load.new_events()
    load.events_path.unlink()
    with pytest.raises(LoadError, match="are gone"):
        load.new_events()
    os.kill(load.pid, signal.SIGCONT)


@pytest.mark.parametrize(
    "told",
    ["", "{", "[]", "{}", '{"reason": "told", "problem": null}', "null", b"\xff\xfe".decode("latin-1")],
    ids=["empty", "half", "list", "nothing", "no-figures", "null", "no-text"],
)
def test_an_account_that_cannot_be_understood_is_none(
    service: LoadTarget, start: Start, tmp_path: Path, told: str
) -> None:
    load = start()
    load._child.end(30)
    (tmp_path / "load-pairs.json").write_text(told, encoding="latin-1")
    report = load.stop()
    assert not report.finished
    assert report.problem == "the load ended, and its own account of that is missing or cannot be understood"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"scheduled": 10**6}, "missing from the record"),
        ({"recorded": 1}, "missing from the record"),
        ({"locust_requests": 10**6}, "missing from the record"),
        ({"locust_failures": 3}, "Locust counted 3 failures"),
        ({"probes": 7}, "probes are missing"),
        ({"late": "none"}, "cannot be understood"),
        ({"scheduled": True}, "cannot be understood"),
        ({"problem": "the disk is full"}, "the disk is full"),
        ({"reason": "limit"}, "longest time"),
    ],
)
def test_an_account_that_lies_is_found_out(
    service: LoadTarget, start: Start, tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    load = start()
    load._child.end(30)
    path = tmp_path / "load-pairs.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    problem = load.stop().problem
    assert problem is not None
    assert said in problem


def test_names_of_servers_that_are_gone_are_noticed(service: LoadTarget, start: Start, tmp_path: Path) -> None:
    load = start()
    until(lambda: load.events_path.stat().st_size > 40 * EVENT_DTYPE.itemsize, "40 records")
    (tmp_path / "servers-pairs.txt").unlink()
    problem = load.stop().problem
    assert problem is not None
    assert "a server without a name" in problem


def test_a_child_ended_by_a_signal_did_not_finish(service: LoadTarget, start: Start) -> None:
    load = start()
    os.kill(load.pid, signal.SIGTERM)
    until(lambda: not load.alive(), "its end")
    report = load.stop()
    assert not report.finished
    assert report.problem == "the load was told to end by a signal that was not ours"
    assert report.recorded == report.scheduled == report.locust_requests == len(service.arrivals)


def test_it_ends_itself_after_its_longest_time(service: LoadTarget, start: Start) -> None:
    load = start(max_seconds=1.0)
    until(lambda: not load.alive(), "its end")
    report = load.stop()
    assert not report.finished
    assert report.problem is not None
    assert "longest time of 1 s" in report.problem
    assert report.scheduled == len(service.arrivals) == 100  # 50 pairs a second for one second, by index


def test_it_dies_with_the_gate(service: LoadTarget, plan: LoadPlan, tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom shiftproof.adapters.locust import LocustLoad\n"
        "from shiftproof.ports import LoadPlan\n"
        f"plan = LoadPlan(**{ {name: getattr(plan, name) for name in plan.__slots__}!r})\n"
        f"load = LocustLoad().start(plan, Path({str(tmp_path)!r}), 'pairs')\n"
        "print(load.pid, flush=True)\ntime.sleep(60)\n"
    )
    gate = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert gate.stdout is not None
    with gate.stdout as said:
        pid = int(said.readline())
        assert Path(f"/proc/{pid}").exists()
        gate.kill()
        gate.wait()
    until((tmp_path / "load-pairs.json").exists, "the child's own report")
    until(lambda: _gone(pid), "the child's end")
    size = (tmp_path / "events-pairs.bin").stat().st_size
    assert size % EVENT_DTYPE.itemsize == 0
    assert size // EVENT_DTYPE.itemsize == len(service.arrivals)


def _gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"base_url": "ftp://127.0.0.1"}, "is no http or https URL"),
        ({"rate_per_s": 0.0}, "rate"),
        ({"operations": [{"name": "x", "method": "GET", "path": "/", "headers": {"A": "b\r\nC: d"}}]}, "line break"),
    ],
)
def test_a_load_that_cannot_start_says_why(
    plan: LoadPlan, tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(LoadError, match=said):
        LocustLoad().start(replace(plan, **changes), tmp_path, "pairs")  # type: ignore[arg-type]


def test_a_run_directory_that_cannot_be_written_says_so(plan: LoadPlan, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LoadError, match="could not be started"):
        LocustLoad().start(plan, tmp_path / "file", "pairs")


def test_a_load_is_in_step_with_the_run_clock(start: Start, plan: LoadPlan) -> None:
    before_ns = plan.anchor_ns + time.monotonic_ns()
    load = start()
    after_ns = plan.anchor_ns + time.monotonic_ns()
    events = load.new_events()
    assert (events["intended_ns"] > before_ns).all()
    assert (events["ended_ns"] < after_ns).all()
    assert (events["sent_ns"] >= events["intended_ns"]).all()


def test_customers_are_on_their_own_rule_and_counted_on_their_own(
    service: LoadTarget, plan: LoadPlan, tmp_path: Path
) -> None:
    as_customers = replace(plan, customers=True, accounts_prefix="cust-", jitter_share=1.0)
    customers = CustomersLoad(LocustLoad(), as_customers, tmp_path)
    assert customers.report().problem is not None  # nothing observed is no clean bill
    customers.start()
    try:
        until(lambda: customers.report().requests >= 40, "40 requests")
        service.modes["customer"] = "status"
        until(lambda: customers.report().failed >= 5, "5 failures")
        service.modes["customer"] = "ok"
        failed = customers.report().failed
        until(lambda: customers.report().requests >= 40 + 5 + failed, "good answers again")
    finally:
        customers.stop()
    report = customers.report()
    assert report.problem is None
    assert report.requests == len(service.arrivals)
    assert len(report.outages) == 1
    start_ns, end_ns, lost = report.outages[0]
    assert lost == report.failed >= 5
    assert start_ns < end_ns
    for arrival in service.arrivals:
        assert "x-shiftproof-rehearsal" not in arrival.headers
        assert "x-shiftproof-synthetic" not in arrival.headers
        assert arrival.headers["x-shiftproof-id"].endswith(f"-{int(Side.CUSTOMER)}")
        assert b"test-" not in arrival.body
    events = read_events(tmp_path / "events-customers.bin", operations=3, servers=2)
    assert set(events["side"]) == {Side.CUSTOMER}
    assert np.diff(events["intended_ns"]).std() > 1_000_000  # customers do not come on the beat


def test_an_observer_that_stood_still_is_a_problem(service: LoadTarget, plan: LoadPlan, tmp_path: Path) -> None:
    """It makes up for what it missed, so its requests are all there: late, when all was well again."""
    customers = CustomersLoad(LocustLoad(), replace(plan, customers=True), tmp_path)
    customers.start()
    try:
        until(lambda: customers.report().requests >= 10, "10 requests")
        before = customers.report().requests
        os.kill(customers._running.pid, signal.SIGSTOP)  # type: ignore[union-attr]
        time.sleep(1)  # long enough for 50 requests to be due
        os.kill(customers._running.pid, signal.SIGCONT)  # type: ignore[union-attr]
        until(lambda: customers.report().requests >= before + 60, "those that were due meanwhile")
    finally:
        customers.stop()
    problem = customers.report().problem
    assert problem is not None
    assert "it stood still meanwhile" in problem


def test_customers_that_die_are_a_problem(service: LoadTarget, plan: LoadPlan, tmp_path: Path) -> None:
    customers = CustomersLoad(LocustLoad(), replace(plan, customers=True, max_seconds=0.5), tmp_path)
    customers.start()
    until(lambda: customers.report().problem is not None, "the end")
    assert customers.report().problem == "the customers' load died"
    customers.stop()
    problem = customers.report().problem
    assert problem is not None
    assert "ended by itself" in problem
