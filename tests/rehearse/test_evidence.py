"""The same event met in three ways, each as a row of the comparison."""

from __future__ import annotations

import pytest
from fakes.event_cases import unscaled
from fakes.event_history import EventBuilder, good_payday

from shiftproof.model.event import Side
from shiftproof.rehearse.evidence import variant_of


def test_three_runs_side_by_side() -> None:
    autoscaled = good_payday().spell(Side.EXTRA_CLUSTER, 60, 80, share=0.1)
    scaled = variant_of("autoscaled", autoscaled.build())
    peak = variant_of("fixed for the peak", EventBuilder(base_pods=6).build())
    base = variant_of("fixed for the base", unscaled().build())
    assert (scaled.pods, peak.pods, base.pods) == ("2 to 6", "6", "2")
    assert scaled.cost is not None
    assert peak.cost is not None
    assert base.cost is not None
    assert base.cost < scaled.cost < peak.cost
    assert peak.cost == pytest.approx(6 * 420 * 0.05 / 3600)
    assert peak.hindsight_cost is not None
    assert peak.hindsight_cost < peak.cost
    assert (peak.bad, peak.sent, peak.under_share) == (0, 23_400, 0)
    assert 0 < scaled.bad / scaled.sent < 0.02
    assert base.bad / base.sent > 0.3
    assert base.under_share is not None
    assert base.under_share > 0


def test_without_a_pod_there_is_no_cost() -> None:
    nothing = variant_of("nothing", EventBuilder(base_pods=0).build())
    assert (nothing.pods, nothing.cost, nothing.hindsight_cost) == ("0", None, None)
