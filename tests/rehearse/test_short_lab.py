"""A short event on the real lab: pods and nodes really scale, jobs are done on Spot, and all is put back.

How fast that goes is the machine's doing as well as the service's, so no figure of time or share is asserted here:
`make qualify` rehearses payday for that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import jsonschema
import pytest
from conftest import LabOfTheRun, shiftproof

from shiftproof.lab.enter import RunningLab
from shiftproof.report.verdict_file import schema
from shiftproof.safety.journal import Journal, journal_dir

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]

REHEARSE_WITHIN_S = 1200.0
TIMED = {"shortfall", "time-to-capacity", "return-to-base", "cost", "spot", "stability", "load-delivered"}
"""Claims that a slow machine may not keep."""


@pytest.fixture(scope="module")
def rehearsed(lab_of_the_run: LabOfTheRun) -> tuple[int, Mapping[str, Any], str]:
    """Exit code, verdict and words of one rehearsal that all tests here look at."""
    lab_of_the_run.ensure()
    done = shiftproof("rehearse", "short", "--json", "-", within_s=REHEARSE_WITHIN_S)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr


def kubectl(*words: str) -> Any:
    done = shiftproof("lab", "exec", "--", "kubectl", *words, "-o", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def claims(verdict: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    return [claim for claim in verdict["claims"] if claim["name"] == name]


def test_every_scaling_claim_is_judged(lab: RunningLab, rehearsed: tuple[int, Mapping[str, Any], str]) -> None:
    code, verdict, words = rehearsed
    jsonschema.validate(verdict, schema())
    assert code == {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 2}[verdict["verdict"]], words
    names = {claim["name"] for claim in verdict["claims"]}
    assert names >= {*TIMED, "pre-provisioning"}, words
    worse = {claim["name"] for claim in verdict["claims"] if claim["verdict"] != "PASS"}
    assert worse <= TIMED, words
    broken = [claim for claim in verdict["claims"] if claim["data"].get("error") or "taken out" in claim["reason"]]
    assert broken == [], "a judge that stopped has judged nothing"


def test_the_peak_brought_a_machine_that_became_a_node(
    lab: RunningLab, rehearsed: tuple[int, Mapping[str, Any], str]
) -> None:
    _, verdict, words = rehearsed
    (found,) = claims(verdict, "time-to-capacity")
    peak = max(found["data"]["rows"], key=lambda row: row["pods"])
    assert peak["seconds"] is not None, words
    assert peak["stages"]["boot"] > 0, words


def test_jobs_were_done_on_spot_and_none_was_lost(
    lab: RunningLab, rehearsed: tuple[int, Mapping[str, Any], str]
) -> None:
    _, verdict, words = rehearsed
    jobs = [claim["data"] for claim in claims(verdict, "spot") if claim["data"].get("asked")]
    assert jobs, words
    assert all((one["lost"], one["twice"]) == (0, 0) for one in jobs), words


def test_all_is_back_at_its_base(lab: RunningLab, rehearsed: tuple[int, Mapping[str, Any], str]) -> None:
    assert not Journal(journal_dir()).pending()
    hpa = kubectl("-n", "payments", "get", "hpa", "payments")
    assert [metric["type"] for metric in hpa["spec"]["metrics"]] == ["Resource"]
    assert hpa["metadata"].get("ownerReferences") is None
    deployment = kubectl("-n", "payments", "get", "deployment", "payments")
    assert deployment["status"]["readyReplicas"] == deployment["spec"]["replicas"] == 3
    assert kubectl("get", "scaledobjects", "-A")["items"] == []
    assert "statements" not in {one["metadata"]["name"] for one in kubectl("get", "namespaces")["items"]}
