"""One event on one time axis."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from fakes.event_history import START_NS, EventBuilder, S, good_payday

from shiftproof.judge.elasticity import Prices, cost_of
from shiftproof.judge.elasticity.figures import BEFORE_S, EventFigures, figures
from shiftproof.model.event import Side


def at(found: EventFigures, name: str, *seconds: int) -> list[float]:
    return [getattr(found, name)[BEFORE_S + second] for second in seconds]


def test_every_curve_is_on_the_same_axis() -> None:
    found = figures(good_payday().build())
    assert (found.seconds[0], found.seconds[-1], len(found)) == (-60, 419, 480)
    assert {len(getattr(found, one.name)) for one in fields(found) if one.name != "beside_per_s"} == {480}


def test_supply_follows_demand() -> None:
    found = figures(good_payday().build())
    assert at(found, "pods_needed", -1, 47, 120, 250) == [2, 3, 6, 2]
    assert at(found, "pods_wanted", 0, 62, 85, 310) == [2, 4, 6, 2]
    assert at(found, "pods_ready", 0, 70, 115, 310) == [2, 3, 6, 2]
    assert at(found, "pods_pending", 61, 63, 90, 120) == [0, 1, 3, 0]
    assert at(found, "nodes_ready", 0, 106, 110, 340) == [1, 2, 3, 1]
    assert at(found, "hindsight_pods", 0, 120, 350) == [2, 6, 2]


def test_requests_by_the_second() -> None:
    event = good_payday().spell(Side.EXTRA_CLUSTER, 80, 90).spell(Side.EXTRA_CLUSTER, 90, 95, latency_ms=900)
    found = figures(event.build())
    assert at(found, "demand_per_s", -1, 10, 100, 310) == [0, 30, 150, 0]
    assert at(found, "sent_per_s", -1, 10, 100, 310) == [0, 30, 150, 0]
    assert at(found, "failed_per_s", 79, 85, 92) == [0, 150, 0]
    assert at(found, "bad_per_s", 79, 85, 92, 95) == [0, 150, 150, 0]
    assert at(found, "p99_ms", 92)[0] == pytest.approx(900, rel=0.01)
    assert np.isnan(at(found, "p50_ms", 85)[0]), "none of them succeeded"
    assert 50 < at(found, "control_p99_ms", -30)[0] < 120


def test_cost_begins_with_the_event_and_ends_as_the_sum() -> None:
    case = good_payday().build()
    found = figures(case)
    assert at(found, "cost", -1)[0] == at(found, "hindsight_cost", -1)[0] == 0
    held = found.hindsight_pods[BEFORE_S:]
    assert found.hindsight_cost[-1] == pytest.approx(cost_of(held, 1.0, case.prices, base=2))
    # Two pods all the time; four from about 62 s (its launch, for those that waited) until they were gone at 302 s.
    assert found.cost[-1] / case.prices.per_s == pytest.approx(
        2 * 420 + (302 - 62) + (302 - 64) + 2 * (302 - 87), abs=8
    )


def test_a_start_has_its_price() -> None:
    case = good_payday().build(prices=Prices(per_s=0.0, per_start=2.0))
    assert figures(case).cost[-1] == 8


def test_while_it_goes_on() -> None:
    found = figures(good_payday().build(looked_until_ns=START_NS + 100 * S))
    assert (len(found), found.seconds[-1]) == (160, 99)


@pytest.mark.parametrize("looked_s", [-90, -30, 0])
def test_before_it_has_begun(looked_s: int) -> None:
    found = figures(EventBuilder().build(looked_until_ns=START_NS + looked_s * S))
    assert len(found) == BEFORE_S
    assert found.cost.tolist() == [0.0] * BEFORE_S
