"""Deploy and rollback: what the drills measured, held against what the traffic shows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fakes.judge_cases import the

from shiftproof.judge import judge_all, make_case
from shiftproof.judge.startup import hint_for
from shiftproof.model.event import Side
from shiftproof.model.history import Source
from shiftproof.model.platform import Objectives
from shiftproof.model.verdict import Verdict
from shiftproof.testing import RunBuilder, clean_run

MESSAGE = "couldn't find key DATABASE_URL in Secret payments/payments"


def stuck() -> RunBuilder:
    facts = {"rollout_s": 60.0, "complete": False, "problem": f"1 pod: CreateContainerConfigError: {MESSAGE}"}
    run = clean_run().change("deploy", 1, facts=facts)
    return run.happen(
        "deploy",
        "pod.failing",
        "pod/payments-d4",
        after_s=1.2,
        source=Source.KUBERNETES,
        reason="CreateContainerConfigError",
        message=MESSAGE,
    )


def test_a_rollout_that_does_not_end_fails_in_the_pods_own_words() -> None:
    finding = the(stuck(), "deploy", "deploy")
    assert finding.verdict is Verdict.FAIL
    assert MESSAGE in finding.reason
    assert finding.data["culprit"].endswith(f"1 pod could not start: CreateContainerConfigError: {MESSAGE}")
    assert "add the missing key" in finding.data["hint"]
    assert finding.reason.startswith("the rollout (repeat 1) was not complete after 60 s: 1 pod: CreateCont")


def test_without_the_drills_word_the_timeline_says_why() -> None:
    run = stuck().change("deploy", 1, facts={"rollout_s": 60.0, "complete": False, "problem": None})
    assert "1 pod could not start: CreateContainerConfigError" in the(run, "deploy", "deploy").reason


def test_a_new_container_that_ends_by_itself_is_why_and_its_probe_is_only_a_symptom() -> None:
    facts = {"rollout_s": 60.0, "complete": False, "problem": "0 new pods ready of 3, 3 old ones left"}
    run = clean_run().change("deploy", 1, facts=facts)
    run.happen(
        "deploy", "event.warning", "pod/payments-d4", after_s=1.0, source=Source.KUBERNETES, reason="Unhealthy",
        message="Startup probe failed: connection refused",
    )  # fmt: skip
    run.happen(
        "deploy", "pod.stopped", "pod/payments-d4", after_s=2.0, source=Source.KUBERNETES, exit_code=1, reason="Error",
        message="payments: the database did not answer",
    )  # fmt: skip
    run.happen("deploy", "pod.terminating", "pod/payments-a1", after_s=1.0, source=Source.KUBERNETES)
    run.happen("deploy", "pod.stopped", "pod/payments-a1", after_s=1.5, source=Source.KUBERNETES, exit_code=143)
    data = the(run, "deploy", "deploy").data
    assert data["culprit"].endswith("1 pod could not start: Error: exit code 1: payments: the database did not answer")
    assert "kubectl logs --previous" in data["hint"]


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        ({"rollout_s": 61.0, "complete": True}, Verdict.FAIL),
        ({"rollout_s": 59.0, "complete": True}, Verdict.PASS),
        ({}, Verdict.INCONCLUSIVE),
        ({"rollout_s": 5.0}, Verdict.INCONCLUSIVE),
    ],
)
def test_rollouts_have_a_deadline(facts: dict[str, Any], verdict: Verdict) -> None:
    assert the(clean_run().change("deploy", 3, facts=facts), "deploy", "deploy").verdict is verdict


def test_unknown_reasons_have_no_hint() -> None:
    assert hint_for("NobodyKnows") is None
    assert "image" in (hint_for("ErrImageNeverPull") or "")


@pytest.mark.parametrize(
    ("facts", "verdict", "word"),
    [
        ({"seconds": 10.5, "from_pct": 25, "to_pct": 0}, Verdict.FAIL, "10.5 s until traffic was back"),
        ({"seconds": None, "from_pct": 25, "to_pct": 0}, Verdict.FAIL, "did not follow within 10 s"),
        ({}, Verdict.INCONCLUSIVE, "no record"),
    ],
)
def test_a_slow_or_unmeasured_rollback(facts: dict[str, Any], verdict: Verdict, word: str) -> None:
    finding = the(clean_run().change("rollback", 2, facts=facts), "rollback", "rollback")
    assert finding.verdict is verdict
    assert word in finding.reason


def test_weights_that_say_zero_while_traffic_still_comes() -> None:
    run = clean_run()
    history = run.build()
    phase = run.find("rollback", 2)
    mine = (history.events["side"] == Side.WEIGHTED) & (history.events["intended_ns"] >= phase.start_ns)
    mine &= history.events["intended_ns"] < phase.end_ns
    history.events["served_by"][mine] = 3
    (finding,) = judge_all(make_case(history, Objectives()), ["rollback"])
    assert finding.verdict is Verdict.FAIL
    assert "still got" in finding.reason


def test_a_rollback_that_had_nothing_to_take_back() -> None:
    run = clean_run()
    history = run.build()
    phase = run.find("rollback", 1)
    mine = (history.events["side"] == Side.WEIGHTED) & (history.events["intended_ns"] >= phase.start_ns)
    mine &= history.events["intended_ns"] < phase.end_ns
    history.events["served_by"][mine] = 1
    (finding,) = judge_all(make_case(history, Objectives()), ["rollback"])
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert "it took nothing back" in finding.reason


@pytest.mark.parametrize(("ended_after_s", "verdict"), [(-0.01, Verdict.FAIL), (0.05, Verdict.PASS)])
def test_a_request_still_open_as_the_phase_ends_may_have_gone_by_the_next_weights(
    ended_after_s: float, verdict: Verdict
) -> None:
    run = clean_run()
    history = run.build()
    phase = run.find("rollback", 2)
    mine = (history.events["side"] == Side.WEIGHTED) & (history.events["intended_ns"] < phase.end_ns)
    last = np.flatnonzero(mine & (history.events["intended_ns"] >= phase.start_ns))[-1]
    history.events["served_by"][last] = 3
    history.events["ended_ns"][last] = phase.end_ns + int(ended_after_s * 1e9)
    (finding,) = judge_all(make_case(history, Objectives()), ["rollback"])
    assert finding.verdict is verdict
