"""Who follows the weights: free traffic by share, clients with cookies in time, and nothing told twice."""

from __future__ import annotations

import numpy as np
import pytest
from fakes.judge_cases import findings_of, not_passed, the

from shiftproof.judge import judge_all, make_case
from shiftproof.model.event import WITH_COOKIES, Side
from shiftproof.model.history import PhaseKind
from shiftproof.model.platform import Objectives
from shiftproof.model.verdict import Verdict
from shiftproof.testing import RunBuilder, clean_run


def moved(kind: PhaseKind, from_pct: int, to_pct: int, seconds: float = 14.0) -> RunBuilder:
    """Three repeats of one change of weights, watched beyond the objective of 10 s."""
    facts = {"seconds": 0.4, "from_pct": from_pct, "to_pct": to_pct}
    return RunBuilder().repeats(str(kind), kind, seconds, facts=facts)


def held(run: RunBuilder, name: str, holds_s: float) -> RunBuilder:
    for repeat in (1, 2, 3):
        run.sticky(name, repeat=repeat, holds_s=holds_s)
    return run


def test_without_cookies_traffic_goes_by_the_weights() -> None:
    for name in ("shift", "rollback"):
        found = the(clean_run(), "stickiness", name)
        assert found.verdict is Verdict.PASS
        assert "0 of them carried cookies" in found.reason


def test_a_run_without_a_change_of_weights_shows_nothing() -> None:
    run = RunBuilder().phase("steady", PhaseKind.STEADY, 10)
    assert the(run, "stickiness", "run").verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("from_pct", "to_pct"), [(0, 25), (25, 50), (0, 100), (50, 25)])
def test_a_shift_that_does_not_move_clients_with_cookies_fails(from_pct: int, to_pct: int) -> None:
    found = the(held(moved(PhaseKind.SHIFT, from_pct, to_pct), "shift", 60), "stickiness", "shift")
    assert found.verdict is Verdict.FAIL
    assert "cookies" in found.reason
    assert "stickiness" in found.data["hint"]


def test_a_rollback_that_leaves_clients_behind_fails_once() -> None:
    run = held(moved(PhaseKind.ROLLBACK, 25, 0), "rollback", 60)
    found = the(run, "stickiness", "rollback")
    assert found.verdict is Verdict.FAIL
    assert "20 clients" in found.reason
    assert the(run, "rollback", "rollback").verdict is Verdict.PASS


def test_clients_that_follow_within_the_objective_pass_and_the_time_is_told() -> None:
    found = the(held(moved(PhaseKind.ROLLBACK, 25, 0), "rollback", 6), "stickiness", "rollback")
    assert found.verdict is Verdict.PASS
    assert 5.5 < max(found.data["lag_s"]) < 6.1


def test_clients_that_still_stray_when_the_watching_ends_prove_nothing() -> None:
    found = the(held(moved(PhaseKind.ROLLBACK, 25, 0, seconds=7), "rollback", 60), "stickiness", "rollback")
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "nobody watched" in found.reason


@pytest.mark.parametrize(("from_pct", "to_pct"), [(0, 5), (0, 25), (25, 50), (0, 100)])
def test_cookies_that_hold_nobody_are_no_stickiness(from_pct: int, to_pct: int) -> None:
    run = held(moved(PhaseKind.SHIFT, from_pct, to_pct), "shift", 0)
    assert the(run, "stickiness", "shift").verdict is Verdict.PASS


@pytest.mark.parametrize(("ends_s", "verdict"), [(4, Verdict.PASS), (11, Verdict.FAIL)])
def test_cookies_that_end_hold_clients_for_as_long_as_they_last(ends_s: float, verdict: Verdict) -> None:
    run = held(moved(PhaseKind.SHIFT, 0, 25, seconds=20), "shift", ends_s)
    for repeat in (1, 2, 3):
        run.change("shift", repeat, action_end_ns=run.find("shift", repeat).action_start_ns + 100_000_000)
    history = run.build()
    starts = np.array([phase.start_ns for phase in history.phases])
    phase = np.searchsorted(starts, history.events["intended_ns"], side="right") - 1
    since_ns = history.events["intended_ns"] - np.array([phase.action_start_ns for phase in history.phases])[phase]
    history.events["flags"][since_ns > ends_s * 1e9] &= ~np.uint8(WITH_COOKIES)
    found = [f for f in judge_all(make_case(history, Objectives()), ["stickiness"]) if f.phase == "shift"]
    assert [f.verdict for f in found] == [verdict], found[0].reason
    assert found[0].data["lag_s"] == pytest.approx([ends_s] * 3, abs=0.1)


def test_a_few_percent_of_few_clients_may_be_chance_and_are_said_to_be() -> None:
    found = the(held(moved(PhaseKind.SHIFT, 0, 5), "shift", 60), "stickiness", "shift")
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "too few clients" in found.reason


def test_weights_that_move_nothing_fail() -> None:
    history = clean_run().build()
    history.events["served_by"][history.events["side"] == Side.WEIGHTED] = 1
    found = [f for f in judge_all(make_case(history, Objectives()), ["stickiness"]) if f.phase == "shift"]
    assert [f.verdict for f in found] == [Verdict.FAIL]
    assert "hint" not in found[0].data


@pytest.mark.parametrize(
    ("keeps", "verdict"), [(1.0, Verdict.PASS), (0.76, Verdict.INCONCLUSIVE), (0.7, Verdict.FAIL), (0.3, Verdict.FAIL)]
)
def test_a_share_that_no_repeat_refutes_may_be_refuted_by_all_of_them(keeps: float, verdict: Verdict) -> None:
    """Of those that should go to the cluster side only some do: 25% becomes 19%, 17%, 7%."""
    history = moved(PhaseKind.SHIFT, 0, 25, seconds=5).build()
    events = history.events
    back = (events["side"] == Side.WEIGHTED) & (np.random.default_rng(1).random(len(events)) > keeps)
    legacy = int(events["served_by"][events["side"] == Side.LEGACY][0])
    events["served_by"][back] = legacy
    (found,) = (f for f in judge_all(make_case(history, Objectives()), ["stickiness"]) if f.phase == "shift")
    assert found.verdict is verdict, found.reason
    assert ("in all repeats together" in found.reason) is (0.3 < keeps < 1.0), found.reason


def test_traffic_without_cookies_that_stays_is_told_by_the_rollback_claim_alone() -> None:
    history = clean_run().build()
    rows = (history.events["side"] == Side.WEIGHTED) & np.isin(history.events["pair"] % 4, [0])
    history.events["served_by"][rows] = 3
    findings = judge_all(make_case(history, Objectives()), ["rollback", "stickiness"])
    verdicts = {(f.claim, f.phase): f.verdict for f in findings}
    assert verdicts["rollback", "rollback"] is Verdict.FAIL
    assert verdicts["stickiness", "rollback"] is Verdict.PASS


def test_no_finding_of_a_clean_run_is_about_it() -> None:
    assert not_passed(clean_run()) == {}
    assert findings_of(clean_run(), "stickiness")


def test_a_drill_that_proved_nothing_proves_nothing_here() -> None:
    run = clean_run().change("shift", 2, problem="too few to tell")
    assert the(run, "stickiness", "shift").verdict is Verdict.INCONCLUSIVE
    run = clean_run().change("shift", 2, facts={})
    assert the(run, "stickiness", "shift").verdict is Verdict.INCONCLUSIVE
