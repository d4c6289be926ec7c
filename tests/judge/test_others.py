"""What Argo Rollouts' and Flagger's rules would have said: their counts, their blind spots, and nothing more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from shiftproof.judge.others import ARGO_ROLLOUTS, COMPRESSED, DOCUMENTED, FLAGGER, OtherVerdict, other_rules
from shiftproof.model.event import Failure, Side, no_events
from shiftproof.model.history import History, PhaseKind
from shiftproof.model.verdict import Verdict
from shiftproof.testing import RunBuilder, clean_run


def steady(seconds: float, pairs_per_s: float = 50.0) -> RunBuilder:
    return RunBuilder(pairs_per_s=pairs_per_s).phase("steady", PhaseKind.STEADY, seconds)


def said(history: History, rule: str, variant: str) -> OtherVerdict:
    (one,) = [v for v in other_rules(history) if (v.rule, v.variant) == (rule, variant)]
    return one


def test_the_rules_are_as_documented() -> None:
    assert (ARGO_ROLLOUTS.interval_s, ARGO_ROLLOUTS.good_needed, ARGO_ROLLOUTS.bad_needed) == (60, 5, 1)
    assert (FLAGGER.interval_s, FLAGGER.good_needed, FLAGGER.bad_needed) == (60, 10, 10)
    assert (ARGO_ROLLOUTS.min_success, FLAGGER.min_success, FLAGGER.max_p99_ms) == (0.95, 0.99, 500)


@pytest.mark.parametrize(
    ("good", "argo", "flagger"),
    [
        ([], (Verdict.INCONCLUSIVE, 0), (Verdict.INCONCLUSIVE, 0)),
        ([True] * 19, (Verdict.PASS, 5), (Verdict.PASS, 10)),
        ([False] * 19, (Verdict.FAIL, 1), (Verdict.FAIL, 10)),
        ([True, False] * 9 + [True], (Verdict.FAIL, 2), (Verdict.PASS, 19)),
        ([False, True] * 9 + [False], (Verdict.FAIL, 1), (Verdict.FAIL, 19)),
        ([True] * 4, (Verdict.INCONCLUSIVE, 4), (Verdict.INCONCLUSIVE, 4)),
    ],
)
def test_counts(good: list[bool], argo: tuple[Verdict, int], flagger: tuple[Verdict, int]) -> None:
    assert ARGO_ROLLOUTS.decide(good) == argo
    assert FLAGGER.decide(good) == flagger


def test_a_gates_traffic_is_too_short_for_them_and_they_say_what_that_comes_to() -> None:
    history = clean_run().build()
    argo, flagger = said(history, "argo-rollouts", DOCUMENTED), said(history, "flagger", DOCUMENTED)
    assert (argo.verdict, argo.decided_after_s) == ("INCONCLUSIVE", None)
    assert argo.reason.startswith("no verdict: 2 good and 0 failed checks, one every 60 s")
    assert argo.reason.endswith("Argo counts it as Successful.")
    assert flagger.verdict == "INCONCLUSIVE"
    assert {said(history, rule, COMPRESSED).verdict for rule in ("argo-rollouts", "flagger")} == {"PASS"}


def test_compressed_fits_all_that_a_rule_can_need_into_the_traffic() -> None:
    history = steady(95).build()
    argo, flagger = said(history, "argo-rollouts", COMPRESSED), said(history, "flagger", COMPRESSED)
    assert argo.decided_after_s == pytest.approx(95, abs=0.5)
    assert flagger.decided_after_s == pytest.approx(50, abs=0.5)


def test_the_first_measurement_is_made_after_one_whole_interval() -> None:
    """At once, as Argo Rollouts does without initialDelay, there is no request to see: it would fail whatever comes."""
    history = steady(310, pairs_per_s=5).fail(Side.CLUSTER, "steady", after_s=0, seconds=59).build()
    found = said(history, "argo-rollouts", DOCUMENTED)
    assert (found.verdict, found.decided_after_s) == ("FAIL", 60)
    assert "0 s to 60 s" in found.reason
    early = said(steady(299, pairs_per_s=5).build(), "argo-rollouts", DOCUMENTED)
    assert (early.verdict, early.decided_after_s) == ("INCONCLUSIVE", None)


def test_long_traffic_is_never_stretched() -> None:
    history = steady(310, pairs_per_s=5).build()
    for variant in (DOCUMENTED, COMPRESSED):
        assert said(history, "argo-rollouts", variant).decided_after_s == 300


def test_a_short_total_outage_passes_both_and_a_long_one_fails_argo() -> None:
    short = steady(300, pairs_per_s=20).fail(Side.CLUSTER, "steady", after_s=70, seconds=2.9)
    assert said(short.build(), "argo-rollouts", DOCUMENTED).verdict == "PASS"
    assert said(short.build(), "flagger", COMPRESSED).verdict == "PASS"
    long = steady(300, pairs_per_s=20).fail(Side.CLUSTER, "steady", after_s=70, seconds=4)
    found = said(long.build(), "argo-rollouts", DOCUMENTED)
    assert (found.verdict, found.decided_after_s) == ("FAIL", 120)
    assert "60 s to 120 s (steady)" in found.reason
    assert "95% wanted" in found.reason


def test_flagger_sees_two_percent_and_argo_does_not() -> None:
    history = steady(100).fail(Side.CLUSTER, "steady", after_s=0, seconds=100, share=0.03).build()
    assert said(history, "argo-rollouts", COMPRESSED).verdict == "PASS"
    assert said(history, "flagger", COMPRESSED).verdict == "FAIL"


def test_flagger_sees_slow_answers_by_its_p99() -> None:
    slow = steady(100).slow(Side.CLUSTER, "steady", seconds=100, latency_ms=600, share=0.05)
    found = said(slow.build(), "flagger", COMPRESSED)
    assert found.verdict == "FAIL"
    assert "over 500 ms" in found.reason
    assert said(slow.build(), "argo-rollouts", COMPRESSED).verdict == "PASS"
    bearable = steady(100).slow(Side.CLUSTER, "steady", seconds=100, latency_ms=450)
    assert said(bearable.build(), "flagger", COMPRESSED).verdict == "PASS"


@pytest.mark.parametrize(
    ("failure", "status", "seen"),
    [
        (Failure.STATUS, 503, True),
        (Failure.RESET, 0, True),
        (Failure.TIMEOUT, 0, True),
        (Failure.STATUS, 409, False),
        (Failure.BODY, 200, False),
        (Failure.NOT_SENT, 0, False),
    ],
)
def test_what_their_metrics_count(failure: Failure, status: int, seen: bool) -> None:
    run = steady(100).fail(Side.CLUSTER, "steady", after_s=0, seconds=100, share=0.5, failure=failure, status=status)
    # Timed-out requests take longer than Flagger allows too, so the success rate alone is asked.
    assert said(run.build(), "argo-rollouts", COMPRESSED).verdict == ("FAIL" if seen else "PASS")


def test_the_control_is_nothing_to_them() -> None:
    history = steady(100).fail(Side.LEGACY, "steady", after_s=0, seconds=100).build()
    assert {one.verdict for one in other_rules(history)} <= {"PASS", "INCONCLUSIVE"}


def test_where_triples_are_sent_the_weighted_one_counts() -> None:
    def shifted(side: Side) -> History:
        run = RunBuilder(pairs_per_s=50).phase("shift", PhaseKind.SHIFT, 100, facts={"from_pct": 0, "to_pct": 25})
        return run.fail(side, "shift", after_s=0, seconds=100).build()

    assert said(shifted(Side.WEIGHTED), "argo-rollouts", COMPRESSED).verdict == "FAIL"
    assert said(shifted(Side.CLUSTER), "argo-rollouts", COMPRESSED).verdict == "PASS"


def test_an_interval_without_a_request_is_a_failed_check() -> None:
    history = steady(300, pairs_per_s=10).build()
    quiet = (history.events["intended_ns"] - history.started_ns) // 1_000_000_000
    gap = replace(history, events=history.events[(quiet < 55) | (quiet > 125)])
    found = said(gap, "argo-rollouts", DOCUMENTED)
    assert (found.verdict, found.decided_after_s) == ("FAIL", 120)
    assert "no request" in found.reason


def test_no_traffic_at_all_is_no_verdict() -> None:
    history = replace(clean_run().build(), events=no_events())
    assert {one.verdict for one in other_rules(history)} == {"INCONCLUSIVE"}
    assert all(one.decided_after_s is None for one in other_rules(history))


@pytest.mark.parametrize(("every", "verdict"), [(21, "PASS"), (19, "FAIL")])
def test_a_success_rate_just_above_the_bound_is_good_and_just_below_it_is_not(every: int, verdict: str) -> None:
    history = steady(100, pairs_per_s=20).build()
    mine = np.flatnonzero(history.events["side"] == Side.CLUSTER)
    hit = mine[np.argsort(history.events["ended_ns"][mine])][::every]
    history.events["failure"][hit], history.events["status"][hit] = Failure.STATUS, 500
    assert said(history, "argo-rollouts", COMPRESSED).verdict == verdict
