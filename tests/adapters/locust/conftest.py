"""A load and what it is sent to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes.load_target import OPERATIONS, LoadTarget, Start, serving

from shiftproof.adapters.locust import LocustLoad, RunningLocust, child, process
from shiftproof.ports import LoadPlan


@pytest.fixture
def target() -> LoadTarget:
    """What the service does; a module may put one of its own in its place."""
    return LoadTarget()


@pytest.fixture
def service(target: LoadTarget) -> Iterator[LoadTarget]:
    """The service, on a thread of its own."""
    with serving(target) as made:
        yield made


@pytest.fixture
def plan(service: LoadTarget) -> LoadPlan:
    return LoadPlan(
        base_url=service.url,
        rate_per_s=50,
        timeout_s=2,
        in_flight_per_side=100,
        accounts_prefix="test-",
        accounts=10,
        operations=OPERATIONS,
        seed=7,
        max_seconds=60,
        anchor_ns=time.time_ns() - time.monotonic_ns(),
    )


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy with other tests may need long to start a child; none of them is about that."""
    monkeypatch.setattr(child, "FIRST_RECORD_S", 90.0)
    monkeypatch.setattr(process, "ORDER_S", 60.0)


@pytest.fixture
def start(plan: LoadPlan, tmp_path: Path) -> Iterator[Start]:
    """Start a load with changes to the plan; whatever the test does, none is left running."""
    loads: list[RunningLocust] = []

    def begin(name: str = "pairs", **changes: Any) -> RunningLocust:
        loads.append(LocustLoad().start(replace(plan, **changes), tmp_path, name))
        return loads[-1]

    yield begin
    for load in loads:
        load.stop()
        assert not load.alive()
