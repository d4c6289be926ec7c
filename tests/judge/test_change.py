"""A pause of our own load: dead connections must show at once, and noise must not."""

from __future__ import annotations

from fakes.judge_cases import case_of, the

from shiftproof.judge.case import PLANNED_TESTS
from shiftproof.judge.change import loses_by_change
from shiftproof.judge.live import LiveJudge
from shiftproof.model.event import Failure, Side
from shiftproof.model.history import PhaseKind
from shiftproof.model.platform import Objectives
from shiftproof.model.verdict import Verdict
from shiftproof.testing import RunBuilder, clean_run

SHARE = 0.01 / PLANNED_TESTS


def quiet_run(**more: float) -> RunBuilder:
    """Steady, and a pause of 6 s in a phase of 9 s."""
    run = RunBuilder(**more).phase("steady", PhaseKind.STEADY, 10)  # type: ignore[arg-type]
    return run.pause("quiet", quiet_s=6.0, after_s=3.0)


def test_few_losses_of_few_requests_are_decisive_and_two_are_not() -> None:
    assert loses_by_change(5, 200, 0, 10_000, 0.001, SHARE)
    assert not loses_by_change(2, 200, 0, 10_000, 0.001, SHARE)
    assert not loses_by_change(0, 0, 0, 0, 0.001, SHARE)


def test_losses_as_frequent_as_the_controls_own_are_noise() -> None:
    assert loses_by_change(8, 400, 20, 10_000, 0.001, SHARE)
    assert not loses_by_change(8, 400, 200, 10_000, 0.001, SHARE)


def test_a_quiet_spell_that_costs_nothing_passes() -> None:
    run = quiet_run()
    for claim in ("availability", "sufficiency"):
        assert the(run, claim, "quiet").verdict is Verdict.PASS, the(run, claim, "quiet")


def test_each_kept_connection_hanging_once_fails_by_availability_and_outage() -> None:
    run = quiet_run().fail(
        Side.CLUSTER, "quiet", after_s=6.0, seconds=1.0, at_most=8, failure=Failure.TIMEOUT, status=0
    )
    assert the(run, "availability", "quiet").verdict is Verdict.FAIL
    assert the(run, "outage", "quiet").verdict is Verdict.FAIL


def test_dead_connections_are_decided_while_the_run_goes() -> None:
    run = quiet_run().fail(Side.CLUSTER, "quiet", after_s=6.0, seconds=1.0, at_most=8, failure=Failure.TIMEOUT)
    live, phase = LiveJudge(Objectives()), run.find("quiet")
    live.phase_starts("quiet", PhaseKind.LOAD, 1, phase.start_ns)
    decided = live.feed(run.build().events)
    assert decided is not None
    assert (decided.claim, decided.phase) == ("availability", "quiet")


def test_one_failure_after_a_quiet_spell_is_no_verdict_on_it() -> None:
    run = quiet_run().fail(Side.CLUSTER, "quiet", after_s=6.0, seconds=1.0, at_most=1)
    assert the(run, "availability", "quiet").verdict is not Verdict.FAIL
    assert not [f for f in [the(run, "availability", "quiet")] if "culprit" in f.data]


def test_noise_of_both_sides_is_not_blamed_on_the_pause() -> None:
    run = quiet_run()
    for side in (Side.LEGACY, Side.CLUSTER):
        run.fail(side, "steady", after_s=0.0, seconds=10, share=0.02)
        run.fail(side, "quiet", after_s=0.0, seconds=9, share=0.02)
    assert the(run, "availability", "quiet").verdict is not Verdict.FAIL


def test_a_pause_that_was_none_proves_nothing() -> None:
    run = quiet_run().change("quiet", facts={"quiet_s": 30.0})
    found = the(run, "sufficiency", "quiet")
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "pause" in found.reason


def test_another_hole_beside_the_pause_is_not_excused() -> None:
    run = RunBuilder().phase("steady", PhaseKind.STEADY, 10).pause("quiet", quiet_s=6.0, after_s=5.0)
    phase = run.find("quiet")
    run.silent(phase.end_ns - 1_500_000_000, phase.end_ns - 100_000_000)
    found = the(run, "sufficiency", "quiet")
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "beside the pause" in found.reason


def test_the_pause_is_no_load() -> None:
    case = case_of(clean_run())
    assert "quiet" in {phase.name for phase in case.history.phases}
