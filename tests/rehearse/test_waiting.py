"""Waiting for the base and for the return to it, by a clock that stands still but for its sleeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from fakes.clock import SteppingClock

from shiftproof.ports import AutoscalerState, SupplyState
from shiftproof.rehearse.waiting import BACK_FOR_S, MACHINES_WITHIN_S, STILL_S, Base, wait_for_base, wait_until_back

BASE = SupplyState(wanted=2, ready=2, pods=2, pending=0, nodes=frozenset({"node-1"}))
MACHINE = replace(BASE, nodes=BASE.nodes | {"new-1"}, machines=frozenset({"new-1"}))
S = 1_000_000_000


@dataclass
class Scripted:
    """Implements ports.Elastic: a state by the seconds that were slept."""

    clock: SteppingClock
    at: Callable[[float], SupplyState]

    def state(self) -> SupplyState:
        return self.at(self.clock.slept_s)

    def autoscaler(self) -> AutoscalerState | None:
        return None

    def resize(self) -> tuple[str, ...]:
        return ()

    def fix(self, pods: int) -> None:
        raise AssertionError(pods)


def _scripted(at: Callable[[float], SupplyState]) -> tuple[Scripted, SteppingClock]:
    clock = SteppingClock()
    return Scripted(clock, at), clock


def test_a_base_that_stands_still_is_reached() -> None:
    elastic, clock = _scripted(lambda t_s: BASE)
    waited = wait_for_base(elastic, clock, 2, {}, 240)
    assert (waited.at_ns, waited.missing, clock.slept_s) == (clock.t_ns, None, STILL_S)


def test_a_machine_that_is_about_to_go_is_waited_for_however_still_it_stands() -> None:
    elastic, clock = _scripted(lambda t_s: MACHINE if t_s < 45 else BASE)
    waited = wait_for_base(elastic, clock, 2, {}, 240)
    assert waited.at_ns is not None
    assert (clock.slept_s, waited.last) == (45 + STILL_S, BASE)


def test_a_machine_that_stays_is_not_waited_for_for_ever() -> None:
    elastic, clock = _scripted(lambda t_s: MACHINE)
    waited = wait_for_base(elastic, clock, 2, {}, 60)
    assert (waited.at_ns, clock.slept_s) == (None, MACHINES_WITHIN_S)
    assert waited.missing == "new-1 of autoscaling still there after 180 s"


def test_where_the_base_needs_machines_they_may_stay() -> None:
    elastic, clock = _scripted(lambda t_s: MACHINE)
    assert wait_for_base(elastic, clock, 2, {}, 240, may_have_machines=True).at_ns == clock.t_ns
    assert clock.slept_s == STILL_S


def test_a_machine_that_the_base_had_may_go() -> None:
    elastic, clock = _scripted(lambda t_s: BASE)
    began_ns = clock.now_ns()
    assert wait_until_back(elastic, clock, Base(2, 2, {}), began_ns + 300 * S).at_ns == began_ns


def test_pods_that_never_go_are_named() -> None:
    elastic, clock = _scripted(lambda t_s: replace(MACHINE, pods=3))
    waited = wait_for_base(elastic, clock, 2, {}, 60)
    assert (waited.at_ns, waited.missing) == (None, "2 pods wanted, 2 ready, 3 there, not 2")
    assert clock.slept_s == 60


def test_back_is_what_stays_back() -> None:
    elastic, clock = _scripted(lambda t_s: MACHINE if t_s < 10 or 15 <= t_s < 18 else BASE)
    began_ns = clock.now_ns()
    waited = wait_until_back(elastic, clock, Base(2, 1, {}), began_ns + 300 * S)
    assert (waited.at_ns, waited.missing) == (began_ns + 18 * S, None)
    assert clock.slept_s == 18 + BACK_FOR_S


def test_another_node_in_its_place_is_a_change() -> None:
    other = replace(BASE, nodes=frozenset({"node-2"}))
    elastic, clock = _scripted(lambda t_s: BASE if t_s < 12 else other)
    began_ns = clock.now_ns()
    assert wait_until_back(elastic, clock, Base(2, 1, {}), began_ns + 300 * S).at_ns == began_ns + 12 * S


def test_what_is_back_at_the_last_moment_is_looked_at_all_the_same() -> None:
    elastic, clock = _scripted(lambda t_s: MACHINE if t_s < 29 else BASE)
    waited = wait_until_back(elastic, clock, Base(2, 1, {}), clock.now_ns() + 30 * S)
    assert waited.missing is None
    assert clock.slept_s == 29 + BACK_FOR_S


def test_what_goes_up_again_after_the_last_moment_is_not_back() -> None:
    elastic, clock = _scripted(lambda t_s: MACHINE if t_s < 29 or t_s >= 35 else BASE)
    waited = wait_until_back(elastic, clock, Base(2, 1, {}), clock.now_ns() + 30 * S)
    assert (waited.at_ns, waited.missing) == (None, "2 nodes ready and 0 not, of 1")
    assert clock.slept_s == 35


def test_what_never_goes_is_named() -> None:
    elastic, clock = _scripted(lambda t_s: MACHINE)
    waited = wait_until_back(elastic, clock, Base(2, 1, {}), clock.now_ns() + 30 * S)
    assert (waited.at_ns, clock.slept_s) == (None, 30)
