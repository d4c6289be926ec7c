"""Steady phases, crashes with a budget, recovery, and the control."""

from __future__ import annotations

import re

import pytest
from fakes.judge_cases import findings_of, not_passed, the

from shiftproof.model.event import Failure, Side
from shiftproof.model.history import Budget, PhaseKind, Source
from shiftproof.model.verdict import Finding, Verdict
from shiftproof.testing import RunBuilder, clean_run


def node_lost(seconds: float, share: float = 0.4, after_s: float = 2.0) -> RunBuilder:
    """The fault begins 1.5 s into the phase; the budget is 5 s, 400 requests, 8 s."""
    return clean_run().fail(Side.CLUSTER, "node-loss", after_s=after_s, seconds=seconds, share=share)


def test_symmetric_noise_is_no_failure() -> None:
    run = clean_run()
    for side in (Side.LEGACY, Side.CLUSTER):
        run.fail(side, "steady", after_s=0, seconds=15, share=0.0006, failure=Failure.STATUS, status=500)
    assert the(run, "availability", "steady").verdict is Verdict.PASS


def test_a_new_side_that_fails_more_often_fails() -> None:
    run = clean_run().fail(Side.CLUSTER, "steady", after_s=0, seconds=15, share=0.02)
    finding = the(run, "availability", "steady")
    assert finding.verdict is Verdict.FAIL
    assert finding.data["attributed"] >= 14


def test_a_few_failures_more_than_acceptable_are_a_doubt() -> None:
    run = clean_run().fail(Side.CLUSTER, "steady", after_s=3, seconds=0.025)
    assert the(run, "availability", "steady").verdict is Verdict.INCONCLUSIVE


def test_a_control_beyond_its_own_objective_proves_nothing() -> None:
    run = clean_run().fail(Side.LEGACY, "steady", after_s=1, seconds=10, share=0.1)
    assert not_passed(run)["availability", "run"] is Verdict.INCONCLUSIVE


def test_a_loss_just_before_it_does_not_carry_an_outage_out_of_its_crash() -> None:
    """Failures less than a second apart are one outage, which began between phases; the budget is 5 s all the same."""
    run = node_lost(seconds=7.0, share=1.0, after_s=1.6)
    for after_s in (-0.2, 0.5, 1.2):
        run.fail(Side.CLUSTER, "node-loss", after_s=after_s, seconds=0.05, at_most=1)
    finding = the(run, "outage", "node-loss")
    assert finding.verdict is Verdict.FAIL
    assert "longer than it may be" in finding.reason


def test_a_loss_just_before_the_fault_is_none_of_its_outage() -> None:
    """The budget is 5 s: from the stray at 1.2 s on it would be 5.2 s, from the fault on it is 4.4 s."""
    run = node_lost(seconds=4.4).fail(Side.CLUSTER, "node-loss", after_s=1.2, seconds=0.05, at_most=1)
    finding = the(run, "outage", "node-loss")
    assert finding.verdict is Verdict.PASS, finding.reason
    assert finding.data["longest_ms"] < 5000


def test_an_outage_that_begins_in_its_crash_is_judged_by_its_whole_length() -> None:
    """A budget that covers no more than it allows would else make the length a matter of doubt at most."""
    run = node_lost(seconds=11.0, share=0.4)
    run.change("node-loss", budget=Budget(outage_ms=8000, lost_requests=3000, recover_s=8))
    (finding,) = findings_of(run, "outage", "node-loss")
    assert finding.verdict is Verdict.FAIL
    assert "longer than it may be" in finding.reason


def test_what_is_lost_after_a_pause_beside_a_sick_control_is_a_doubt_and_no_pass() -> None:
    run = clean_run(pairs_per_s=250).fail(Side.CLUSTER, "quiet", after_s=9, seconds=0.5, at_most=8)
    run.fail(Side.LEGACY, "quiet", after_s=9.9, seconds=0.5, at_most=5)
    finding = the(run, "availability", "quiet")
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert "the control itself failed 5 times" in finding.reason


def test_a_long_outage_between_phases_is_told() -> None:
    run = clean_run().fail(Side.CLUSTER, "steady", after_s=15.05, seconds=0.4, share=0.15)
    assert the(run, "outage", "between phases").verdict is Verdict.INCONCLUSIVE


def test_failures_between_phases_are_not_lost() -> None:
    run = clean_run().fail(Side.CLUSTER, "steady", after_s=15.0, seconds=0.5)
    assert the(run, "availability", "between phases").verdict is Verdict.FAIL


def test_what_follows_a_decision_is_the_same_incident_and_not_told_again() -> None:
    """A clear FAIL closes its phase while requests still fail."""
    run = RunBuilder().phase("deploy", PhaseKind.GRACEFUL, 7).phase("rest", PhaseKind.STEADY, 0.01)
    run.fail(Side.CLUSTER, "deploy", after_s=6, seconds=1.5)
    assert the(run, "availability", "between phases").verdict is Verdict.FAIL
    decided = Finding("availability", "deploy", Verdict.FAIL, "clear")
    assert not findings_of(run, "availability", "between phases", decided=(decided,))


def test_a_crash_within_its_budget_passes_with_figures() -> None:
    run = node_lost(1.9)
    assert not_passed(run) == {}
    assert re.search(r"outage (1\.9|2\.0) s ± \d\d ms", the(run, "outage", "node-loss").reason)
    assert "(budget 5.0 s, 400 requests)" in the(run, "outage", "node-loss").reason
    assert the(run, "recovery", "node-loss").data["recovered_s"] == pytest.approx(2.4, abs=0.1)


def test_an_outage_beyond_its_budget_fails_and_one_at_the_limit_is_a_doubt() -> None:
    assert the(node_lost(5.3, share=1.0).change("node-loss"), "outage", "node-loss").verdict is Verdict.FAIL
    limit = the(node_lost(5.0, share=0.4), "outage", "node-loss")
    assert limit.verdict is Verdict.INCONCLUSIVE
    assert "too close to the budget" in limit.reason


def test_more_lost_requests_than_the_budget_fail_though_the_outage_is_short() -> None:
    assert "more than may be lost" in the(node_lost(3.0, share=1.0), "outage", "node-loss").reason


def test_not_recovering_fails_both_claims_that_look_for_it() -> None:
    run = node_lost(12.5)
    assert the(run, "recovery", "node-loss").verdict is Verdict.FAIL
    assert the(run, "availability", "node-loss").verdict is Verdict.FAIL


def test_slow_is_not_recovered() -> None:
    run = node_lost(1.0).slow(Side.CLUSTER, "node-loss", after_s=3, seconds=12, latency_ms=900)
    assert the(run, "recovery", "node-loss").verdict is Verdict.FAIL


def test_a_fault_without_confirmed_effect_proves_nothing() -> None:
    run = clean_run().change("node-loss", facts={"victims": []})
    for claim in ("outage", "recovery", "sufficiency"):
        assert the(run, claim, "node-loss").verdict is Verdict.INCONCLUSIVE
    problem = clean_run().change("node-loss", problem="no node was hit")
    assert "no node was hit" in the(problem, "outage", "node-loss").reason


def test_the_budget_counts_from_the_fault_itself() -> None:
    early = node_lost(0.3, share=1.0, after_s=0.5)
    assert the(early, "availability", "node-loss").verdict is Verdict.FAIL  # a second before the action: no excuse
    run = early.happen("node-loss", "fault.begin", "node/node-2", after_s=0.4, source=Source.CHAOS)
    assert the(run, "availability", "node-loss").verdict is Verdict.PASS


def test_latency_burst_of_the_new_side_fails_and_of_both_does_not() -> None:
    run = clean_run()
    for repeat in (1, 2, 3):
        run.slow(Side.CLUSTER, "deploy", repeat=repeat, seconds=7, latency_ms=900)
    assert the(run, "latency", "deploy").verdict is Verdict.FAIL
    for repeat in (1, 2, 3):
        run.slow(Side.LEGACY, "deploy", repeat=repeat, seconds=7, latency_ms=900)
    assert the(run, "latency", "deploy").verdict is Verdict.PASS
    assert the(run, "latency", "run").verdict is Verdict.INCONCLUSIVE  # the control itself is beyond its objective


def test_slower_but_too_few_seconds_is_a_doubt() -> None:
    run = clean_run().slow(Side.CLUSTER, "deploy", seconds=3, latency_ms=900)
    finding = the(run, "latency", "deploy")
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert "too few seconds" in finding.reason


def test_what_the_service_did_not_bear_fails_though_no_request_was_lost() -> None:
    facts = {"victims": ["node/node-1"], "effect": "confirmed", "not_borne": "the drain was refused for 45 s"}
    run = clean_run().change("pod-delete", 2, facts=facts)
    finding = the(run, "recovery", "pod-delete")
    assert finding.verdict is Verdict.FAIL
    assert finding.reason == "repeat 2: the drain was refused for 45 s."
