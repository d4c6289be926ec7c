"""Finding a run again, and the command that shows it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from fakes import payday
from fakes.report_runs import STARTED, failed, passed

from shiftproof.cli import run as shiftproof
from shiftproof.errors import UserError
from shiftproof.report.runs import find_run, list_runs
from shiftproof.report.verdict_file import write_run


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """An older PASS (7f3a), a newer FAIL (7f9c), a run that never came to a verdict, and strays."""
    old, new = tmp_path / "20260504-120103-payments-7f3a", tmp_path / "20260504-130103-payments-7f9c"
    (tmp_path / "20260504-140103-payments-8000").mkdir()
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "lab-logs").mkdir()
    write_run(passed(old)[0])
    later = failed(new)[0]
    write_run(replace(later, started_at=STARTED + timedelta(hours=1), run=replace(later.run, id="7f9c")))
    return tmp_path


def test_newest_first_and_those_without_a_verdict_last(reports: Path) -> None:
    assert [entry.folder.name[-4:] for entry in list_runs(reports)] == ["7f9c", "7f3a", "8000"]
    assert list_runs(reports / "nowhere") == []


@pytest.mark.parametrize("name", ["7f3a", "7f3", "20260504-12", "20260504-120103-payments-7f3a"])
def test_a_run_by_any_of_its_names(name: str, reports: Path) -> None:
    assert find_run(reports, name).run.id == "7f3a"


def test_the_newest_without_a_name_and_any_by_its_path(reports: Path) -> None:
    assert find_run(reports, None).run.id == "7f9c"
    assert find_run(reports, str(reports / "20260504-120103-payments-7f3a")).run.id == "7f3a"


@pytest.mark.parametrize(
    ("name", "problem"),
    [("7f", "fits 2 runs"), ("zzz", "no run 'zzz' in"), ("20260504-14", "no verdict in"), ("../etc", "no run")],
)
def test_what_cannot_be_found_is_said(name: str, problem: str, reports: Path) -> None:
    with pytest.raises(UserError, match=problem):
        find_run(reports, name)


def test_the_command_shows_a_run(reports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert shiftproof(["report", "7f3a", "--reports", str(reports)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("payments   legacy 100% -> cluster 25%   lab   run 7f3a   2026-05-04 12:01 UTC")
    assert "PASS   Nothing a customer could notice: 0 of 14,880" in out


def test_the_command_lists_runs(reports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert shiftproof(["report", "--list", "--reports", str(reports)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["FAIL", "PASS", "verdict:"]


def test_json_is_alone_on_stdout(reports: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert shiftproof(["report", "--json", "-", "--reports", str(reports)]) == 0
    assert json.loads(capsys.readouterr().out)["run"]["id"] == "7f9c"


def test_no_run_at_all_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert shiftproof(["report", "--reports", str(tmp_path)]) == 3
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "has a verdict" in said
    assert "shiftproof gate SERVICE --to PCT" in said


def test_an_event_is_listed_by_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(payday.passed(tmp_path / "20260504-120103-payday"))
    assert shiftproof(["report", "--list", "--reports", str(tmp_path)]) == 0
    line = capsys.readouterr().out.splitlines()[0]
    assert line.split()[:6] == ["7f3a", "PASS", "payments", "payday", "20", "->"]
