"""What a side can carry: shown by load alone, and not shown by load that was not there."""

from __future__ import annotations

from typing import Any

import pytest
from fakes.judge_cases import findings_of, not_passed, the

from shiftproof.model.event import Failure, Side
from shiftproof.model.history import Budget, PhaseKind, Source
from shiftproof.model.verdict import Verdict
from shiftproof.testing import RunBuilder, clean_run


def run_at(required_per_s: float = 300.0, **more: Any) -> RunBuilder:
    run = RunBuilder().phase("steady", PhaseKind.STEADY, 10)
    return run.peak("capacity", required_per_s=required_per_s, **more)


def test_a_side_that_carries_the_peak_passes_with_its_figures() -> None:
    found = the(run_at(), "capacity", "capacity")
    assert found.verdict is Verdict.PASS
    assert "legacy side got 300/s for 6.0 s (300/s it must carry): 0 of 1,740 requests failed" in found.reason
    assert "below 0.27% at 99%" in found.reason
    assert not_passed(clean_run()) == {}


def test_a_side_that_refuses_under_load_fails_pairs_and_extra_requests_alike() -> None:
    run = run_at()
    for side in (Side.LEGACY, Side.EXTRA_LEGACY):
        run.fail(side, "capacity", after_s=1.5, seconds=4, share=0.2, failure=Failure.STATUS, status=503)
    found = the(run, "capacity", "capacity")
    assert found.verdict is Verdict.FAIL
    assert "more than it can carry" in found.reason
    assert "legacy" in found.data["hint"]


def test_a_side_that_only_gets_slow_fails_by_its_seconds() -> None:
    run = run_at()
    for side in (Side.LEGACY, Side.EXTRA_LEGACY):
        run.slow(side, "capacity", after_s=1.0, seconds=6, latency_ms=900)
    assert the(run, "capacity", "capacity").verdict is Verdict.FAIL


def test_a_slow_moment_is_no_lack_of_capacity() -> None:
    run = run_at()
    for side in (Side.LEGACY, Side.EXTRA_LEGACY):
        run.slow(side, "capacity", after_s=3.0, seconds=0.2, latency_ms=900)
    assert the(run, "capacity", "capacity").verdict is Verdict.PASS


@pytest.mark.parametrize("failure", [Failure.STATUS, Failure.TIMEOUT])
def test_a_machine_that_fails_both_sides_proves_nothing(failure: Failure) -> None:
    run = run_at()
    for side in (Side.LEGACY, Side.EXTRA_LEGACY, Side.CLUSTER):
        run.fail(side, "capacity", after_s=1.5, seconds=4, share=0.3, failure=failure)
    assert the(run, "capacity", "capacity").verdict is Verdict.INCONCLUSIVE


def test_load_that_was_not_delivered_proves_nothing() -> None:
    found = the(run_at(delivered=0.5), "capacity", "capacity")
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "did not deliver" in found.reason


def test_load_that_leaves_late_is_not_delivered() -> None:
    run = RunBuilder(late_ms=40).peak("capacity")
    assert the(run, "capacity", "capacity").verdict is Verdict.INCONCLUSIVE


def test_load_that_was_lowered_for_the_customers_sake_proves_nothing_by_itself() -> None:
    found = the(run_at(stopped="2 requests of customers failed"), "capacity", "capacity")
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "customers" in found.reason


def test_one_failure_may_be_chance_and_some_are_a_doubt() -> None:
    once = run_at().fail(Side.EXTRA_LEGACY, "capacity", after_s=2, seconds=1, at_most=1)
    assert the(once, "capacity", "capacity").verdict is Verdict.PASS
    thrice = run_at().fail(Side.EXTRA_LEGACY, "capacity", after_s=2, seconds=1, at_most=3)
    assert the(thrice, "capacity", "capacity").verdict is Verdict.INCONCLUSIVE


def test_a_run_that_raised_no_load_knows_nothing() -> None:
    run = RunBuilder().phase("steady", PhaseKind.STEADY, 10)
    found = the(run, "capacity", "run")
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "peak_per_s" in found.reason


def test_a_record_that_cannot_be_read_proves_nothing() -> None:
    run = run_at().change("capacity", facts={"peak": {"side": "both"}})
    assert the(run, "capacity", "capacity").verdict is Verdict.INCONCLUSIVE


def crashed(victim: str, back_after_s: float = 13.0, required_per_s: float = 100.0) -> RunBuilder:
    """A crash of 16 s whose fault begins at once and may take 8 s to recover from."""
    run = run_at()
    facts: dict[str, Any] = {"victims": [victim], "effect": "confirmed"}
    run.phase("crash", PhaseKind.CRASH, 16, budget=Budget(8000, 600, 8), facts=facts)
    run.left_with("crash", 25, required_per_s=required_per_s)
    run.happen("crash", "fault.begin", victim, after_s=0.0, source=Source.CHAOS)
    return run.happen("crash", "fault.end", victim, after_s=back_after_s, source=Source.CHAOS)


def test_pairs_alone_show_a_share_that_is_less_than_they_are() -> None:
    found = the(crashed("node/node-2"), "capacity", "crash")
    assert found.verdict is Verdict.PASS
    assert found.data["seconds"] == pytest.approx(5.0)
    assert found.data["achieved_per_s"] == pytest.approx(150, rel=0.02)


def test_what_is_lost_before_it_must_have_recovered_or_after_the_node_is_back_does_not_count() -> None:
    run = crashed("node/node-2").fail(Side.CLUSTER, "crash", after_s=0.0, seconds=5)
    assert the(run, "capacity", "crash").verdict is Verdict.PASS
    run = crashed("node/node-2").fail(Side.CLUSTER, "crash", after_s=13.5, seconds=2)
    assert the(run, "capacity", "crash").verdict is Verdict.PASS


def test_pods_that_are_left_and_cannot_carry_the_share_fail() -> None:
    run = crashed("node/node-2").fail(
        Side.CLUSTER, "crash", after_s=9, seconds=3, share=0.3, failure=Failure.STATUS, status=503
    )
    found = the(run, "capacity", "crash")
    assert found.verdict is Verdict.FAIL
    assert "pods" in found.data["hint"]


def test_a_share_that_pairs_do_not_reach_was_not_shown() -> None:
    found = the(crashed("node/node-2", required_per_s=400), "capacity", "crash")
    assert found.verdict is Verdict.INCONCLUSIVE


def test_a_node_that_is_back_too_early_leaves_nothing_to_see() -> None:
    found = the(crashed("node/node-2", back_after_s=9.0), "capacity", "crash")
    assert found.verdict is Verdict.INCONCLUSIVE


def test_a_crashed_pod_is_no_lost_node() -> None:
    run = crashed("pod/payments-a1")
    assert findings_of(run, "capacity", "crash") == []
    found = the(run, "capacity", "run")
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "no node was taken away" in found.reason


def test_a_node_that_is_gone_says_nothing_of_the_way_back() -> None:
    run = clean_run().change("capacity", facts={})
    found = the(run, "capacity", "run")
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "legacy side" in found.reason
