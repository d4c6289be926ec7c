"""What a misbehaving service makes of the load: each failure counted once, under its own name, on its own side."""

from __future__ import annotations

import os
import signal
import socket
import time
from typing import Any

import numpy as np
import pytest
from fakes.load_target import LoadTarget, Start, until

from shiftproof.model.event import Events, Failure, Side, no_events

pytestmark = pytest.mark.component
LIST = ({"name": "list", "method": "GET", "path": "/accounts/{account}/payments"},)


class Seen:
    """Events of a running load, gathered."""

    def __init__(self, load: Any) -> None:
        self._load = load
        self._parts = [no_events()]

    def all(self) -> Events:
        self._parts.append(self._load.new_events())
        return np.concatenate(self._parts)

    def of(self, side: Side) -> Events:
        events = self.all()
        of_side: Events = events[events["side"] == side]
        return of_side

    def failed(self, side: Side) -> Events:
        events = self.of(side)
        failed: Events = events[events["failure"] != Failure.NONE]
        return failed


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_one_reset_is_one_arrival_and_one_failure(service: LoadTarget, start: Start, method: str) -> None:
    operation: dict[str, Any] = {
        "name": "touch",
        "method": method,
        "path": "/accounts/{account}/payments",
        "expect_status": [200, 201],
    }
    if method == "POST":
        operation["body"] = {"account": "{account}"}
    load = start(operations=[operation], timeout_s=30)  # nothing but the reset may fail, on a slow day either
    seen = Seen(load)
    until(lambda: len(service.of("cluster")) >= 20, "kept connections")
    service.next_modes["cluster"] = "reset"
    until(lambda: len(seen.failed(Side.CLUSTER)) >= 1, "the reset")
    until(lambda: len(seen.all()) > 100, "more")
    report = load.stop()
    failed = seen.failed(Side.CLUSTER)
    assert failed["failure"].tolist() == [Failure.RESET]
    assert failed["status"].tolist() == [0]
    ids = [arrival.headers["x-shiftproof-id"] for arrival in service.arrivals]
    assert ids.count(f"{failed['pair'][0]}-1") == 1
    assert len(ids) == len(set(ids)) == report.recorded
    assert report.locust_failures == 1
    assert report.problem is None


@pytest.mark.parametrize(
    ("mode", "failure", "status"),
    [
        ("status", Failure.STATUS, 503),
        ("wrong-body", Failure.BODY, 201),
        ("reset", Failure.RESET, 0),
        ("half", Failure.RESET, 0),
    ],
)
def test_failures_have_names_and_stay_on_their_side(
    service: LoadTarget, start: Start, mode: str, failure: Failure, status: int
) -> None:
    service.modes["cluster"] = mode
    load = start()
    seen = Seen(load)
    until(lambda: len(seen.failed(Side.CLUSTER)) >= 20, "20 failures")
    report = load.stop()
    failed = seen.failed(Side.CLUSTER)
    assert set(failed["failure"]) == {failure}
    assert set(failed["status"]) == {status}
    assert len(seen.failed(Side.LEGACY)) == 0
    assert report.locust_failures == len(failed)
    assert report.problem is None


def test_a_server_that_trickles_is_timed_out_in_total(service: LoadTarget, start: Start) -> None:
    service.modes["cluster"] = "trickle"  # a byte each 100 ms: every single read is in time, the answer never is
    load = start(rate_per_s=20, timeout_s=1)
    seen = Seen(load)
    until(lambda: len(seen.failed(Side.CLUSTER)) >= 5, "5 time-outs")
    load.stop()
    failed = seen.failed(Side.CLUSTER)
    assert set(failed["failure"]) == {Failure.TIMEOUT}
    took_s = (failed["ended_ns"] - failed["sent_ns"]) / 1e9
    assert took_s.min() >= 0.99
    assert np.median(took_s) < 2.5  # the answer would have taken 10 s and more
    assert len(seen.failed(Side.LEGACY)) == 0


def test_the_loop_stays_open_while_a_side_stalls_and_a_full_cap_fails_that_side_alone(
    service: LoadTarget, start: Start
) -> None:
    service.modes["cluster"] = "stall"
    load = start(in_flight_per_side=10, operations=LIST)
    seen = Seen(load)
    until(lambda: (seen.of(Side.CLUSTER)["failure"] == Failure.NOT_SENT).sum() >= 50, "50 not sent")
    until(lambda: (seen.of(Side.CLUSTER)["failure"] == Failure.TIMEOUT).sum() >= 10, "10 time-outs")
    report = load.stop()
    cluster, legacy = seen.of(Side.CLUSTER), seen.of(Side.LEGACY)
    assert len(seen.failed(Side.LEGACY)) == 0
    assert np.array_equal(np.sort(cluster["pair"]), np.sort(legacy["pair"]))  # none is missing: failed, not silent
    assert len(service.of("cluster")) == (cluster["failure"] == Failure.TIMEOUT).sum()
    assert report.problem is None
    assert report.locust_requests == len(cluster) + len(legacy)


def test_a_service_that_refuses_is_told_apart(start: Start, service: LoadTarget) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
        load = start(base_url=nobody, operations=LIST)
        seen = Seen(load)
        until(lambda: len(seen.all()) >= 20, "20 events")
        report = load.stop()
    assert set(seen.all()["failure"]) == {Failure.REFUSED}
    assert report.locust_failures == report.locust_requests


def test_connections_that_the_server_closed_while_idle_cost_no_request(service: LoadTarget, start: Start) -> None:
    service.modes.update(legacy="close-idle", cluster="close-idle")  # each closed right after its answer, unannounced
    # Seldom enough that the news of the close is there before the next request, on a slow machine, too.
    load = start(rate_per_s=8, operations=LIST)
    seen = Seen(load)
    until(lambda: len(seen.all()) >= 100, "100 events")
    load.stop()
    assert set(seen.all()["failure"]) == {Failure.NONE}
    assert service.connections >= 90  # it did have to open new ones


def test_a_pause_of_the_load_itself_shows_as_lateness(service: LoadTarget, start: Start) -> None:
    load = start(operations=LIST)
    seen = Seen(load)
    until(lambda: len(seen.all()) >= 20, "20 events")
    os.kill(load.pid, signal.SIGSTOP)
    time.sleep(0.5)
    os.kill(load.pid, signal.SIGCONT)
    before = len(seen.all())
    until(lambda: len(seen.all()) >= before + 40, "events after the pause")
    report = load.stop()
    events = seen.all()
    late = int((events["sent_ns"] - events["intended_ns"] > 20_000_000).sum())
    assert report.late == late >= 20  # half a second of pairs was due meanwhile, and none was left out
    pairs = np.sort(events[events["side"] == Side.LEGACY]["pair"])
    assert np.array_equal(pairs, np.arange(len(pairs)))
