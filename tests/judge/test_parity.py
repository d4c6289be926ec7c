"""Parity: what differs beyond noise, what noise teaches, and when too little was said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fakes.judge_cases import findings_of, the

from shiftproof.judge import judge_all, make_case
from shiftproof.model.history import PhaseKind
from shiftproof.model.platform import Objectives
from shiftproof.model.probe import STATUS, Kind, ProbeKind
from shiftproof.model.verdict import Verdict
from shiftproof.testing import RunBuilder, clean_run


def worst(run: RunBuilder, **more: Any) -> Verdict:
    return max((finding.verdict for finding in findings_of(run, "parity", **more)), key=lambda verdict: verdict.rank)


def test_two_sides_that_agree_pass_with_their_sample_size() -> None:
    findings = findings_of(clean_run(), "parity")
    assert {finding.phase: finding.verdict for finding in findings} == {"steady": Verdict.PASS, "run": Verdict.PASS}
    assert findings[0].reason == "30 conversations with both sides, 2,700 fields compared: alike."
    assert "0 of 2" in findings[1].reason
    assert "confidence" in findings[1].reason


def test_money_that_differs_twice_fails_and_once_is_not_clear() -> None:
    for path in ("amount", "fee.currency", "account", "amountMinor"):
        finding = the(clean_run().differ(path, name="steady", at_most=2), "parity", "steady")
        assert finding.verdict is Verdict.FAIL, path
        assert "in 2 of " in finding.reason
        assert the(clean_run().differ(path, name="steady", at_most=1), "parity", "steady").verdict is (
            Verdict.INCONCLUSIVE
        )


def test_what_may_be_noise_is_no_fault_before_the_test_says_so() -> None:
    """A status that goes on by itself, a list in no fixed order: twice on one side alone happens in one run of four."""
    for path, kind in (("status", Kind.VALUE), (STATUS, Kind.STATUS), ("payments[].amount", Kind.MISSING)):
        detail = "201 against 409" if path == STATUS else ""
        rare = clean_run().differ(path, kind, name="steady", at_most=2, detail=detail)
        assert worst(rare) is Verdict.INCONCLUSIVE, path
        for seed in range(8):
            even = clean_run(seed=seed).differ(path, kind, share=0.02, detail=detail)
            assert worst(even.differ(path, kind, share=0.02, in_control=True, detail=detail)) is not Verdict.FAIL, path
        always = RunBuilder().phase("steady", PhaseKind.STEADY, 11).differ(path, kind, detail=detail)
        assert the(always, "parity", "steady").verdict is Verdict.FAIL, path


def test_the_sentence_says_what_where_and_how_often() -> None:
    run = clean_run().differ("amount").differ("payments[].amount", operation="list")
    finding = the(run, "parity", "steady")
    said = finding.data["conversations"]
    assert finding.reason == (
        f"create: amount differs from legacy's, in {said} of {said} conversations (legacy against itself: 0); "
        "likewise list: payments[].amount."
    )
    assert "rounding" in finding.data["hint"]
    assert finding.data["fields"][0] == {
        "operation": "create",
        "asked": "",
        "path": "amount",
        "kind": "value",
        "treatment_only": said,
        "control_only": 0,
        "both": 0,
    }


@pytest.mark.parametrize(
    ("kind", "detail", "said"),
    [
        (Kind.MISSING, "", "create: the cluster's answer lacks note, in"),
        (Kind.EXTRA, "", "create: the cluster's answer has note, which legacy's has not, in"),
        (
            Kind.TYPE,
            "text against number",
            "create: note is of another type than legacy's (text against number, legacy's",
        ),
        (Kind.FORMAT, "", "create: note is written in another format than legacy's, in"),
        (Kind.VALUE, "120 min apart", "create: note differs from legacy's (120 min apart), in"),
    ],
)
def test_every_kind_has_its_words(kind: Kind, detail: str, said: str) -> None:
    finding = the(clean_run().differ("note", kind, detail=detail), "parity", "steady")
    assert finding.verdict is Verdict.FAIL
    assert finding.reason.startswith(said)


def test_any_other_field_that_always_differs_fails_within_a_dozen_seconds() -> None:
    run = RunBuilder().phase("steady", PhaseKind.STEADY, 11).differ("note", Kind.MISSING)
    assert the(run, "parity", "steady").verdict is Verdict.FAIL
    assert worst(RunBuilder().phase("steady", PhaseKind.STEADY, 9).differ("note", Kind.MISSING)) is Verdict.INCONCLUSIVE


def test_what_legacy_does_too_is_noise_and_only_proposed() -> None:
    run = clean_run().differ("served").differ("served", in_control=True)
    findings = findings_of(run, "parity")
    assert {finding.verdict for finding in findings} == {Verdict.PASS}
    (whole,) = (finding for finding in findings if finding.phase == "run")
    assert whole.data["proposed_ignores"] == ["served"]
    assert whole.data["propose"] == "parity: {ignore: [served]}"
    assert "legacy does not agree with itself on served" in whole.reason


def test_a_pass_counts_what_differs() -> None:
    noisy = clean_run().differ("served", at_most=40).differ("served", in_control=True)
    assert the(noisy, "parity", "run").reason.startswith("40 of ")
    assert "differ, as noise does" in the(noisy, "parity", "steady").reason
    once = the(clean_run().differ("note", at_most=1), "parity", "run")
    assert (once.verdict, once.data["seldom"]) == (Verdict.PASS, ["note"])
    assert once.reason.startswith("1 of ")
    assert "; once, and never on legacy: note" in once.reason


@pytest.mark.parametrize("times", [2, 3, 4])
def test_what_differs_a_few_times_and_never_on_legacy_is_a_doubt(times: int) -> None:
    assert worst(clean_run().differ("note", at_most=times)) is Verdict.INCONCLUSIVE
    beside = clean_run().differ("note", at_most=times).differ("note", in_control=True, at_most=1)
    assert worst(beside) is Verdict.PASS


def test_a_pass_says_which_fields_it_does_not_cover() -> None:
    """Legacy that never agrees with itself on a field cannot show that the cluster's is right."""
    run = clean_run().differ("served").differ("served", in_control=True)
    run.differ("rank", share=0.2).differ("rank", share=0.2, in_control=True)
    whole = the(run, "parity", "run")
    assert whole.verdict is Verdict.PASS
    assert "; this does not cover 1 field that legacy mostly answers otherwise itself" in whole.reason
    assert whole.data["not_covered"] == ["served"]
    assert "not_covered" not in the(clean_run(), "parity", "run").data


def test_noise_at_a_like_rate_does_not_fail_and_more_than_noise_does() -> None:
    for seed in range(5):
        even = clean_run(seed=seed).differ("rank", share=0.3).differ("rank", share=0.3, in_control=True)
        assert worst(even) is not Verdict.FAIL
    more = clean_run().differ("rank", share=0.6).differ("rank", share=0.1, in_control=True)
    assert worst(more) is Verdict.FAIL


def test_noise_of_one_kind_does_not_excuse_another() -> None:
    run = clean_run().differ("note", Kind.VALUE, in_control=True).differ("note", Kind.MISSING)
    assert "lacks note" in the(run, "parity", "steady").reason


def test_what_a_person_accepted_is_left_out_but_money_never_is() -> None:
    assert worst(clean_run().differ("note"), parity_ignore=("note",)) is Verdict.PASS
    assert worst(clean_run().differ("meta.note"), parity_ignore=("meta",)) is Verdict.FAIL
    assert worst(clean_run().differ("amount"), parity_ignore=("amount",)) is Verdict.FAIL


def test_money_that_legacy_itself_changes_is_judged_by_the_test() -> None:
    both = clean_run().differ("status", share=0.2).differ("status", share=0.2, in_control=True)
    assert worst(both) is not Verdict.FAIL
    assert worst(clean_run().differ("status", share=0.5).differ("status", share=0.02, in_control=True)) is Verdict.FAIL


def test_money_that_differs_on_both_sides_is_never_called_noise() -> None:
    """Legacy that does not agree with itself on amounts cannot show that the cluster's are right."""
    alike = clean_run().differ("amount").differ("amount", in_control=True)
    assert worst(alike) is Verdict.INCONCLUSIVE
    once = clean_run().differ("amount", at_most=1, name="steady").differ("amount", at_most=1, in_control=True)
    assert worst(once) is Verdict.INCONCLUSIVE


def test_failing_answers_in_a_crash_are_paid_for_by_its_budget() -> None:
    crash = clean_run().differ(STATUS, Kind.STATUS, name="node-loss", detail="200 against 500")
    assert worst(crash) is Verdict.PASS
    assert worst(clean_run().differ("amount", name="node-loss", at_most=2)) is Verdict.FAIL
    beside = clean_run().differ(STATUS, Kind.STATUS, name="node-loss", detail="200 against 500")
    # What a failing answer lacks proves nothing.
    assert worst(beside.differ("amount", name="node-loss")) is Verdict.PASS
    refused = clean_run().differ(STATUS, Kind.STATUS, name="deploy", detail="200 against 404", at_most=2)
    assert the(refused, "parity", "deploy").verdict is Verdict.INCONCLUSIVE


def test_too_few_conversations_prove_nothing() -> None:
    silent = clean_run()
    silent.probes_per_s = 0
    assert the(silent, "parity", "run").reason == "0 conversations compared both sides, 40 are needed."
    void = clean_run().void(ProbeKind.PARITY, "timeout", name="steady", share=0.8)
    assert the(void, "parity", "steady").verdict is Verdict.INCONCLUSIVE
    assert "void: timeout" in the(void, "parity", "steady").reason
    assert the(void, "parity", "run").verdict is Verdict.PASS


def test_a_bug_of_ours_is_never_a_pass() -> None:
    run = clean_run().void(ProbeKind.PARITY, "our own fault: KeyError", name="steady", share=0.05)
    assert the(run, "parity", "run").verdict is Verdict.INCONCLUSIVE


def test_an_operation_that_was_never_compared_is_not_proven() -> None:
    run = clean_run()
    history = run.build()
    assert set(history.operations) == {"create", "read"}
    case = make_case(replace(history, operations=("create", "read", "refund")), Objectives())
    reasons = [finding.reason for finding in judge_all(case, ["parity"]) if finding.verdict is Verdict.INCONCLUSIVE]
    assert reasons == ["refund was compared 0 times only: nothing is known of its answers."]
