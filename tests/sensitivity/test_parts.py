"""Its smaller parts: digests, differences, a run's history read back, and whose word counts."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.metadata import distributions
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fakes.report_runs import failed

from shiftproof.adapters.locust.events import EventTable, write_parquet
from shiftproof.errors import LoadError, RefusedError, SetupError
from shiftproof.gate.notes import write_timeline
from shiftproof.judge.others import other_rules
from shiftproof.model.history import Happening, History, Source
from shiftproof.sensitivity import fingerprint as module
from shiftproof.sensitivity.fingerprint import file_digest, fingerprint, fingerprint_now, refuse_mixing, tree_digest
from shiftproof.sensitivity.normal import Look, differences
from shiftproof.sensitivity.plan import KnownDefect
from shiftproof.sensitivity.rules import others_of, phases_of, read_history


def test_a_digest_is_of_names_and_bytes_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    first = tree_digest(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("x")
    (tmp_path / ".hidden").write_text("x")
    (tmp_path / "left").mkdir()
    (tmp_path / "left" / "b.yaml").write_text("x")
    assert tree_digest(tmp_path, frozenset({"left"})) == first
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert tree_digest(tmp_path, frozenset({"left"})) != first
    (tmp_path / "b.py").rename(tmp_path / "a.py")
    (tmp_path / "a.py").write_text("2")
    assert tree_digest(tmp_path, frozenset({"left"})) != first


def test_the_fingerprint_of_now_reads_planted_files_again(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("1")
    known = KnownDefect("a", "A", "e", "outage", str(file), file_digest(file))
    infra = Path(__file__).parents[2] / "infra"
    before = fingerprint(infra, [known])
    assert fingerprint_now(infra, [known]) == before
    file.write_text("2")
    now = fingerprint_now(infra, [known])
    assert {name for name in now if now[name] != before[name]} == {"defects"}
    file.unlink()
    with pytest.raises(SetupError, match="cannot read"):
        fingerprint_now(infra, [known])


def test_a_profile_decides_what_a_rehearsal_says_and_nothing_of_a_gate(tmp_path: Path) -> None:
    infra = Path(__file__).parents[2] / "infra"
    (tmp_path / "payday.py").write_text("1")
    before = fingerprint(infra, [], tmp_path)
    assert before.keys() - fingerprint(infra, []).keys() == {"loadprofiles"}
    (tmp_path / "payday.py").write_text("2")
    now = fingerprint_now(infra, [], tmp_path)
    assert {name for name in now if now[name] != before[name]} == {"loadprofiles"}


def test_another_version_of_a_library_is_another_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    infra = Path(__file__).parents[2] / "infra"
    before = fingerprint(infra, [])
    monkeypatch.setattr(module, "distributions", lambda: [*distributions(), SimpleNamespace(name="a", version="9.9")])
    now = fingerprint(infra, [])
    assert {name for name in now if now[name] != before[name]} == {"libraries"}


def test_what_changed_is_named() -> None:
    refuse_mixing({"src": "1", "infra": "2"}, {"src": "1", "infra": "2"}, "x")
    with pytest.raises(RefusedError, match="infra, suites changed since"):
        refuse_mixing({"src": "1", "infra": "2"}, {"src": "1", "infra": "3", "suites": "4"}, "x")


def test_differences_are_said_in_words() -> None:
    look = Look("lab:1", {"a": "1", "b": "3", "d": "4"}, ["node node-1 is cordoned"])
    assert differences({"a": "1", "b": "2", "c": "1"}, look) == [
        "node node-1 is cordoned",
        "b was 2 and is 3",
        "c is gone",
        "d is there and was not",
    ]
    assert differences(look.facts, replace(look, problems=())) == []


def test_a_run_is_read_back_for_others_rules(tmp_path: Path) -> None:
    _, history, _ = failed(tmp_path)
    marks = [
        Happening(t_ns, Source.SHIFTPROOF, kind, subject, "", data)
        for phase in history.phases
        for t_ns, kind, subject, data in (
            (phase.start_ns, "phase.start", f"phase/{phase.name}", {"repeat": phase.repeat, "phase_kind": phase.kind}),
            (phase.action_start_ns, "action.start", "action/x", {}),
            (phase.action_end_ns, "action.end", "action/x", {}),
            (phase.end_ns, "phase.end", f"phase/{phase.name}", {"repeat": phase.repeat}),
        )
    ]
    write_parquet(tmp_path / "events.parquet", EventTable(history.events, history.operations, history.servers))
    write_timeline(tmp_path / "timeline.jsonl", marks)

    back = read_history(tmp_path)
    assert (back.events == history.events).all()
    assert [(one.name, one.kind, one.repeat, one.start_ns, one.end_ns) for one in back.phases] == [
        (one.name, one.kind, one.repeat, one.start_ns, one.end_ns) for one in history.phases
    ]
    said = others_of(tmp_path)
    assert {one.rule for one in said} == {"argo-rollouts", "flagger"}
    assert [one.verdict for one in said] == [one.verdict for one in other_rules(history)]


def test_a_run_that_ended_before_any_request_has_nothing_for_others(tmp_path: Path) -> None:
    assert others_of(tmp_path) == ()


def test_a_damaged_run_is_said_to_be_one(tmp_path: Path) -> None:
    _, history, _ = failed(tmp_path)
    write_parquet(tmp_path / "events.parquet", EventTable(history.events, history.operations, history.servers))
    with pytest.raises(LoadError, match="timeline"):
        others_of(tmp_path)
    (tmp_path / "timeline.jsonl").write_text("{}\n")
    with pytest.raises(LoadError, match="timeline"):
        others_of(tmp_path)


@pytest.mark.parametrize("data", [{}, {"phase_kind": "surprise", "repeat": 1}, {"phase_kind": "graceful"}, None, 7])
def test_a_phase_that_is_marked_wrongly_is_damage_too(tmp_path: Path, data: object) -> None:
    _, history, _ = failed(tmp_path)
    write_parquet(tmp_path / "events.parquet", EventTable(history.events, history.operations, history.servers))
    line = {"t_ns": 1, "source": "shiftproof", "subject": "phase/deploy", "detail": ""}
    marks = [{**line, "kind": "phase.start", "data": data}, {**line, "kind": "phase.end", "data": {}}]
    (tmp_path / "timeline.jsonl").write_text("".join(f"{json.dumps(mark)}\n" for mark in marks))
    with pytest.raises(LoadError, match="is no timeline of a run"):
        others_of(tmp_path)


def test_figures_that_a_rule_cannot_take_are_said_to_be_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, history, _ = failed(tmp_path)
    write_parquet(tmp_path / "events.parquet", EventTable(history.events, history.operations, history.servers))
    (tmp_path / "timeline.jsonl").write_text("")

    def stumble(_: History) -> Any:
        raise IndexError("index 9 is out of bounds")

    monkeypatch.setattr("shiftproof.sensitivity.rules.other_rules", stumble)
    with pytest.raises(LoadError, match="hold what no run writes: index 9"):
        others_of(tmp_path)


def test_a_phase_that_never_ended_is_none() -> None:
    begin = Happening(1, Source.SHIFTPROOF, "phase.start", "phase/deploy", "", {"repeat": 1, "phase_kind": "graceful"})
    assert phases_of([begin]) == ()
