"""Our own load, changed by a drill: paused, raised, and lowered at once when that does harm."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fakes.world import World

from shiftproof.errors import LoadError
from shiftproof.gate.loading import Raised
from shiftproof.gate.outcome import Outcome
from shiftproof.model.event import EVENT_DTYPE, EXTRA, Events, Failure, Side
from shiftproof.model.history import CustomersReport
from shiftproof.model.verdict import Finding, Verdict

Gate = Any
PARTS = ("-k", "steady or quiet or capacity")


def found(outcome: Outcome, claim: str, phase: str) -> Finding:
    assert outcome.error is None
    assert outcome.result is not None
    mine = [f for f in outcome.result.findings if (f.claim, f.phase) == (claim, phase)]
    return max(mine, key=lambda finding: finding.verdict.rank)


def test_a_quiet_spell_and_the_peak_of_a_sound_service_pass(gate: Gate) -> None:
    outcome = gate(*PARTS)
    for claim, phase in (("availability", "quiet"), ("sufficiency", "quiet"), ("capacity", "capacity")):
        assert found(outcome, claim, phase).verdict is Verdict.PASS, found(outcome, claim, phase)
    assert outcome.case is not None
    quiet = next(phase for phase in outcome.case.history.phases if phase.name == "quiet")
    inside = outcome.case.pairs.intended_ns[outcome.case.pairs.rows(1)]
    assert float(np.diff(inside, prepend=quiet.start_ns).max()) / 1e9 > 0.95 * quiet.facts["quiet_s"]


def test_kept_connections_that_are_dead_after_the_quiet_spell_fail_and_end_the_run(gate: Gate, world: World) -> None:
    kept = iter(range(30))

    def fails(side: Side, _: int) -> bool:
        return side is Side.CLUSTER and world.running.delayed_ns > 0 and next(kept, None) is not None

    world.running.fails = fails
    outcome = gate()
    assert outcome.exit_code == 1
    assert found(outcome, "availability", "quiet").verdict is Verdict.FAIL
    assert outcome.result is not None
    # Decided while it goes on or, on a slow machine, a moment later; no later drill is tried.
    assert [row.name for row in outcome.result.phases][-1] in ("quiet", "capacity")


def test_a_pause_that_is_none_cannot_pass(gate: Gate, world: World) -> None:
    world.running.restless = True
    outcome = gate(*PARTS)
    assert found(outcome, "sufficiency", "quiet").verdict is Verdict.INCONCLUSIVE


def test_extra_load_that_is_not_sent_proves_no_capacity(gate: Gate, world: World) -> None:
    world.running.weak = True
    outcome = gate(*PARTS)
    assert found(outcome, "capacity", "capacity").verdict is Verdict.INCONCLUSIVE


def test_an_old_side_that_cannot_take_everything_back_fails_by_capacity(gate: Gate, world: World) -> None:
    world.running.fails = lambda side, _: side is Side.EXTRA_LEGACY
    outcome = gate()
    assert outcome.exit_code == 1
    capacity = found(outcome, "capacity", "capacity")
    assert capacity.verdict is Verdict.FAIL
    assert capacity.data["stopped"] is not None  # and the load was lowered at once


def test_a_load_that_takes_no_orders_is_no_fault_of_the_service(gate: Gate, world: World, monkeypatch: Any) -> None:
    def refuse(*_: Any) -> None:
        raise LoadError("the load takes no orders")

    monkeypatch.setattr(world.running, "pause", refuse)
    assert gate(*PARTS).exit_code == 2


class FakeMonitor:
    """`failed` of 100 requests failed, all of them at `ended_ns`."""

    def __init__(self, failed: int, ended_ns: int = 0) -> None:
        self.events = np.zeros(100, EVENT_DTYPE)
        self.events["side"] = EXTRA[Side.LEGACY]
        self.events["failure"][:failed] = Failure.STATUS
        self.events["ended_ns"] = ended_ns

    def events_since(self, since_ns: int) -> Events:
        return self.events[self.events["ended_ns"] >= since_ns]


class FakeOrders:
    def __init__(self) -> None:
        self.given: list[float] = []

    def boost(self, side: Side, rate_per_s: float) -> None:
        assert side is Side.LEGACY
        self.given.append(rate_per_s)


class FakeClock:
    def __init__(self) -> None:
        self.ns = 0

    def now_ns(self) -> int:
        return self.ns


def raise_load(world: World, monitor: FakeMonitor, waits_s: float = 0.0) -> tuple[Raised, list[float], FakeClock]:
    orders, clock = FakeOrders(), FakeClock()
    fakes: dict[str, Any] = {"load": orders, "monitor": monitor, "customers": world.customers, "clock": clock}
    raised = Raised(**fakes, side=Side.LEGACY, extra_per_s=50, unacceptable=0.1, waits_s=waits_s)
    raised.start()
    return raised, orders.given, clock


@pytest.mark.parametrize(
    ("customers_failed", "side_failed", "lowered"), [(0, 0, False), (1, 9, False), (2, 0, True), (0, 40, True)]
)
def test_load_is_lowered_once_when_customers_suffer_or_the_side_clearly_fails(
    customers_failed: int, side_failed: int, lowered: bool
) -> None:
    world = World()
    world.customers.answer = CustomersReport(1000, 7)
    raised, orders, _ = raise_load(world, FakeMonitor(side_failed))
    world.customers.answer = replace(world.customers.answer, failed=7 + customers_failed)
    for _ in range(3):
        raised.look()
    assert orders == ([50, 0] if lowered else [50])
    assert (raised.stopped is not None) is lowered


def test_in_a_crash_load_rises_once_what_was_broken_serves_again() -> None:
    """What the crash itself costs, customers included, does not lower it."""
    world = World()
    raised, orders, clock = raise_load(world, FakeMonitor(40, ended_ns=3_000_000_000), waits_s=8)
    for clock.ns in (1_000_000_000, 3_900_000_000):
        raised.look()
    assert orders == []
    world.customers.answer = replace(world.customers.answer, failed=world.customers.answer.failed + 5)
    for clock.ns in (4_000_000_000, 5_000_000_000):
        raised.look()
    assert orders == [50]
    assert raised.since_ns == 4_000_000_000
    assert raised.stopped is None


def test_in_a_crash_that_breaks_nothing_load_rises_when_it_must_have_recovered() -> None:
    raised, orders, clock = raise_load(World(), FakeMonitor(3), waits_s=8)
    for clock.ns in (7_900_000_000, 8_000_000_000):
        raised.look()
    assert orders == [50]
    raised.lower()
    assert orders == [50, 0]


def test_load_that_never_rose_was_up_at_no_time() -> None:
    raised, orders, clock = raise_load(World(), FakeMonitor(40, ended_ns=9_000_000_000), waits_s=8)
    clock.ns = 9_500_000_000
    raised.look()
    raised.lower()
    raised.look()  # of a monitor that was about to
    assert orders == [0]
    assert raised.since_ns == 9_500_000_000


def test_customers_who_did_not_come_carried_nothing(gate: Gate, world: World) -> None:
    world.customers.rate_per_s = 0
    outcome = gate(*PARTS)
    assert outcome.case is not None
    peak = next(phase.facts["peak"] for phase in outcome.case.history.phases if phase.name == "capacity")
    assert peak["customers_per_s"] == 0  # the made-up ones send nothing meanwhile, whatever platform.yaml expects


def test_customers_are_counted_by_their_observer() -> None:
    world = World()
    world.customers.rate_per_s = 0
    raised, _, _ = raise_load(world, FakeMonitor(0))
    world.customers.answer = CustomersReport(1030, 0)
    assert raised.customers_per_s(3_000_000_000) == pytest.approx(10)
