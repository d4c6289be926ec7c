"""The live judge hears probes: it decides what the claims decide at the end, as soon as it can be known."""

from __future__ import annotations

from shiftproof.judge import LiveJudge
from shiftproof.model.platform import Objectives
from shiftproof.model.probe import STATUS, Kind, ProbeKind
from shiftproof.model.verdict import Finding
from shiftproof.testing import RunBuilder, clean_run
from shiftproof.testing_probes import ProbeChange


def heard(run: RunBuilder, ignore: tuple[str, ...] = ()) -> tuple[Finding | None, float]:
    """What the live judge decided, and how many seconds into the run."""
    live = LiveJudge(Objectives(), ignore=ignore)
    history = run.build()
    for phase in history.phases:
        live.phase_starts(phase.name, phase.kind, phase.repeat, phase.start_ns, phase.budget)
        live.phase_ends(phase.end_ns)
    for record in history.probes:
        decided = live.hear([record])
        if decided is not None:
            return decided, (record.end_ns - history.started_ns) / 1e9
    return None, 0.0


def test_money_that_differs_ends_the_run_within_two_conversations() -> None:
    decided, after_s = heard(clean_run().differ("amount"))
    assert decided is not None
    assert (decided.claim, decided.phase) == ("parity", "steady")
    assert after_s < 2.5
    assert decided.reason.startswith("create: amount differs from legacy's, in 2 of 2 conversations")
    assert decided.data["decided_early"] is True


def test_any_other_field_takes_a_dozen_seconds_at_most() -> None:
    decided, after_s = heard(clean_run().differ("created_at", Kind.MISSING))
    assert decided is not None
    assert 5 < after_s < 13


def test_a_status_that_is_always_wrong_ends_the_run_within_a_dozen_seconds() -> None:
    for run in (clean_run().differ("status"), clean_run().differ("payments[].status", operation="list")):
        decided, after_s = heard(run)
        assert decided is not None
        assert (decided.claim, decided.phase) == ("parity", "steady")
        assert 5 < after_s < 13
        assert "in 22 of 22 conversations" in decided.reason


def test_one_key_that_took_effect_twice_ends_the_run_once_legacy_is_known_never_to_do_it() -> None:
    decided, _ = heard(clean_run().double(name="shift", at_most=1))
    assert decided is not None
    assert (decided.claim, decided.phase) == ("duplicates", "shift")
    early, after_s = heard(clean_run().double(name="steady", at_most=1))
    assert early is not None
    assert early.phase == "steady"
    assert 18 < after_s < 25  # forty conversations, and the pauses between phases
    both, after_s = heard(clean_run().double(name="steady", at_most=2))
    assert both is not None
    assert after_s < 2.5


def test_a_double_that_legacy_makes_a_moment_later_ends_nothing() -> None:
    """Which of two sides that both do it is the first is a coin's toss, and no reason to fail."""
    run = clean_run().double(name="steady", at_most=1)
    assert heard(run)[0] is not None
    both = ProbeChange(run.find("steady"), ProbeKind.DUPLICATE, 0.1, at_most=1, in_control=True, applied=2)
    run._probe_changes.append(both)
    assert heard(run)[0] is None


def test_noise_crashes_and_accepted_fields_end_nothing() -> None:
    assert heard(clean_run())[0] is None
    assert heard(clean_run().differ("rank").differ("rank", in_control=True))[0] is None
    assert heard(clean_run().differ("note"), ignore=("note",))[0] is None
    crash = clean_run().differ(STATUS, Kind.STATUS, name="node-loss", detail="200 against 500")
    assert heard(crash)[0] is None
    assert heard(clean_run().double(legacy=True))[0] is None


def test_noise_alone_ends_a_run_no_more_often_than_promised() -> None:
    """A dozen runs of a gate's length with ten fields that each differ at random on both sides alike."""
    ended = 0
    for seed in range(12):
        run = clean_run(seed=seed)
        for number in range(10):
            share = (number + 1) / 12
            run.differ(f"field{number}", share=share).differ(f"field{number}", share=share, in_control=True)
        ended += heard(run)[0] is not None
    assert ended == 0
