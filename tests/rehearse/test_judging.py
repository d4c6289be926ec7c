"""A FAIL that stands on a load which was not there is no FAIL."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.event_cases import unscaled
from fakes.event_history import good_payday

from shiftproof.judge.elasticity.case import Strike
from shiftproof.judge.elasticity.claims.experiment import not_borne
from shiftproof.judge.elasticity.claims.spot import REPLACED
from shiftproof.model.verdict import Finding, Verdict
from shiftproof.rehearse.judging import (
    OF_PLANNED_DEMAND,
    as_figure,
    believed,
    judge_scaling,
    less_ours,
    not_of_the_service,
)

SENT = Finding("load-delivered", "run", Verdict.PASS, "All of it.")
SHORT = Finding("load-delivered", "run", Verdict.INCONCLUSIVE, "50% of the event's load is missing.")


def _failed(claim: str) -> Finding:
    return Finding(claim, "run", Verdict.FAIL, "Too late.", {"hint": "be quick"})


@pytest.mark.parametrize("claim", OF_PLANNED_DEMAND)
def test_what_measures_against_the_plan_needs_the_plan(claim: str) -> None:
    assert believed([SENT, _failed(claim)])[1] == _failed(claim)
    _, found = believed([SHORT, _failed(claim)])
    assert (found.verdict, found.data) == (Verdict.INCONCLUSIVE, {"hint": "be quick", "judged": "FAIL"})
    assert found.reason == (
        "Too late. The load was not as planned, so this is laid to nobody: 50% of the event's load is missing."
    )


def test_where_pods_ran_and_what_became_of_jobs_stays() -> None:
    assert believed([SHORT, _failed("spot")]) == [SHORT, _failed("spot")]


def test_what_was_not_borne_stands_on_no_load() -> None:
    (found,) = not_borne([Strike("node-drain", 1, 2, service_problem="never whole again")])
    assert found.verdict is Verdict.FAIL
    assert believed([SHORT, found]) == [SHORT, found]


@pytest.mark.parametrize("claim", OF_PLANNED_DEMAND)
def test_capacity_that_the_lab_kept_away_is_laid_to_nobody(claim: str) -> None:
    (found,) = not_of_the_service([_failed(claim)], "the lab: node-11 (i-1) did not boot")
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reason.endswith("this is laid to nobody: the lab: node-11 (i-1) did not boot.")


def test_what_the_lab_did_excuses_neither_lost_jobs_nor_where_pods_ran() -> None:
    replaced = Finding("spot", "run", Verdict.FAIL, "Late.", {REPLACED: None})
    found = not_of_the_service([_failed("spot"), replaced], "the lab: node-11 (i-1) did not boot")
    assert [one.verdict for one in found] == [Verdict.FAIL, Verdict.INCONCLUSIVE]


@pytest.mark.parametrize("found", [SHORT, _failed("shortfall")])
def test_trouble_of_the_lab_is_told_beside_what_it_leaves_unjudged(found: Finding) -> None:
    judged, trouble = less_ours([found], "the lab: node-11 (i-1) did not boot")
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert (trouble.claim, trouble.reason) == ("sufficiency", "the lab: node-11 (i-1) did not boot")


def test_trouble_of_the_lab_changes_nothing_where_it_matters_to_nothing() -> None:
    for found in (SENT, _failed("spot")):
        assert less_ours([found], "the lab: node-11 (i-1) did not boot") == [found]


def test_fixed_capacity_is_asked_for_its_experiments_too() -> None:
    fixed = good_payday().build(facts={"fixed_pods": 5})
    at_ns = fixed.start_ns + 100_000_000_000
    fixed = replace(fixed, strikes=(Strike("x", at_ns, at_ns + 1, problem="no effect"),))
    assert {found.claim for found in judge_scaling(fixed)} == {"load-delivered", "shortfall", "cost", "experiment"}
    assert "experiment" not in {found.claim for found in judge_scaling(replace(fixed, strikes=()))}


def test_one_doubt_of_several_is_enough() -> None:
    assert believed([SENT, SHORT, _failed("shortfall")])[2].verdict is Verdict.INCONCLUSIVE


def test_a_load_that_nobody_judged_is_none() -> None:
    (found,) = believed([_failed("shortfall")])
    assert (found.verdict, "nobody judged whether it was" in found.reason) == (Verdict.INCONCLUSIVE, True)


def test_only_a_fail_becomes_a_figure() -> None:
    for verdict in (Verdict.PASS, Verdict.INCONCLUSIVE):
        finding = Finding("cost", "run", verdict, "So much.")
        assert as_figure(finding, "But.") == finding


def test_a_delivered_load_is_judged_as_ever() -> None:
    assert {found.verdict for found in judge_scaling(good_payday().build())} == {Verdict.PASS}
    assert Verdict.FAIL in {found.verdict for found in judge_scaling(unscaled().build())}
