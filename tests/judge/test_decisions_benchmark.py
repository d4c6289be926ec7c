"""The benchmark of decisions judges as the gate does, and its streams are what they say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from benchmarks.decisions import graceful, simulated
from benchmarks.decisions.__main__ import main
from benchmarks.decisions.graceful import ACTIONS, DEPTHS, RECOVER_S, defect, judged, noise, spans
from benchmarks.decisions.page import written
from benchmarks.decisions.recorded import recorded
from benchmarks.decisions.rules import Said, contenders, gate
from benchmarks.decisions.simulated import broken
from benchmarks.decisions.streams import BAD, GATE_PAIRS, GATE_SECONDS, GOOD, PAIRS, PAIRS_PER_S, Stream, scenarios
from shiftproof.adapters.locust.events import EventTable, write_parquet
from shiftproof.gate.notes import write_timeline
from shiftproof.gate.settings import FULL, QUICK
from shiftproof.judge import make_case
from shiftproof.judge.case import PLANNED_TESTS
from shiftproof.judge.claims import availability
from shiftproof.model.event import Failure, Side
from shiftproof.model.history import Happening, History, PhaseKind, Source
from shiftproof.model.platform import Objectives
from shiftproof.model.verdict import Verdict, merge
from shiftproof.testing import RunBuilder

ROOT = Path(__file__).parents[2]
#: Experiments in the order in which they are played.
PLAYED = ("pod-delete", "pod-kill", "node-loss", "node-drain")


def history_of(stream: Stream) -> History:
    """A steady phase in which just these pairs fail."""
    history = RunBuilder(pairs_per_s=PAIRS_PER_S, late_ms=0.0).phase("steady", PhaseKind.STEADY, GATE_SECONDS).build()
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
            assert mean == pytest.approx(one.rate, rel=0.3)  # bursts of 20: 180 of them in 40 streams, so 10% of noise
    assert found["independent", "0.10%"].truth_for(0.001, 0.01) == GOOD
    assert found["independent", "0.10%"].truth_for(0.0001, 0.001) == BAD
    assert found["independent", "0.30%"].truth_for(0.001, 0.01) is None
    assert found["healed outage", "3 s"].make(rng).treatment.sum() == 3 * PAIRS_PER_S


def test_every_contender_passes_a_clean_stream_and_fails_a_dead_one() -> None:
    (clean, dead) = (
        next(one for one in scenarios() if one.name == name).make(np.random.default_rng(1))
        for name in ("0.00%", "100.00%")
    )
    for one in contenders(0.001, 0.01):
        assert one.decide(clean).verdict is Verdict.PASS
        assert one.decide(dead).verdict is Verdict.FAIL


def test_the_counting_rule_is_the_one_that_the_judge_counts_by() -> None:
    sure = defect(FULL, 0.01, 1)
    assert sure["fail"] == pytest.approx(0.993, abs=0.0005), "as gate/settings.py says of 300 pairs"
    assert sum(defect(QUICK, 0.0003, 5)[name] for name in ("fail", "pass", "inconclusive")) == pytest.approx(1)
    silent = {"rate": 0.0, "fail": 0.0, "fail_once": 0.0, "pass": 1.0, "inconclusive": 0.0}
    assert noise(FULL, 0.0, 50, np.random.default_rng(1)) == silent
    assert noise(FULL, 0.00003, 2_000, np.random.default_rng(1))["fail"] < 0.02


def test_graceful_actions_are_those_of_the_suites_and_of_payments() -> None:
    platform = yaml.safe_load((ROOT / "infra/platform.yaml").read_text())
    (payments,) = [one for one in platform["services"] if one["name"] == "payments"]
    assert payments["load"]["pairs_per_s"] == PAIRS_PER_S
    experiments = {name: yaml.safe_load((ROOT / f"experiments/{name}.yaml").read_text()) for name in PLAYED}
    assert payments["experiments"] == list(PLAYED)
    for name, experiment in experiments.items():
        (own,) = [one for one in experiment["extensions"] if one["name"] == "shiftproof"]
        assert (own["kind"] == "graceful") == (name in ACTIONS)
        if name in RECOVER_S:
            assert own["budget"]["recover_s"] == RECOVER_S[name]
    for depth in (FULL, QUICK):
        tries = [span for span in spans(depth) if span.name in ACTIONS]
        assert len(tries) == depth.repeats * len(ACTIONS)
        assert {span.end - span.start for span in tries} == {depth.pairs_per_action}


def test_looks_after_each_loss_see_what_one_look_at_the_end_forgives() -> None:
    """Early losses and none of the control by then; what the control loses later cannot take the FAIL back."""
    first, second, _ = (span for span in spans(FULL) if span.name == "deploy")
    two = {first.start + 5, second.start + 5}
    assert not judged(spans(FULL), {spans(FULL)[-1].start}, two, set()).live, "two may be chance so early"
    assert judged(spans(FULL), set(), two, set()).once, "and are none beside a control that lost nothing at all"
    early = {span.start + at for span in (first, second) for at in (5, 6, 7)}
    late = {span.start + 7 for span in spans(FULL) if span.name not in ("steady", "deploy")}
    found = judged(spans(FULL), late, early, set())
    assert (found.live, found.once, found.clean) == (True, False, False)
    assert not judged(spans(FULL), late | {0, 1, 2, 3}, early, set()).live
    assert judged(spans(FULL), early, early, set()).clean


def test_errors_beyond_what_is_stated_end_with_1_once_all_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = _result(wrong=0.03)
    (tmp_path / "decisions.json").write_text(json.dumps(made))
    asked = ["decisions", "--recorded-only", "--reports", str(tmp_path / "none"), "--out", str(tmp_path)]
    monkeypatch.setattr("sys.argv", asked)
    assert main() == 1
    assert "rate test on 0.10%: 3.00% of 2,000, 1.00% stated" in capsys.readouterr().err
    assert "0.0125% is the gate's share" in (tmp_path / "decisions.md").read_text()
    assert not broken(_result(wrong=0.0125)["simulated"])
    assert not broken([_result(wrong=0.5)["simulated"][0] | {"stated": None}])


def _result(wrong: float) -> dict[str, Any]:
    rule = next(one for one in contenders(0.001, 0.01) if one.name == "rate test")
    scenario = next(one for one in scenarios() if one.name == "0.10%")
    row = simulated.run([scenario], [rule], 1, np.random.default_rng(1), lambda _: None)[0]
    row |= {"streams": 2_000, "wrong": wrong, "failed": wrong}
    return {
        "machine": dict.fromkeys(("cores", "memory", "kernel", "python", "numpy", "scipy"), "1"),
        "seed": 1,
        "p0": 0.001,
        "p1": 0.01,
        "planned_tests": 80,
        "pairs_per_s": PAIRS_PER_S,
        "seconds": 1.0,
        "exact": [],
        "pairs": [],
        "graceful": {},
        "simulated": [row],
        "recorded": [],
    }


def test_stated_errors_are_held_to_where_failures_are_independent_and_nowhere_else() -> None:
    rules = [one for one in contenders(0.001, 0.01) if one.stated is not None]
    assert [one.name for one in rules] == ["rate test", "exact SPRT", "Wald's SPRT", "fixed sample", "gate"]
    named = {one.name: one for one in scenarios()}
    some = [named[name] for name in ("0.10%", "0.10% in bursts of 3", "1% on each side by itself")]
    rows = simulated.run(some, rules, 1, np.random.default_rng(1), lambda _: None)
    held = {(row["scenario"], row["rule"]) for row in rows if row["stated"] is not None}
    assert held == {("0.10%", one.name) for one in rules} | {("1% on each side by itself", "gate")}


def test_a_cell_tells_requests_and_seconds() -> None:
    text = written(_result(wrong=0.0))
    assert re.search(r"\| 0\.10% \| .*0; [\d,]+ / [\d,]+; [\d.]+ / [\d.]+ s \|", text)


def test_recorded_runs_are_joined_with_their_phases_and_their_place_is_not_told(tmp_path: Path) -> None:
    run = RunBuilder(pairs_per_s=100).phase("steady", PhaseKind.STEADY, 10)
    run.phase("shift", PhaseKind.SHIFT, 10, facts={"from_pct": 0, "to_pct": 25})
    run.fail(Side.WEIGHTED, "shift", after_s=0.5, seconds=0.1)
    write_run(tmp_path / "20261123-000000-payments-aaaaaa", run.build())
    (tmp_path / "20261123-000001-payments-bbbbbb").mkdir()
    (tmp_path / "20261123-000001-payments-bbbbbb" / "events.parquet").write_text("damaged")
    (tmp_path / "20261123-000001-payments-bbbbbb" / "verdict.json").write_text("{}")
    damaged, row = recorded(tmp_path, 0.001, 0.01, 5)
    assert (row["attributed"], row["control_only"], row["pairs"]) == (10, 0, 2_050)
    said = {one["test"]: (one["verdict"], one["pairs"]) for one in row["tests"]}
    assert said == {
        "rate test": ("PASS", 492),
        "exact SPRT": ("PASS", 508),
        "Wald's SPRT": ("PASS", 508),
        "fixed sample": ("FAIL", 1157),
    }
    assert str(tmp_path) not in str(damaged)
    page = written({**_result(wrong=0.0), "recorded": [damaged, row]})
    assert str(tmp_path) not in page
    assert "PASS; 492; 4.9 s" in page


def write_run(folder: Path, history: History) -> None:
    """As a gate leaves it, as far as the benchmark reads it."""
    folder.mkdir()
    marks = [
        Happening(t_ns, Source.SHIFTPROOF, kind, f"phase/{phase.name}", "", data)
        for phase in history.phases
        for t_ns, kind, data in (
            (phase.start_ns, "phase.start", {"repeat": phase.repeat, "phase_kind": phase.kind}),
            (phase.end_ns, "phase.end", {"repeat": phase.repeat}),
        )
    ]
    write_parquet(folder / "events.parquet", EventTable(history.events, history.operations, history.servers))
    write_timeline(folder / "timeline.jsonl", marks)
    verdict = {"run": {"defect": None}, "verdict": "PASS", "seconds": 20.0, "claims": []}
    (folder / "verdict.json").write_text(json.dumps(verdict))


def test_a_recorded_run_that_is_too_short_for_a_fixed_sample_is_no_pass() -> None:
    fixed = next(one for one in contenders(0.001, 0.01) if one.name == "fixed sample")
    short = Stream(np.zeros(1_000, dtype=np.bool_), np.zeros(1_000, dtype=np.bool_))
    assert fixed.decide(short) == Said(Verdict.INCONCLUSIVE, 1_000)


def test_the_published_figures_are_of_the_gate_as_it_is() -> None:
    published = json.loads((ROOT / "benchmarks/results/decisions.json").read_text())
    assert published["planned_tests"] == PLANNED_TESTS
    assert published["pairs_per_s"] == PAIRS_PER_S
    for name, depth in DEPTHS.items():
        assert published["graceful"][name]["pairs"] == depth.pairs_per_action
    assert not broken(published["simulated"])
    assert not graceful.broken(published["graceful"])


def test_noise_that_fails_more_runs_than_stated_is_told() -> None:
    """What chance alone would show is let pass."""

    def rows(share: float) -> dict[str, Any]:
        return {"full": {"runs": 2_000, "noise": [{"rate": 0.0001, "fail": share}]}}

    assert not graceful.broken(rows(0.03))
    (told,) = graceful.broken(rows(0.04))
    assert "noise of 0.0100%: 4.00%, 2.5% stated" in told


def test_the_document_has_the_published_figures_of_the_counting_rule() -> None:
    published = json.loads((ROOT / "benchmarks/results/decisions.json").read_text())["graceful"]
    document = (ROOT / "docs/STATISTICS.md").read_text()
    for one in ("defect", "noise"):
        for full, quick in zip(published["full"][one], published["quick"][one], strict=True):
            if full.get("actions", 1) == 1:
                cells = [f"{depth[what]:.2%}" for depth in (full, quick) for what in ("fail", "inconclusive", "pass")]
                assert f"| {_rate(full['rate'])} | {' | '.join(cells)} |" in document


def _rate(rate: float) -> str:
    return f"{100 * rate:.4f}".rstrip("0").rstrip(".") + "%"


def test_the_documents_table_of_tests_adds_up() -> None:
    document = (ROOT / "docs/STATISTICS.md").read_text()
    table = document[document.index("| claim | test | where |") :].split("\n\n")[0].splitlines()[2:]
    at_end, underway = ([_number(row.split("|")[place]) for row in table] for place in (4, 5))
    assert (sum(at_end[:-1]), sum(underway[:-1])) == (at_end[-1], underway[-1])
    assert f"has 1% / {PLANNED_TESTS} " in document
    assert f"strictly {at_end[-1] + underway[-1]} tests" in document


def _number(cell: str) -> int:
    cell = cell.strip(" *")
    return int(cell) if cell.isdigit() else 0
