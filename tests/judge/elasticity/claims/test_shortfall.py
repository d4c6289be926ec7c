"""Shortfall: requests that were not served in time, beyond what the control shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fakes.event_cases import late_nodes, the
from fakes.event_history import START_NS, TO_BREAK, EventBuilder, S, good_payday

from shiftproof.judge import judge_event
from shiftproof.judge.elasticity.case import Strike
from shiftproof.model.event import Side
from shiftproof.model.history import PhaseKind
from shiftproof.model.verdict import Finding, Verdict

_NAME = "shortfall"


def test_none_of_so_many() -> None:
    found = the(good_payday().build(), _NAME)
    assert found.verdict is Verdict.PASS
    assert "0 of 23,400 requests failed or were too slow (0%; the control: 0 of 3,000)" in found.reason
    assert found.data["most_pct"] == pytest.approx(0.0226, abs=0.001)


@pytest.mark.parametrize("latency_ms", [None, 900.0])
def test_too_many_failed_or_were_slow(latency_ms: float | None) -> None:
    found = the(good_payday().spell(Side.EXTRA_CLUSTER, 80, 100, share=0.3, latency_ms=latency_ms).build(), _NAME)
    assert found.verdict is Verdict.FAIL
    assert found.data["shortfall_pct"] == pytest.approx(3.85, abs=0.2)
    assert found.data["least_pct"] < found.data["shortfall_pct"] < found.data["most_pct"]
    assert (found.data["longest_bad_from_s"], found.data["longest_bad_s"]) == (80, 20)
    assert "of them while fewer pods were ready than the load needed" in found.reason


def test_bad_while_there_were_pods_enough() -> None:
    found = the(good_payday().spell(Side.EXTRA_CLUSTER, 130, 150, share=0.3).build(), _NAME)
    assert (found.verdict, found.data["bad_while_short"]) == (Verdict.FAIL, 0)
    assert "none of them while fewer pods were ready than the load needed" in found.reason


def _struck(*strikes: Strike) -> Finding:
    """As all went well but for 20 s from 130 s on."""
    return the(good_payday().spell(Side.EXTRA_CLUSTER, 130, 150, share=0.3).build(strikes=strikes), _NAME)


def _loss(begin_s: float = 129, end_s: float = 160, **changes: Any) -> Strike:
    zone = Strike("zone-loss", START_NS + int(begin_s * S), START_NS + int(end_s * S), PhaseKind.CRASH)
    return replace(zone, **{"victims": ("node/base-1",), **changes})


def test_bad_while_an_experiment_lasted() -> None:
    found = _struck(_loss(100, 129, experiment="node-drain", kind=PhaseKind.GRACEFUL), _loss())
    assert found.data["bad_during"] == {"zone-loss": found.data["bad"]}
    assert f"{found.data['bad']:,} while zone-loss lasted" in found.reason
    assert "lost at once" in found.data["hint"]


def test_each_bad_request_is_of_one_experiment_at_most() -> None:
    first, second = _loss(120, 140.5), _loss(140.5, 160, experiment="node-loss")
    found = _struck(first, second)
    assert sum(found.data["bad_during"].values()) == found.data["bad"]
    assert set(found.data["bad_during"]) == {"zone-loss", "node-loss"}


@pytest.mark.parametrize("strike", [_loss(100, 129), _loss(problem="it took no effect")])
def test_an_experiment_that_was_over_or_took_no_effect_is_not_named(strike: Strike) -> None:
    found = _struck(strike)
    assert found.data["bad_during"] == {}
    assert "lasted" not in found.reason
    assert "scale earlier" in found.data["hint"]


@pytest.mark.parametrize("changes", [{"victims": ("node/of-workers",)}, {"kind": PhaseKind.GRACEFUL}])
def test_pods_to_spare_are_advised_only_where_pods_were_lost(changes: dict[str, Any]) -> None:
    found = _struck(_loss(**changes))
    assert found.data["bad_during"] == {"zone-loss": found.data["bad"]}, (
        "that it lasted meanwhile is a fact all the same"
    )
    assert "scale earlier" in found.data["hint"]


def test_nodes_that_came_too_late_cost_requests() -> None:
    found = the(late_nodes().build(), _NAME)
    assert found.verdict is Verdict.FAIL
    assert found.data["bad_while_short"] > 0.9 * found.data["bad"]


def test_on_the_edge_nobody_is_sure() -> None:
    found = the(good_payday().spell(Side.EXTRA_CLUSTER, 80, 160, share=0.0195).build(), _NAME)
    assert found.data["least_pct"] < 1 < found.data["most_pct"]
    assert found.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("share", "latency_ms"), [(0.1, None), (0.9, 900.0)])
def test_a_control_that_is_sick_shares_the_cause(share: float, latency_ms: float | None) -> None:
    event = good_payday().spell(Side.EXTRA_CLUSTER, 80, 120, share=0.5)
    found = the(event.spell(Side.LEGACY, 80, 120, share=share, latency_ms=latency_ms).build(), _NAME)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "the cause is shared" in found.reason


def test_what_the_control_shows_is_taken_off() -> None:
    event = good_payday().spell(Side.EXTRA_CLUSTER, 0, 300, share=0.02, latency_ms=900)
    alone = the(event.build(), _NAME)
    beside = the(event.spell(Side.LEGACY, 0, 300, share=0.02, latency_ms=900).build(), _NAME)
    assert (alone.verdict, beside.verdict) == (Verdict.FAIL, Verdict.PASS)
    assert beside.data["shortfall_pct"] < 0.8


def test_nothing_to_judge_by() -> None:
    case = good_payday().build()
    for side in (Side.EXTRA_CLUSTER, Side.LEGACY):
        events = case.history.events[case.history.events["side"] != side]
        found = the(replace(case, history=replace(case.history, events=events)), _NAME)
        assert (found.verdict, "was recorded, so nobody knows" in found.reason) == (Verdict.INCONCLUSIVE, True)


def test_a_ramp_to_the_break_is_not_judged_by_it() -> None:
    claims = {found.claim for found in judge_event(EventBuilder(event=TO_BREAK).build())}
    assert _NAME not in claims
    assert "headroom" in claims
