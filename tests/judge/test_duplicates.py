"""Duplicates: one key takes effect once, by whichever way it came."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fakes.judge_cases import case_of, findings_of, the

from shiftproof.judge import judge_all
from shiftproof.model.probe import AFTERWARDS, SECOND_ANSWER, STATUS, Kind, ProbeKind, ProbeRecord
from shiftproof.model.verdict import Verdict
from shiftproof.testing import RunBuilder, clean_run
from shiftproof.testing_probes import ProbeChange


def verdicts(run: RunBuilder, **more: Any) -> dict[str, Verdict]:
    return {finding.phase: finding.verdict for finding in findings_of(run, "duplicates", **more)}


def untold(run: RunBuilder, *, name: str | None = None, share: float = 1.0) -> RunBuilder:
    """Conversations in which nobody could tell how often the request took effect."""
    phase = run.find(name) if name is not None else None
    run._probe_changes.append(ProbeChange(phase, ProbeKind.DUPLICATE, share, untold=True))
    return run


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
    failing: dict[str, Any] = {
        "about": ProbeKind.DUPLICATE,
        "via": SECOND_ANSWER,
        "detail": "201 against 500",
        "name": "node-loss",
    }
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
    money = clean_run().differ("amount", about=ProbeKind.DUPLICATE, via=SECOND_ANSWER, at_most=2)
    assert verdicts(money)["steady"] is Verdict.FAIL
    other = clean_run().differ("created_at", about=ProbeKind.DUPLICATE, via=SECOND_ANSWER)
    assert the(other, "duplicates", "steady").reason.startswith(
        "create answered the second time: created_at differs from legacy's"
    )
    replayed = clean_run()
    for in_control in (False, True):  # a replay that legacy answers with 200 as well
        replayed.differ(
            STATUS,
            Kind.STATUS,
            about=ProbeKind.DUPLICATE,
            via=SECOND_ANSWER,
            detail="201 against 200",
            in_control=in_control,
        )
    assert set(verdicts(replayed).values()) == {Verdict.PASS}


def test_an_account_that_looks_otherwise_afterwards_fails_unless_legacys_own_does_too() -> None:
    after: dict[str, Any] = {"operation": "read", "about": ProbeKind.DUPLICATE, "via": AFTERWARDS}
    run = clean_run().differ("balance", **after)
    assert verdicts(run)["steady"] is Verdict.FAIL
    assert set(verdicts(run.differ("balance", in_control=True, **after)).values()) == {Verdict.PASS}
    money = clean_run().differ("balance.amount", name="steady", at_most=2, **after)
    assert verdicts(money)["steady"] is Verdict.INCONCLUSIVE  # the account of another conversation, so twice is too few
    assert verdicts(clean_run().differ("balance.amount", **after))["steady"] is Verdict.FAIL


def test_what_is_noise_to_parity_excuses_nothing_that_a_key_sent_twice_shows() -> None:
    """One hiccup of legacy in a thousand answers is no reason to look away everywhere."""
    for path, kind in (("amount", Kind.VALUE), (STATUS, Kind.STATUS), ("note", Kind.VALUE)):
        for via in (SECOND_ANSWER, AFTERWARDS):
            run = clean_run().differ(path, kind, in_control=True, at_most=1, detail="201 against 404")
            run.differ(path, kind, about=ProbeKind.DUPLICATE, via=via, detail="201 against 404")
            assert verdicts(run)["steady"] is Verdict.FAIL, (path, via)


def test_too_few_prove_nothing_in_the_phase_that_lacks_them() -> None:
    run = clean_run().void(ProbeKind.DUPLICATE, "status 503", name="steady", share=0.9)
    assert verdicts(run)["steady"] is Verdict.INCONCLUSIVE
    assert "void: status 503" in the(run, "duplicates", "steady").reason


def test_those_of_which_nobody_could_tell_prove_nothing() -> None:
    findings = {f.phase: f for f in findings_of(untold(clean_run(), name="steady", share=0.9), "duplicates")}
    assert findings["steady"].verdict is Verdict.INCONCLUSIVE
    assert "more could not tell" in findings["steady"].reason
    assert findings["shift"].verdict is findings["run"].verdict is Verdict.PASS
    whole = the(untold(clean_run(), share=0.95), "duplicates", "run")
    assert whole.verdict is Verdict.INCONCLUSIVE
    assert "told how often it took effect, 40 are needed" in whole.reason
    assert "nobody could tell" in the(untold(clean_run()), "duplicates", "run").reason


def test_while_weights_move_some_must_have_gone_by_them() -> None:
    run = clean_run()
    case = case_of(run)
    seen = 0

    def by_one_side(record: ProbeRecord) -> ProbeRecord:
        nonlocal seen
        seen += "by the weights" in record.way
        return record if "by the weights" not in record.way or seen <= 2 else replace(record, way="to cluster, twice")

    few = replace(case, history=replace(case.history, probes=tuple(map(by_one_side, case.history.probes))))
    found = {finding.phase: finding for finding in judge_all(few, ["duplicates"])}
    assert found["shift"].verdict is found["rollback"].verdict is Verdict.INCONCLUSIVE
    assert "but only 2 of them by the weights that moved" in found["shift"].reason
    assert "but none of them by the weights that moved" in found["rollback"].reason


def test_an_operation_with_a_key_that_was_never_sent_twice_is_not_proven() -> None:
    case = replace(case_of(clean_run()), keyed=("create", "refund"))
    reasons = [finding.reason for finding in judge_all(case, ["duplicates"]) if finding.verdict is not Verdict.PASS]
    assert reasons == ["refund was sent twice 0 times only: nothing is known of its keys."]


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
    run = clean_run().differ("amount").differ("amount", about=ProbeKind.DUPLICATE, via=SECOND_ANSWER)
    assert set(verdicts(run).values()) == {Verdict.PASS}
    assert the(run, "parity", "steady").verdict is Verdict.FAIL
