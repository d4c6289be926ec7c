"""A tail that is much slower than the old side's own, below the objective's threshold."""

from __future__ import annotations

import numpy as np
from fakes.judge_cases import findings_of, the

from shiftproof.judge.tail import mostly_above, tail_limit_ms
from shiftproof.model.event import Side
from shiftproof.model.history import Source
from shiftproof.model.platform import Latency
from shiftproof.model.verdict import Verdict
from shiftproof.testing import RunBuilder, clean_run


def stalling(side: Side, share: float, latency_ms: float = 300) -> RunBuilder:
    """Some requests of one side take 300 ms in every deploy: below the threshold of 500, five times the usual."""
    run = clean_run()
    for repeat in (1, 2, 3):
        run.slow(side, "deploy", repeat=repeat, seconds=7, latency_ms=latency_ms, share=share)
    return run


def test_a_clean_run_has_no_tail() -> None:
    assert {finding.verdict for finding in findings_of(clean_run(), "latency")} == {Verdict.PASS}


def test_a_tail_below_the_threshold_fails_when_it_is_far_beyond_the_old_sides() -> None:
    found = the(stalling(Side.CLUSTER, 0.15), "latency", "deploy")
    assert found.verdict is Verdict.FAIL
    assert "(2 times what 99% of the control's keep to at rest), 0% on the control" in found.reason
    assert found.data["bad_seconds"] > 15


def test_a_tail_within_the_ratio_is_let_alone() -> None:
    assert the(stalling(Side.CLUSTER, 0.15, latency_ms=120), "latency", "deploy").verdict is Verdict.PASS


def test_a_few_slow_requests_are_no_slow_tail() -> None:
    assert the(stalling(Side.CLUSTER, 0.02), "latency", "deploy").verdict is Verdict.PASS


def test_a_control_with_the_same_tail_has_it_from_something_shared() -> None:
    run = stalling(Side.CLUSTER, 0.15)
    for repeat in (1, 2, 3):
        run.slow(Side.LEGACY, "deploy", repeat=repeat, seconds=7, latency_ms=300, share=0.15)
    assert the(run, "latency", "deploy").verdict is Verdict.PASS


def test_the_limit() -> None:
    objective = Latency(threshold_ms=500, tail_ratio=2)
    assert tail_limit_ms(np.full(1000, 60.0), objective) == 120
    assert tail_limit_ms(np.full(1000, 5.0), objective) == 100, "a ratio of small times means nothing to anybody"
    assert tail_limit_ms(np.full(1000, 400.0), objective) is None, "the threshold itself is nearer"
    assert tail_limit_ms(np.full(100, 60.0), objective) is None, "too few to know the control's tail by"


def test_as_many_bad_seconds_as_good_ones_prove_nothing() -> None:
    values = np.tile([0.2, 0.0], 100)
    bad, crossing = mostly_above(values, 0.05, 1e-4)
    assert bad == 100
    assert not crossing.reached


def test_a_cpu_limit_that_stopped_the_pods_is_named() -> None:
    run = stalling(Side.CLUSTER, 0.15)
    for pod, stopped in (("payments-a1", 61), ("payments-b2", 40), ("payments-c3", 1)):
        run.happen(
            "node-loss", "pod.throttled", f"pod/{pod}", after_s=14, source=Source.KUBERNETES, throttled=stopped,
            periods=100, cpu_limit="50m",
        )  # fmt: skip
    data = the(run, "latency", "deploy").data
    assert data["culprit"] == (
        "pod payments-a1 (and 1 other pod) was stopped by its CPU limit of 50m in 61% of the tenths of a second in"
        " which it had work."
    )
    assert "CPU limit" in data["hint"]
