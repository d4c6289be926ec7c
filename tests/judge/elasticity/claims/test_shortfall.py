"""Shortfall: requests that were not served in time, beyond what the control shows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.event_cases import late_nodes, the
from fakes.event_history import TO_BREAK, EventBuilder, good_payday

from shiftproof.judge import judge_event
from shiftproof.judge.elasticity.case import Strike
from shiftproof.model.event import Side
from shiftproof.model.verdict import Verdict

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


def test_bad_while_an_experiment_lasted() -> None:
    case = good_payday().spell(Side.EXTRA_CLUSTER, 130, 150, share=0.3).build()
    at = [case.start_ns + s * 1_000_000_000 for s in (100, 129, 160)]
    strikes = (Strike("node-drain", at[0], at[1]), Strike("zone-loss", at[1], at[2]))
    found = the(replace(case, strikes=strikes), _NAME)
    assert found.data["bad_during"] == {"zone-loss": found.data["bad"]}
    assert f"{found.data['bad']:,} while zone-loss lasted" in found.reason
    assert "lost at once" in found.data["hint"]
    before = the(replace(case, strikes=strikes[:1]), _NAME)
    assert before.data["bad_during"] == {}
    assert "lasted" not in before.reason
    assert "scale earlier" in before.data["hint"]


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
