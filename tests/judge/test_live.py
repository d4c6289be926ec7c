"""The live judge: early, only when it is clear, and whatever order records come in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shiftproof.errors import ClearFail
from shiftproof.judge import LiveJudge, PhaseCount, judge_all, make_case
from shiftproof.model.event import Events, Failure, Side
from shiftproof.model.history import Budget, History, PhaseKind
from shiftproof.model.platform import Latency, Objectives
from shiftproof.model.verdict import Verdict
from shiftproof.testing import RunBuilder, clean_run

_S = 1_000_000_000


def told(history: History, live: LiveJudge, *, until_ns: int | None = None) -> int | None:
    """Replay the run in batches of 200 ms as records end; returns when the live judge decided."""
    events = history.events[np.argsort(history.events["ended_ns"], kind="stable")]
    marks = sorted(
        [(p.start_ns, 0, p) for p in history.phases] + [(p.end_ns, 1, p) for p in history.phases],
        key=lambda mark: mark[:2],
    )
    end = until_ns or int(events["ended_ns"].max()) + 1
    at, step = 0, _S // 5
    for now in range(history.started_ns, end + step, step):
        while marks and marks[0][0] <= now:
            t_ns, what, phase = marks.pop(0)
            if what == 0:
                live.phase_starts(phase.name, phase.kind, phase.repeat, t_ns, phase.budget)
            else:
                live.phase_ends(t_ns)
        last = int(np.searchsorted(events["ended_ns"], now))
        if live.feed(events[at:last]) is not None:
            return now
        at = last
    return None


def test_a_clean_run_is_never_stopped_and_counted_as_the_judges_count() -> None:
    history = clean_run().build()
    live = LiveJudge(Objectives())
    assert told(history, live) is None
    live.check()
    pairs = make_case(history, Objectives()).pairs
    by_phase = {(count.name, count.repeat): count.pairs for count in live.counts()}
    for index, phase in enumerate(history.phases):
        rows = pairs.rows(index)
        assert abs(by_phase[phase.name, phase.repeat] - (rows.stop - rows.start)) <= 60  # batches lag the marks


@pytest.mark.parametrize("phase", ["steady", "deploy", "shift"])
def test_a_total_outage_is_decided_within_a_second(phase: str) -> None:
    side = Side.WEIGHTED if phase == "shift" else Side.CLUSTER
    run = clean_run().fail(side, phase, after_s=3, seconds=3)
    live = LiveJudge(Objectives())
    decided = told(run.build(), live)
    assert decided is not None
    assert decided - (run.find(phase).start_ns + 3 * _S) <= _S
    with pytest.raises(ClearFail, match=phase):
        live.check()


def test_a_total_outage_by_time_outs_is_decided_within_five_seconds() -> None:
    run = clean_run().fail(Side.CLUSTER, "steady", after_s=3, seconds=8, failure=Failure.TIMEOUT)
    decided = told(run.build(), LiveJudge(Objectives()))
    assert decided is not None
    first_failed_ns = run.find("steady").start_ns + 3 * _S
    assert decided - first_failed_ns <= 5 * _S


def lossy(phase: str, *losses: int) -> RunBuilder:
    run = clean_run()
    for repeat, at_most in enumerate(losses, 1):
        side = Side.CLUSTER if phase == "deploy" else Side.WEIGHTED
        run.fail(side, phase, repeat=repeat, after_s=3, seconds=1, at_most=at_most)
    return run


def test_two_repeats_that_lose_requests_are_clear() -> None:
    live = LiveJudge(Objectives())
    assert told(lossy("deploy", 4, 4).build(), live) is not None
    assert live.decided is not None
    assert "2 of 2 repeats so far lost requests (4," in live.decided.reason


def test_few_losses_are_clear_only_beside_a_control_that_stayed_whole_for_long() -> None:
    """In the first action little of the control was seen: the judges at the end say what three losses are then."""
    assert told(lossy("deploy", 2, 1).build(), LiveJudge(Objectives())) is None
    assert told(lossy("rollback", 2, 1).build(), LiveJudge(Objectives())) is not None


def test_one_repeat_that_loses_one_is_not() -> None:
    run = clean_run().fail(Side.CLUSTER, "deploy", repeat=2, after_s=3, seconds=1, at_most=1)
    assert told(run.build(), LiveJudge(Objectives())) is None


def crash(seconds: float, share: float) -> RunBuilder:
    return clean_run().fail(Side.CLUSTER, "node-loss", after_s=2, seconds=seconds, share=share)


def test_a_crash_within_its_budget_is_not_stopped() -> None:
    assert told(crash(2.0, 0.5).build(), LiveJudge(Objectives())) is None


def test_stray_losses_beyond_what_a_budget_covers_are_not_charged_to_it() -> None:
    """400 may be lost within 8 s of the fault: just so many are, and a few more much later."""
    run = clean_run().fail(Side.CLUSTER, "node-loss", after_s=2, seconds=4, at_most=399)
    for after_s in (11, 12.5, 14):
        run.fail(Side.CLUSTER, "node-loss", after_s=after_s, seconds=0.2, at_most=1)
    assert told(run.build(), LiveJudge(Objectives())) is None


@pytest.mark.parametrize("share", [0.01, 0.02, 0.03])
def test_a_machine_on_which_both_sides_fail_at_random_is_no_crash_beyond_its_budget(share: float) -> None:
    run = RunBuilder(pairs_per_s=200)
    run.phase("steady", PhaseKind.STEADY, 15)
    budget = Budget(outage_ms=5000, lost_requests=400, recover_s=6)
    run.phase("pod-kill", PhaseKind.CRASH, 20, budget=budget, facts={"effect": "confirmed"})
    for side in (Side.LEGACY, Side.CLUSTER):
        run.fail(side, "pod-kill", after_s=0, seconds=20, share=share, failure=Failure.STATUS, status=503)
    assert told(run.build(), LiveJudge(Objectives())) is None
    case = make_case(run.build(), Objectives())
    found = {f.claim: f.verdict for f in judge_all(case, ["outage", "recovery"]) if f.phase == "pod-kill"}
    assert Verdict.FAIL not in found.values()
    assert found["recovery"] is Verdict.INCONCLUSIVE


def test_a_crash_beyond_its_budget_is() -> None:
    for run, word in ((crash(3.5, 1.0), "lost already"), (crash(6.5, 0.3), "an outage of at least")):
        live = LiveJudge(Objectives())
        assert told(run.build(), live) is not None
        assert live.decided is not None
        assert word in live.decided.reason


def test_symmetric_noise_does_not_stop_a_run() -> None:
    run = clean_run()
    for side in (Side.LEGACY, Side.CLUSTER):
        run.fail(side, "steady", after_s=0, seconds=15, share=0.02)
    assert told(run.build(), LiveJudge(Objectives())) is None


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_sides_may_come_in_any_order(seed: int) -> None:
    run = RunBuilder(pairs_per_s=100)
    run.phase("shift", PhaseKind.SHIFT, 2, facts={"to_pct": 50})
    run.fail(Side.WEIGHTED, "shift", seconds=0.5, share=0.1).fail(Side.LEGACY, "shift", seconds=0.5, share=0.2)
    history = run.build()
    events: Events = history.events.copy()
    np.random.default_rng(seed).shuffle(events)
    live = LiveJudge(Objectives())
    phase = history.phases[0]
    live.phase_starts(phase.name, phase.kind, phase.repeat, phase.start_ns)
    for batch in np.array_split(events, 7):
        live.feed(batch)
    pairs = make_case(history, Objectives()).pairs
    rows = pairs.rows(0)
    assert live.present() == PhaseCount(
        "shift",
        1,
        int(pairs.complete[rows].sum()),
        int(pairs.attributed[rows].sum()),
        int(pairs.control_only[rows].sum()),
        int(pairs.both_failed[rows].sum()),
    )


def test_a_new_side_that_is_slow_is_decided_while_it_is() -> None:
    """Half of its requests over the threshold: no repeat has to end first."""
    run = clean_run().slow(Side.CLUSTER, "deploy", seconds=7, latency_ms=900, share=0.9)
    for repeat in (2, 3):
        run.slow(Side.CLUSTER, "deploy", repeat=repeat, seconds=7, latency_ms=900, share=0.9)
    live = LiveJudge(Objectives(latency=Latency(tail_ratio=10)))
    decided = told(run.build(), live)
    assert decided is not None
    assert live.decided is not None
    assert (live.decided.claim, live.decided.phase) == ("latency", "deploy")
    assert "took over 500 ms, 0% of the control's" in live.decided.reason
    assert decided < run.find("pod-delete").start_ns


def test_both_sides_slow_is_not_the_new_sides_fault() -> None:
    run = clean_run()
    for side in (Side.LEGACY, Side.CLUSTER):
        run.slow(side, "steady", seconds=15, latency_ms=900, share=0.9)
    assert told(run.build(), LiveJudge(Objectives())) is None


def test_what_the_budget_of_a_crash_covers_is_not_slow() -> None:
    run = clean_run().slow(Side.CLUSTER, "node-loss", after_s=1.6, seconds=7, latency_ms=1500)
    assert told(run.build(), LiveJudge(Objectives())) is None


def test_a_crash_is_held_to_its_budget_from_when_its_fault_began() -> None:
    """Its child takes seconds to start; what is lost late, within the budget all the same, is for the end to judge."""
    run = clean_run().fail(Side.CLUSTER, "node-loss", after_s=9.0, seconds=1.8)
    assert told(run.build(), LiveJudge(Objectives())) is None
    longer = clean_run().fail(Side.CLUSTER, "node-loss", after_s=2.0, seconds=6)
    live = LiveJudge(Objectives())
    assert told(longer.build(), live) is not None
    assert live.decided is not None
    assert live.decided.claim == "outage"


def test_a_tail_far_beyond_the_old_sides_is_decided_while_the_run_goes() -> None:
    run = clean_run()
    for repeat in (1, 2, 3):
        run.slow(Side.CLUSTER, "deploy", repeat=repeat, seconds=7, latency_ms=300, share=0.2)
    live = LiveJudge(Objectives())
    decided = told(run.build(), live)
    assert decided is not None
    assert live.decided is not None
    assert live.decided.claim == "latency"
    assert "its tail is too slow" in live.decided.reason
    assert decided < run.find("pod-delete").start_ns + 5 * _S
