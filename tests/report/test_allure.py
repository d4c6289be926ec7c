"""Allure's results of a real pytest run, read back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fakes.report_runs import failed

from shiftproof.errors import UserError
from shiftproof.report.allure import read_results, record_test, write_environment, writing

DRILLS = """
from fakes.report_runs import failed
from shiftproof.report.allure import record_test

def test_deploy(tmp_path):
    result, history, _ = failed(tmp_path)
    record_test("payments", 0, 25, result.findings)
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pytest run of its own, since allure-pytest takes hold of the whole process."""
    folder = tmp_path_factory.mktemp("allure")
    (folder / "test_drills.py").write_text(DRILLS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:locust", "-p", "no:cacheprovider", "--alluredir", "out"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return folder / "out"


def test_claims_are_steps_in_allures_own_colours(results: Path) -> None:
    (result,) = read_results(results)
    steps = {step["name"].partition(": ")[0]: step["status"] for step in result["steps"]}
    assert steps == {
        "availability in steady": "passed",
        "availability in deploy": "failed",
        "outage in deploy": "failed",
        "deploy in deploy": "passed",
        "rollback in run": "broken",
    }
    assert result["status"] == "passed"  # the drill's own assertion decides, not its steps
    labels = {(label["name"], label["value"]) for label in result["labels"]}
    assert ("feature", "payments: legacy 100% -> cluster 25%") in labels
    assert ("tag", "outage") in labels


def test_a_lost_attachment_is_noticed(results: Path, tmp_path: Path) -> None:
    for path in results.glob("*-result.json"):
        (tmp_path / path.name).write_text(path.read_text())
    with pytest.raises(UserError, match="names an attachment that is not there"):
        read_results(tmp_path)


def test_an_empty_folder_is_not_a_result(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no Allure results"):
        read_results(tmp_path)


def test_environment_and_categories(tmp_path: Path) -> None:
    write_environment(tmp_path, failed(tmp_path)[0])
    lines = dict(line.split("=", 1) for line in (tmp_path / "environment.properties").read_text().splitlines())
    assert lines["verdict"] == "FAIL"
    assert lines["version.kubernetes"] == "v1.34.2"
    assert lines["digest.payments_image"].startswith("sha256:")
    categories = json.loads((tmp_path / "categories.json").read_text())
    assert {status for one in categories for status in one["matchedStatuses"]} == {
        "failed",
        "broken",
        "unknown",
        "skipped",
    }


def test_without_allure_nothing_happens(tmp_path: Path) -> None:
    if not writing():
        record_test("payments", 0, 25, failed(tmp_path)[0].findings)
        assert list(tmp_path.iterdir()) == []
