"""The rule of graceful actions: zero, three times, and one other failure is a doubt."""

from __future__ import annotations

import pytest
from fakes.judge_cases import case_of, not_passed, the

from shiftproof.judge import judge_all
from shiftproof.model.event import Failure, Side
from shiftproof.model.history import PhaseKind, Source
from shiftproof.model.verdict import Verdict, merge
from shiftproof.testing import RunBuilder, clean_run


def one_failure(run: RunBuilder, repeat: int, **more: object) -> RunBuilder:
    """Exactly one failed request."""
    return run.fail(Side.CLUSTER, "deploy", repeat=repeat, after_s=2, seconds=1, at_most=1, **more)  # type: ignore[arg-type]


def leaving_pod(run: RunBuilder, repeat: int = 2) -> RunBuilder:
    run.happen(
        "deploy",
        "pod.terminating",
        "pod/payments-a1",
        repeat=repeat,
        after_s=1.96,
        source=Source.KUBERNETES,
        ip="198.18.1.7",
    )
    run.happen(
        "deploy", "target.draining", "target/198.18.1.7:8080", repeat=repeat, after_s=2.31, source=Source.LOAD_BALANCER
    )
    return run


def test_a_clean_run_passes_with_its_sample_size() -> None:
    case = case_of(clean_run())
    findings = judge_all(case)
    assert merge(finding.verdict for finding in findings) is Verdict.PASS
    (pooled,) = [f for f in findings if f.claim == "availability" and f.phase == "run"]
    assert pooled.reason == "0 of 14,100 attributed: below 0.033% at 99% confidence, all graceful pairs."


def test_one_failure_on_nothing_that_was_leaving_is_a_doubt() -> None:
    run = one_failure(clean_run(), 2)
    assert not_passed(run) == {
        ("availability", "deploy"): Verdict.INCONCLUSIVE,
        ("outage", "deploy"): Verdict.INCONCLUSIVE,
    }
    assert the(run, "availability", "deploy").data["repeats"][1]["attributed"] == 1


def test_two_of_three_repeats_that_lose_one_each_fail() -> None:
    finding = the(one_failure(one_failure(clean_run(), 1), 3), "availability", "deploy")
    assert finding.verdict is Verdict.FAIL
    assert finding.reason.startswith("2 of 3 repeats lost requests (1, 0, 1 of 1,050 each; the control lost none)")


def test_one_failure_on_the_pod_that_was_leaving_fails() -> None:
    run = leaving_pod(one_failure(clean_run(), 2, target="198.18.1.7:8080", cause="reset-by-target"))
    finding = the(run, "availability", "deploy")
    assert finding.verdict is Verdict.FAIL
    assert "1 request reset by pod payments-a1 at" in finding.data["culprit"]
    assert "preStop" in finding.data["hint"]


def test_the_same_on_another_pod_is_a_doubt() -> None:
    run = leaving_pod(one_failure(clean_run(), 2, target="198.18.2.7:8080", cause="reset-by-target"))
    assert the(run, "availability", "deploy").verdict is Verdict.INCONCLUSIVE


def test_without_a_log_the_timeline_alone_puts_it_on_the_leaving_pod() -> None:
    assert the(leaving_pod(one_failure(clean_run(), 2)), "availability", "deploy").verdict is Verdict.FAIL
    assert the(leaving_pod(one_failure(clean_run(), 1)), "availability", "deploy").verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("name", ["deploy", "shift"])
def test_a_machine_that_fails_both_sides_at_random_does_not_fail_the_action(name: str) -> None:
    """It began with the action, so what legacy lost before says nothing; the control's own objective does."""
    run = clean_run()
    for repeat in (1, 2, 3):
        for side in (Side.LEGACY, Side.CLUSTER, Side.WEIGHTED):
            run.fail(side, name, repeat=repeat, after_s=0.5, seconds=6, share=0.02, failure=Failure.TIMEOUT)
    assert {the(run, claim, name).verdict for claim in ("availability", "outage")} == {Verdict.INCONCLUSIVE}
    leaving = one_failure(leaving_pod(clean_run()), 2, target="198.18.1.7:8080", cause="reset-by-target")
    leaving.fail(Side.LEGACY, "deploy", repeat=3, seconds=5, share=0.1)
    assert the(leaving, "availability", "deploy").verdict is Verdict.INCONCLUSIVE


def test_both_sides_failing_while_the_load_stood_still_is_the_machines_doing() -> None:
    run = clean_run()
    for repeat in (1, 2, 3):
        for side in (Side.LEGACY, Side.CLUSTER):
            run.fail(side, "deploy", repeat=repeat, after_s=2, seconds=0.2)
    assert the(run, "availability", "deploy").verdict is Verdict.FAIL
    late = clean_run()
    late.late_ms = 600
    for repeat in (1, 2, 3):
        for side in (Side.LEGACY, Side.CLUSTER):
            late.fail(side, "deploy", repeat=repeat, after_s=2, seconds=0.2)
    assert the(late, "availability", "deploy").verdict is Verdict.INCONCLUSIVE


def test_what_breaks_both_sides_does_not_excuse_what_is_lost_on_a_pod_that_leaves() -> None:
    """Connections run out during the deploy, on both sides; that is no noise of the machine."""
    run = clean_run()
    for repeat in (1, 2, 3):
        for side in (Side.LEGACY, Side.CLUSTER):
            run.fail(
                side, "deploy", repeat=repeat, after_s=4, seconds=0.5, at_most=4, failure=Failure.STATUS, status=500
            )
    leaving_pod(one_failure(run, 2, target="198.18.1.7:8080", cause="reset-by-target"))
    finding = the(run, "availability", "deploy")
    assert finding.verdict is Verdict.FAIL
    assert "1 on what was then leaving" in finding.reason


def test_random_failures_of_both_sides_happen_to_hit_what_is_leaving() -> None:
    run = clean_run()
    for repeat in (1, 2, 3):
        run.fail(Side.LEGACY, "deploy", repeat=repeat, after_s=4, seconds=0.5, at_most=5)
    leaving_pod(one_failure(run, 2, target="198.18.1.7:8080", cause="reset-by-target"))
    assert the(run, "availability", "deploy").verdict is Verdict.INCONCLUSIVE


def test_what_the_log_does_not_have_never_came_to_the_pod_that_was_leaving() -> None:
    run = clean_run()
    run.logged = True
    assert the(leaving_pod(one_failure(run, 2)), "availability", "deploy").verdict is Verdict.INCONCLUSIVE


def test_a_cluster_side_that_loses_what_the_weights_do_not_send_it_fails_by_the_same_rule() -> None:
    """At a weight of 5% nearly all weighted requests go to legacy; those pinned to the cluster tell all the same."""
    run = clean_run(to_pct=5)
    for repeat in (1, 2):
        run.fail(Side.CLUSTER, "shift", repeat=repeat, after_s=2, seconds=1, at_most=2)
    finding = the(run, "availability", "shift")
    assert finding.verdict is Verdict.FAIL
    assert "the cluster side by itself failed 4 of" in finding.reason
    once = clean_run(to_pct=5).fail(Side.CLUSTER, "rollback", repeat=2, after_s=2, seconds=1, at_most=1)
    assert the(once, "availability", "rollback").verdict is Verdict.INCONCLUSIVE
    assert the(once, "availability", "run").data["attributed"] == 1


def test_failures_of_the_cluster_in_triples_are_no_noise_that_excuses_it() -> None:
    run = one_failure(one_failure(clean_run(), 1), 3)
    for repeat in (1, 2, 3):
        run.fail(Side.CLUSTER, "shift", repeat=repeat, after_s=2, seconds=1, at_most=4)
    assert the(run, "availability", "deploy").verdict is Verdict.FAIL


def test_one_repeat_that_breaks_down_is_decisive_by_itself() -> None:
    run = clean_run().fail(Side.CLUSTER, "deploy", repeat=1, seconds=2)
    assert the(run, "availability", "deploy").verdict is Verdict.FAIL
    assert the(run, "outage", "deploy").verdict is Verdict.FAIL


def test_failures_of_the_control_alone_do_not_fail_the_migration() -> None:
    run = clean_run().fail(Side.LEGACY, "deploy", repeat=1, seconds=0.02)
    assert not_passed(run) == {}


def test_noise_that_the_control_has_too_is_a_doubt_and_no_failure_of_the_action() -> None:
    run = one_failure(one_failure(clean_run(), 1), 3)
    run.fail(Side.LEGACY, "deploy", repeat=2, after_s=2, seconds=1, at_most=2)
    finding = the(run, "availability", "deploy")
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert "no more than noise: the control alone lost some too" in finding.reason


@pytest.mark.parametrize("side", [Side.WEIGHTED, Side.LEGACY])
def test_a_rollback_to_a_broken_old_side_fails(side: Side) -> None:
    run = clean_run()
    for repeat in (1, 2, 3):
        run.fail(side, "rollback", repeat=repeat, after_s=1, seconds=3)
    if side is Side.WEIGHTED:
        assert the(run, "availability", "rollback").verdict is Verdict.FAIL
    else:  # legacy pinned alone: its weighted requests are fine, so the control is what broke
        assert the(run, "availability", "run").verdict is Verdict.INCONCLUSIVE


def test_a_cluster_side_that_fails_by_itself_during_the_shift_fails() -> None:
    run = clean_run().fail(Side.CLUSTER, "shift", seconds=1, failure=Failure.STATUS, status=500)
    assert the(run, "availability", "shift").verdict is Verdict.FAIL


def test_too_few_repeats_or_pairs_or_a_problem_are_inconclusive() -> None:
    few = RunBuilder().phase("steady", PhaseKind.STEADY, 15).repeats("deploy", PhaseKind.GRACEFUL, 7, times=2)
    assert "tried 2 times, 3 are needed" in the(few, "availability", "deploy").reason
    short = RunBuilder().phase("steady", PhaseKind.STEADY, 15).repeats("deploy", PhaseKind.GRACEFUL, 2)
    assert "300 complete pairs, 900 are needed" in the(short, "availability", "deploy").reason
    broken = clean_run().change("deploy", 2, problem="nothing was rolled out")
    assert the(broken, "availability", "deploy").verdict is Verdict.INCONCLUSIVE
    for claim in ("availability", "outage", "sufficiency"):
        assert the(broken, claim, "deploy").verdict is Verdict.INCONCLUSIVE
    unconfirmed = clean_run().change("pod-delete", 1, facts={"effect": "not confirmed"})
    assert the(unconfirmed, "availability", "pod-delete").verdict is Verdict.INCONCLUSIVE


def test_the_pooled_bound_needs_its_sample() -> None:
    run = RunBuilder(pairs_per_s=50)
    run.repeats("deploy", PhaseKind.GRACEFUL, 20, facts={"rollout_s": 5.0, "complete": True})
    finding = the(run, "availability", "run")
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert "that takes 4,603 graceful pairs without a loss" in finding.reason
    assert the(run, "availability", "run", quick=True).verdict is Verdict.PASS


def test_both_sides_failing_with_the_action_is_a_doubt_once_and_a_fail_when_it_recurs() -> None:
    def shared(*repeats: int) -> RunBuilder:
        run = clean_run()
        for repeat in repeats:
            for side in (Side.LEGACY, Side.CLUSTER):
                run.fail(side, "deploy", repeat=repeat, after_s=2, seconds=0.2, failure=Failure.STATUS, status=500)
            run.fail(Side.LEGACY, "deploy", repeat=repeat, after_s=1.9, seconds=0.4, failure=Failure.STATUS, status=500)
        return run

    once = the(shared(2), "availability", "deploy")
    assert once.verdict is Verdict.INCONCLUSIVE
    assert "both sides failed together" in once.reason
    again = the(shared(1, 3), "availability", "deploy")
    assert again.verdict is Verdict.FAIL
    assert "breaks with this action" in again.reason
