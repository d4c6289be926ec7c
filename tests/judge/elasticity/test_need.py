"""How many pods a load asks for, and when."""

from __future__ import annotations

import numpy as np
import pytest
from fakes.event_history import PAYDAY, START_NS, TO_BREAK, EventBuilder, S

from shiftproof.judge.elasticity.need import beside_per_s, due_each_s, pods_needed, rates_at, rises, rises_to_its_end
from shiftproof.model.demand import Demand
from shiftproof.model.load_event import Hold, LoadEvent, Ramp


def test_what_the_pairs_send_to_the_pods_counts_too() -> None:
    case = EventBuilder(pairs_per_s=10).build()
    assert beside_per_s(case) == pytest.approx(10, rel=0.01)
    assert pods_needed(case).at(START_NS + 120 * S) == 6  # 160 requests a second, 30 a pod


def test_it_is_the_same_as_asking_at_every_second() -> None:
    case = EventBuilder().build()
    grid = pods_needed(case).on_grid(START_NS - 5 * S, START_NS + 400 * S, 1.0)
    asked = [case.scaling.pods_for(case.demand.rate_at(t_s) + beside_per_s(case)) for t_s in range(-5, 400)]
    assert grid.tolist() == asked


def test_one_rise_a_ramp_with_each_crossing() -> None:
    (rise,) = rises(EventBuilder(pairs_per_s=0.001).build())
    assert rise.before == 2
    assert [one.pods for one in rise.crossings] == [3, 4, 5]
    assert [(one.t_ns - START_NS) / S for one in rise.crossings] == pytest.approx([50, 60, 70], abs=0.1)
    assert (rise.first.pods, rise.peak.pods) == (3, 5)


def test_a_plateau_parts_two_rises_and_a_jump_is_one() -> None:
    event = LoadEvent(
        "two", "Twice", 0.2, (Hold(10), Ramp(0.5, 0), Hold(10), Ramp(1.0, 20), Hold(10), Ramp(0.2, 0), Hold(9))
    )
    first, second = rises(EventBuilder(event=event).build())
    assert [(first.peak.t_ns - START_NS) / S, first.peak.pods] == [10, 3]
    assert (second.before, second.first.pods, second.peak.pods) == (3, 4, 6)


def test_a_load_that_the_base_bears_has_no_rise() -> None:
    assert rises(EventBuilder(peak_per_s=40).build()) == ()


def test_rates_and_requests_by_the_second() -> None:
    demand = PAYDAY.demand(150)
    times = np.arange(-2.0, 310.0, 0.5)
    assert rates_at(demand, times).tolist() == pytest.approx([demand.rate_at(t_s) for t_s in times])
    due = due_each_s(demand, 320)
    assert due.sum() == pytest.approx(demand.requests)
    assert due[[0, 40, 100, 310]].tolist() == pytest.approx([30, 31.5, 150, 0])


def test_the_shape_of_a_ramp_that_looks_for_the_end() -> None:
    assert rises_to_its_end(TO_BREAK.demand(150))
    assert not rises_to_its_end(PAYDAY.demand(150))
    assert not rises_to_its_end(Demand.of([(0, 1), (10, 5), (20, 5)])), "a plateau is no ramp"
