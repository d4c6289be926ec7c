"""Cost against hindsight, with what was not served beside it."""

from __future__ import annotations

import pytest
from fakes.event_cases import the, unscaled
from fakes.event_history import EventBuilder, good_payday

from shiftproof.judge.elasticity import Prices, figures
from shiftproof.model.verdict import Verdict


def test_what_a_good_event_costs() -> None:
    case = good_payday().build()
    found, drawn = the(case, "cost"), figures(case)
    assert found.verdict is Verdict.PASS
    assert found.data["cost"] == pytest.approx(drawn.cost[-1])
    assert found.data["hindsight_cost"] == pytest.approx(drawn.hindsight_cost[-1])
    assert "0 of 23,400 requests failed or were too slow" in found.reason
    assert 0.1 < found.data["under_share"] < 0.2


def test_too_dear() -> None:
    found = the(good_payday(limits={"cost_ratio": 1.05}).build(), "cost")
    assert (found.verdict, found.reason.endswith("too dear.")) == (Verdict.FAIL, True)


def test_cheaper_than_foresight_is_no_praise() -> None:
    short = the(unscaled().build(), "cost")
    assert short.data["ratio"] < 1
    assert short.verdict is Verdict.INCONCLUSIVE
    assert "cheaper than foresight since it was under-provisioned, which is no saving" in short.reason
    borne = the(EventBuilder().build(), "cost")
    assert (borne.verdict, "as it was under-provisioned for a while" in borne.reason) == (Verdict.PASS, True)


def test_fixed_for_the_peak() -> None:
    found = the(EventBuilder(base_pods=6).build(), "cost")
    assert (found.data["under_share"], found.data["cost"] / found.data["pod_seconds"]) == (
        0.0,
        pytest.approx(0.05 / 3600),
    )
    assert found.data["ratio"] > 1.2


def test_nothing_to_count() -> None:
    assert the(EventBuilder(base_pods=0).build(), "cost").verdict is Verdict.INCONCLUSIVE
    free = good_payday().build(prices=Prices(per_s=0.0))
    assert the(free, "cost").verdict is Verdict.INCONCLUSIVE
