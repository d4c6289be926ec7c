"""The open registry: a team's own claims, and judges that break."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from fakes.judge_cases import case_of

import shiftproof.judge
from shiftproof.errors import LoadError, UserError
from shiftproof.judge import Case, claim, claim_names, forget_claim, judge_all, registry
from shiftproof.model.verdict import Finding, Verdict, merge
from shiftproof.testing import clean_run


@pytest.fixture(autouse=True)
def _tidy() -> Iterator[None]:
    yield
    forget_claim("mine")


def test_the_door_shows_what_it_should() -> None:
    assert sorted(shiftproof.judge.__all__) == [
        "Case",
        "EventCase",
        "EventJudge",
        "Judge",
        "LiveJudge",
        "OutageSpan",
        "Pairs",
        "PhaseCount",
        "REQUIRED_PHASES",
        "SideColumns",
        "claim",
        "claim_names",
        "event_claim",
        "event_claim_names",
        "find_outages",
        "forget_claim",
        "forget_event_claim",
        "judge_all",
        "judge_event",
        "make_case",
        "outages_of",
        "pair_up",
        "ruled_out_rate",
    ]


def test_the_built_in_claims() -> None:
    assert set(claim_names()) >= {
        "availability",
        "customers",
        "deploy",
        "duplicates",
        "latency",
        "outage",
        "parity",
        "recovery",
        "rollback",
        "sufficiency",
    }


def test_a_teams_own_claim_is_judged_with_the_others() -> None:
    @claim("mine")
    def judge(case: Case) -> Iterable[Finding]:
        yield Finding("mine", "run", Verdict.FAIL, f"{len(case.pairs)} pairs are not enough for us")

    findings = judge_all(case_of(clean_run()))
    assert merge(finding.verdict for finding in findings) is Verdict.FAIL
    assert [finding.claim for finding in judge_all(case_of(clean_run()), ["mine"])] == ["mine"]


def test_a_judge_that_raises_is_unknown_and_hides_nothing() -> None:
    @claim("mine")
    def judge(case: Case) -> Iterable[Finding]:
        yield Finding("mine", "run", Verdict.PASS, "so far")
        raise ZeroDivisionError("by zero")

    (finding,) = judge_all(case_of(clean_run()), ["mine"])
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert finding.reason == "the judge of mine stopped with ZeroDivisionError: by zero"


def test_a_judge_that_could_not_measure_says_so() -> None:
    @claim("mine")
    def judge(case: Case) -> Iterable[Finding]:
        raise LoadError("the load was cut short", hint="run it again")

    (finding,) = judge_all(case_of(clean_run()), ["mine"])
    assert (finding.verdict, finding.reason) == (Verdict.INCONCLUSIVE, "the load was cut short")
    assert finding.data["hint"] == "run it again"


def test_a_judge_that_says_nothing_is_unknown() -> None:
    @claim("mine")
    def judge(case: Case) -> Iterable[Finding]:
        return ()

    (finding,) = judge_all(case_of(clean_run()), ["mine"])
    assert finding.verdict is Verdict.INCONCLUSIVE


def test_names_are_taken_once_and_known() -> None:
    with pytest.raises(UserError, match="registered already"):

        @claim("availability")
        def judge(case: Case) -> Iterable[Finding]:
            return ()

    with pytest.raises(UserError, match="unknown claim 'nonsense'"):
        judge_all(case_of(clean_run()), ["nonsense"])


def test_what_was_decided_live_is_kept() -> None:
    early = Finding("availability", "deploy", Verdict.FAIL, "decided while it ran")
    case = case_of(clean_run(), decided=(early,))
    assert judge_all(case)[0] is early


@pytest.mark.parametrize("name", claim_names())
def test_a_built_in_claim_that_was_taken_out_is_missed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(registry._REGISTRY, name)
    found = [finding for finding in judge_all(case_of(clean_run())) if finding.claim == name]
    assert [(finding.phase, finding.verdict) for finding in found] == [("run", Verdict.INCONCLUSIVE)]
    assert f"nobody judged {name}" in found[0].reason


@pytest.mark.parametrize("error", [SystemExit(0), GeneratorExit(), AssertionError("x")], ids=repr)
def test_whatever_a_judge_raises_is_no_way_out(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def judge(case: Case) -> Iterable[Finding]:
        raise error

    monkeypatch.setitem(registry._REGISTRY, "own", judge)
    assert [finding.verdict for finding in judge_all(case_of(clean_run()), ["own"])] == [Verdict.INCONCLUSIVE]


def test_ctrl_c_in_a_judge_is_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    def judge(case: Case) -> Iterable[Finding]:
        raise KeyboardInterrupt

    monkeypatch.setitem(registry._REGISTRY, "own", judge)
    with pytest.raises(KeyboardInterrupt):
        judge_all(case_of(clean_run()), ["own"])
