"""Duplicates: one key takes effect once, by whichever way it came."""

from __future__ import annotations

from typing import Any

from fakes.judge_cases import findings_of, the

from shiftproof.model.probe import STATUS, Kind, ProbeKind
from shiftproof.model.verdict import Verdict
from shiftproof.testing import RunBuilder, clean_run

AGAIN, AFTERWARDS = "answered the second time", "read afterwards"


def verdicts(run: RunBuilder, **more: Any) -> dict[str, Verdict]:
    return {finding.phase: finding.verdict for finding in findings_of(run, "duplicates", **more)}


def test_keys_that_work_pass_in_each_phase_that_is_about_them() -> None:
    findings = {finding.phase: finding for finding in findings_of(clean_run(), "duplicates")}
    assert set(findings) == {"steady", "shift", "rollback", "run"}
    assert {finding.verdict for finding in findings.values()} == {Verdict.PASS}
    assert findings["shift"].reason.endswith("of them by the weights: each took effect once.")


def test_one_that_was_applied_twice_is_a_fail_with_the_way_it_went() -> None:
    finding = the(clean_run().double(name="steady", at_most=1), "duplicates", "steady")
    assert finding.verdict is Verdict.FAIL
    assert finding.reason.startswith("create: one key sent to legacy, then to cluster, took effect 2 times (1 of ")
    assert "sent to legacy twice, it took effect once (" in finding.reason
    assert "unique key" in finding.data["hint"]


def test_what_it_made_is_called_as_the_account_lists_it() -> None:
    run = clean_run().double(name="steady")
    run.differ("payments[]", Kind.COUNT, operation="list", about=ProbeKind.DUPLICATE, via=AFTERWARDS, name="steady")
    assert "one key sent to legacy, then to cluster, made 2 payments (" in the(run, "duplicates", "steady").reason


def test_around_a_shift_the_weights_are_named() -> None:
    finding = the(clean_run().double(name="shift", share=0.3), "duplicates", "shift")
    assert finding.verdict is Verdict.FAIL
    assert "one key sent by the weights, twice, took effect 2 times" in finding.reason


def test_a_failing_answer_in_a_crash_does_not_hide_that_a_key_was_applied_twice() -> None:
    failing: dict[str, Any] = {"about": ProbeKind.DUPLICATE, "via": AGAIN, "detail": "201 against 500", "name": "node-loss"}
    run = clean_run().double(name="node-loss", share=0.5).differ(STATUS, Kind.STATUS, **failing)
    assert verdicts(run)["node-loss"] is Verdict.FAIL
    assert Verdict.FAIL not in verdicts(clean_run().differ(STATUS, Kind.STATUS, **failing)).values()


def test_what_legacy_does_too_is_no_fault_of_the_migration_and_no_pass() -> None:
    (finding,) = (
        f
        for f in findings_of(clean_run().double(legacy=True), "duplicates")
        if f.phase == "run" and (f.verdict is Verdict.INCONCLUSIVE)
    )
    assert "legacy by itself let one key take effect more than once" in finding.reason
    assert Verdict.FAIL not in verdicts(clean_run().double(legacy=True)).values()


def test_two_answers_that_differ_fail_as_parity_does() -> None:
    money = clean_run().differ("amount", about=ProbeKind.DUPLICATE, via=AGAIN, at_most=2)
    assert verdicts(money)["steady"] is Verdict.FAIL
    other = clean_run().differ("created_at", about=ProbeKind.DUPLICATE, via=AGAIN)
    assert the(other, "duplicates", "steady").reason.startswith(
        "create answered the second time: created_at differs from legacy's"
    )
    replayed = clean_run()
    for in_control in (False, True):  # a replay that legacy answers with 200 as well
        replayed.differ(
            STATUS, Kind.STATUS, about=ProbeKind.DUPLICATE, via=AGAIN, detail="201 against 200", in_control=in_control
        )
    assert set(verdicts(replayed).values()) == {Verdict.PASS}


def test_an_account_that_looks_otherwise_afterwards_fails_unless_parity_knows_it_as_noise() -> None:
    run = clean_run().differ("balance", operation="read", about=ProbeKind.DUPLICATE, via=AFTERWARDS)
    assert verdicts(run)["steady"] is Verdict.FAIL
    run.differ("balance", operation="read", in_control=True).differ("balance", operation="read")
    assert set(verdicts(run).values()) == {Verdict.PASS}


def test_too_few_prove_nothing_in_the_phase_that_lacks_them() -> None:
    run = clean_run().void(ProbeKind.DUPLICATE, "status 503", name="steady", share=0.9)
    assert verdicts(run)["steady"] is Verdict.INCONCLUSIVE
    assert "void: status 503" in the(run, "duplicates", "steady").reason


def test_a_service_that_takes_no_keys_says_so_in_platform_yaml_or_is_not_proven() -> None:
    run = clean_run()
    run.probes_per_s = 0
    finding = the(run, "duplicates", "run")
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert "duplicates: {not_applicable: why}" in finding.data["hint"]
    told = findings_of(run, "duplicates", duplicates_not_applicable="statements are only read")
    assert {finding.verdict for finding in told} == {Verdict.PASS}
    assert told[0].reason == "does not apply, says platform.yaml: statements are only read"


def test_what_parity_tells_is_not_told_again() -> None:
    run = clean_run().differ("amount").differ("amount", about=ProbeKind.DUPLICATE, via=AGAIN)
    assert set(verdicts(run).values()) == {Verdict.PASS}
    assert the(run, "parity", "steady").verdict is Verdict.FAIL
