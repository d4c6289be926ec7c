"""The benchmark of decisions judges as the gate does, and its streams are what they say."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.decisions.graceful import defect, noise
from benchmarks.decisions.rules import contenders, gate
from benchmarks.decisions.streams import BAD, GATE_PAIRS, GATE_SECONDS, GOOD, PAIRS, Stream, scenarios
from shiftproof.judge import make_case
from shiftproof.judge.claims import availability
from shiftproof.model.event import Failure, Side
from shiftproof.model.history import History, PhaseKind
from shiftproof.model.platform import Objectives
from shiftproof.model.verdict import Verdict, merge
from shiftproof.testing import RunBuilder


def history_of(stream: Stream) -> History:
    """A steady phase in which just these pairs fail."""
    history = RunBuilder(pairs_per_s=150, late_ms=0.0).phase("steady", PhaseKind.STEADY, GATE_SECONDS).build()
    columns = {Side.CLUSTER: stream.treatment, Side.LEGACY: stream.control}
    for side, failed in columns.items():
        mine = np.flatnonzero(history.events["side"] == side)
        hit = mine[failed[history.events["pair"][mine]]]
        history.events["failure"][hit], history.events["status"][hit] = Failure.RESET, 0
    return history


@pytest.mark.parametrize(
    "name", ["0.01%", "0.05%", "0.10%", "0.05 s", "0.2 s", "1% on each side by itself", "0.10% in bursts of 3"]
)
def test_the_gate_of_the_benchmark_says_what_the_claim_says(name: str) -> None:
    (scenario,) = [one for one in scenarios() if one.name == name]
    rng = np.random.default_rng(11)
    for _ in range(3):
        stream = scenario.make(rng)
        said = gate(stream)
        findings = list(availability.judge(make_case(history_of(stream), Objectives())))
        # Its finding about all graceful pairs has none to look at here.
        claimed = merge(one.verdict for one in findings if "graceful_pairs" not in one.data)
        if claimed is Verdict.PASS:
            assert said.verdict is not Verdict.FAIL
        else:
            assert said.verdict is claimed
        assert said.pairs <= GATE_PAIRS


def test_streams_have_the_rates_and_the_truths_that_they_say() -> None:
    rng = np.random.default_rng(2)
    found = {(one.kind, one.name): one for one in scenarios()}
    for one in found.values():
        stream = one.make(rng)
        assert len(stream.treatment) == len(stream.control) == PAIRS
        if one.rate is not None and one.rate >= 0.001:
            mean = np.mean([one.make(rng).treatment.mean() for _ in range(40)])
            assert mean == pytest.approx(one.rate, rel=0.3)  # bursts of 20: 340 of them in 40 streams, so 7% of noise
    assert found["independent", "0.10%"].truth_for(0.001, 0.01) == GOOD
    assert found["independent", "0.10%"].truth_for(0.0001, 0.001) == BAD
    assert found["independent", "0.30%"].truth_for(0.001, 0.01) is None
    assert found["healed outage", "3 s"].make(rng).treatment.sum() == 450


def test_every_contender_passes_a_clean_stream_and_fails_a_dead_one() -> None:
    (clean, dead) = (
        next(one for one in scenarios() if one.name == name).make(np.random.default_rng(1))
        for name in ("0.00%", "100.00%")
    )
    for one in contenders(0.001, 0.01):
        assert one.decide(clean).verdict is Verdict.PASS
        assert one.decide(dead).verdict is Verdict.FAIL


def test_the_counting_rule_is_the_one_that_the_judge_counts_by() -> None:
    sure = defect(0.01, 1)
    assert sure["fail"] > 0.9999
    assert sum(defect(0.0003, 6)[name] for name in ("fail", "pass", "inconclusive")) == pytest.approx(1)
    assert noise(0.0, 50, np.random.default_rng(1)) == {"rate": 0.0, "fail": 0.0, "pass": 1.0, "inconclusive": 0.0}
    assert noise(0.00003, 4_000, np.random.default_rng(1))["fail"] < 0.02
