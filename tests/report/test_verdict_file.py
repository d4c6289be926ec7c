"""The verdict file holds to its schema, is written whole or not at all, and comes back as it went."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from fakes import payday
from fakes.report_runs import failed, passed, unproven

from shiftproof.errors import SetupError, UserError
from shiftproof.model.history import History
from shiftproof.model.result import PairCount, RunResult
from shiftproof.model.verdict import Finding, Verdict
from shiftproof.report.verdict_file import read_run, schema, verdict_json, write_run, write_verdict

RUNS = (passed, failed, unproven)
Made = Callable[[Path], tuple[RunResult, History, list[int]]]

#: The keys that DESIGN.md promises, in its order.
PROMISED = [
    "verdict", "service", "target", "from_pct", "to_pct", "started_at", "seconds", "claims", "requests", "customers",
    "outages", "run", "run_dir",
]  # fmt: skip


def validate(document: dict[str, Any]) -> None:
    checker = jsonschema.Draft202012Validator(schema(), format_checker=jsonschema.FormatChecker())
    checker.check_schema(schema())
    checker.validate(document)


@pytest.mark.parametrize("made", RUNS)
def test_every_verdict_holds_to_the_schema_and_to_the_promise(made: Made, tmp_path: Path) -> None:
    document = verdict_json(made(tmp_path)[0])
    validate(document)
    assert list(document) == PROMISED
    assert document["started_at"] == "2026-05-04T12:01:03.120Z"


@pytest.mark.parametrize("made", RUNS)
def test_what_is_written_is_read_back(made: Made, tmp_path: Path) -> None:
    result = made(tmp_path)[0]
    write_run(result)
    back = read_run(tmp_path)
    assert verdict_json(back) == verdict_json(result)
    assert back.phases == result.phases
    assert back.proof == result.proof
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize(
    "lie",
    [
        {"claims": []},
        {"requests": {"pairs": 0, "failed": 0, "attributed": 0}},
        {"claims": [{"name": "outage", "phase": "deploy", "verdict": "FAIL", "reason": "lost 3", "data": {}}]},
        {"claims": [{"name": "outage", "phase": "run", "verdict": "INCONCLUSIVE", "reason": "no data", "data": {}}]},
        {"surprise": 1},
        {"to_pct": 101},
    ],
)
def test_the_schema_refuses_a_pass_without_evidence(lie: dict[str, Any], tmp_path: Path) -> None:
    document = verdict_json(passed(tmp_path)[0]) | lie
    with pytest.raises(jsonschema.ValidationError):
        validate(document)


def test_a_fail_needs_a_claim_that_failed(tmp_path: Path) -> None:
    result = failed(tmp_path)[0]
    only_passes = replace(result, findings=tuple(f for f in result.findings if f.verdict is Verdict.PASS))
    with pytest.raises(jsonschema.ValidationError):
        validate(verdict_json(only_passes))


def test_figures_of_numpy_and_what_json_lacks(tmp_path: Path) -> None:
    data = {"n": np.int64(3), "nan": float("nan"), "rates": np.array([0.5, np.inf]), "where": tmp_path, "s": {"a"}}
    result = replace(passed(tmp_path)[0], findings=(Finding("availability", "run", Verdict.PASS, "fine", data),))
    document = verdict_json(result)
    validate(document)
    assert document["claims"][0]["data"] == {
        "n": 3, "nan": None, "rates": [0.5, None], "where": str(tmp_path), "s": ["a"],
    }  # fmt: skip
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_a_dash_prints_the_verdict_alone(tmp_path: Path) -> None:
    result, stdout = passed(tmp_path)[0], io.StringIO()
    write_verdict(result, "-", stdout)
    assert json.loads(stdout.getvalue()) == verdict_json(result)


def test_a_file_replaces_the_old_one_whole(tmp_path: Path) -> None:
    result, stdout, file = passed(tmp_path)[0], io.StringIO(), tmp_path / "deep" / "verdict.json"
    write_verdict(result, str(file), stdout)
    write_verdict(replace(result, requests=PairCount(5, 0, 0)), str(file), stdout)
    assert json.loads(file.read_text())["requests"]["pairs"] == 5
    assert [p.name for p in file.parent.iterdir()] == ["verdict.json"]
    assert stdout.getvalue() == ""


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SetupError, match=r"cannot write .*file/verdict\.json: "):
        write_verdict(passed(tmp_path)[0], str(tmp_path / "file" / "verdict.json"), io.StringIO())


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"verdict": "MAYBE"}', "{"])
def test_a_broken_verdict_file_is_a_users_error(text: str, tmp_path: Path) -> None:
    (tmp_path / "verdict.json").write_text(text)
    with pytest.raises(UserError, match="is not a verdict file"):
        read_run(tmp_path)


def test_a_run_without_verdict_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no verdict in"):
        read_run(tmp_path)


@pytest.mark.parametrize("made", [payday.passed, payday.failed, payday.unproven])
def test_an_events_verdict_holds_to_the_schema_and_is_read_back(
    made: Callable[[Path], RunResult], tmp_path: Path
) -> None:
    result = made(tmp_path)
    document = verdict_json(result)
    validate(document)
    assert list(document) == [*PROMISED, "event"]
    assert document["from_pct"] == document["to_pct"]
    write_run(result)
    assert read_run(tmp_path).event == result.event
    assert result.event is not None


@pytest.mark.parametrize("lie", [{"sent": 0}, {"scale": 0}, {"surprise": 1}, {"bad": -1}])
def test_the_schema_refuses_an_event_that_passed_without_a_request(lie: dict[str, Any], tmp_path: Path) -> None:
    document = verdict_json(payday.passed(tmp_path))
    with pytest.raises(jsonschema.ValidationError):
        validate({**document, "event": {**document["event"], **lie}})
