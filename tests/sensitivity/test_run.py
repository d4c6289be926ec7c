"""Whole campaigns over a made-up gate: what is caught, missed, stopped, and what the exit code says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from fakes.sensitivity import Script, World, run_in
from rich.console import Console

from shiftproof.errors import LabError, RefusedError, UndoError
from shiftproof.sensitivity.document import JSON_FILE, MARKDOWN_FILE, schema
from shiftproof.sensitivity.page import PAGE_FILE

from .conftest import GOOD, said


def results(world: World) -> dict[str, Any]:
    """Of the newest campaign; it must hold to its schema."""
    folder = max(world.reports.glob("sensitivity-*"))
    loaded: dict[str, Any] = json.loads((folder / JSON_FILE).read_text())
    jsonschema.validate(loaded, schema())
    return loaded


def gates(world: World) -> list[str]:
    return [call.split()[1] for call in world.calls if call.startswith("gate ")]


def test_all_caught_and_no_false_alarm_is_exit_0(world: World, console: Console) -> None:
    assert run_in(world, console) == 0
    assert gates(world) == ["hole", "clean", "leak"]
    found = results(world)
    assert found["complete"] is True
    assert found["totals"]["caught"]["k"] == found["totals"]["failed"]["n"] == 2
    assert found["totals"]["mean_fail_load_s"] == 15
    assert found["totals"]["mean_pass_load_s"] == 150
    assert [row["claims"] for row in found["defects"]] == [["availability", "outage"], ["latency"]]
    assert found["attempts"][0]["others"][0]["reason"] == "20260101-000000-payments-hole"
    folder = max(world.reports.glob("sensitivity-*"))
    for name in (MARKDOWN_FILE, PAGE_FILE):
        assert "leak" in (folder / name).read_text()
    for name in (JSON_FILE, MARKDOWN_FILE, PAGE_FILE):
        assert str(world.folder) not in (folder / name).read_text(), "these are checked in"
    lines = said(console).splitlines()
    assert lines[0].startswith("1/3  hole")
    assert "10 s of load" in lines[0]
    assert "left" in lines[0]


def test_a_miss_is_shouted_and_exit_1(world: World, console: Console) -> None:
    world.write(**{**GOOD, "leak": Script("PASS")})
    assert run_in(world, console) == 1
    assert results(world)["totals"]["missed"]["k"] == 1
    assert " MISSED  leak: the gate said PASS with it planted " in said(console)
    markdown = next(world.reports.glob("sensitivity-*/*.md")).read_text()
    assert "**MISSED: leak**" in markdown.splitlines()[2]


def test_a_clean_gate_that_fails_is_exit_1(world: World, console: Console) -> None:
    world.write(**{**GOOD, "clean": Script("FAIL", ("outage",))})
    assert run_in(world, console) == 1
    assert results(world)["totals"]["false_fail"]["k"] == 1
    assert "false FAIL" in said(console)


@pytest.mark.parametrize(
    ("name", "script", "outcome"),
    [
        ("leak", Script("FAIL", ("outage",)), "caught by another claim"),
        ("leak", Script("INCONCLUSIVE"), "inconclusive"),
        ("clean", Script("INCONCLUSIVE"), "inconclusive"),
    ],
)
def test_what_is_not_proven_is_exit_2(world: World, console: Console, name: str, script: Script, outcome: str) -> None:
    world.write(**{**GOOD, name: script})
    assert run_in(world, console) == 2
    attempt = next(one for one in results(world)["attempts"] if one["name"] == name)
    assert attempt["outcome"] == outcome
    assert attempt["problem"] is not None


def test_a_fail_before_its_defect_was_planted_is_no_catch(world: World, console: Console) -> None:
    early = replace(GOOD["leak"], not_planted=("legacy: no phase rollback came",))
    world.write(**{**GOOD, "leak": early})
    assert run_in(world, console) == 1, "nothing was planted yet: a false FAIL"
    found = results(world)
    last = found["attempts"][-1]
    assert (last["outcome"], last["problem"]) == (
        "false FAIL",
        "latency deploy: it said FAIL (not planted: legacy: no phase rollback came)",
    )
    assert found["totals"]["caught"]["n"] == 1

    assert run_in(replace(world, steps=2), console, fresh=True) == 2, "one of two steps was there"
    assert results(world)["attempts"][-1]["outcome"] == "FAIL before it was wholly planted"


def test_one_inconclusive_clean_gate_of_twenty_is_allowed(world: World, console: Console) -> None:
    many = replace(world, clean=20, expects={})
    assert run_in(many, console) == 0
    folder = max(world.reports.glob("sensitivity-*"))
    state = folder / "state.jsonl"
    lines = state.read_text().replace('"outcome": "passed"', '"outcome": "inconclusive"', 1).splitlines()
    state.write_text("\n".join(lines[:-1]) + "\n")  # less the last line, which says that it was finished
    assert run_in(many, console) == 0
    assert results(world)["totals"]["clean_inconclusive"]["k"] == 1
    assert len(gates(world)) == 20


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (Script(None, says="shiftproof: the patch of deployment/payments changes nothing"), "changes nothing"),
        (Script(None, exit=-9), "left no verdict"),
        (Script("PASS", exit=1), "its exit code 1"),
        (Script("FAIL", ("latency",), exit=3), "latency"),
        (Script("FAIL", ("latency",), planted="other"), "other was planted, and not leak"),
    ],
)
def test_a_gate_that_could_not_run_is_no_result_and_tried_again(
    world: World, console: Console, script: Script, why: str
) -> None:
    world.write(**{**GOOD, "leak": replace(script, says=script.says or "latency")})
    assert run_in(world, console) == 3
    last = results(world)["attempts"][-1]
    assert last["outcome"] == "could not run"
    assert why in last["problem"] or script.exit == -9

    world.write(**GOOD)
    assert run_in(world, console) == 0
    assert gates(world) == ["hole", "clean", "leak", "leak"]


def test_a_gate_that_says_pass_without_planting_is_no_miss_and_no_catch(world: World, console: Console) -> None:
    world.write(**{**GOOD, "clean": Script("PASS", planted="leak")})
    assert run_in(world, console) == 3
    assert "leak was planted, and not nothing" in results(world)["attempts"][1]["problem"]


def test_a_platform_that_is_not_back_to_normal_stops_it(world: World, console: Console) -> None:
    world.write(**{**GOOD, "hole": replace(GOOD["hole"], spoils="75")})
    with pytest.raises(UndoError, match="after hole: weights was 100 and is 75") as stopped:
        run_in(world, console)
    assert stopped.value.hint is not None
    assert "shiftproof recover" in stopped.value.hint
    assert gates(world) == ["hole"]
    found = results(world)
    assert (found["complete"], found["exit_code"], found["left"]) == (False, 3, 2)
    assert "weights was 100" in found["stopped"]
    assert "Not whole: the platform is not back to normal" in next(world.reports.glob("sensitivity-*/*.md")).read_text()

    with pytest.raises(UndoError, match="before the first gate: weights was 100 and is 75"):
        run_in(world, console)
    assert gates(world) == ["hole"], "nothing was run on a platform that is not normal"

    world.platform_is({"weights": "100"})
    assert run_in(world, console) == 0
    assert gates(world) == ["hole", "clean", "leak"]


def test_a_new_lab_has_a_normal_of_its_own(world: World, console: Console) -> None:
    world.write(**{**GOOD, "hole": replace(GOOD["hole"], spoils="75")})
    with pytest.raises(UndoError):
        run_in(world, console)
    world.platform_is({"weights": "75"}, scope="lab:2")
    assert run_in(world, console) == 0


def test_a_sick_platform_is_never_taken_for_normal(world: World, console: Console) -> None:
    world.platform_is({"weights": "100"}, "node node-2 is cordoned")
    with pytest.raises(UndoError, match="node node-2 is cordoned"):
        run_in(world, console)
    assert gates(world) == []


def test_a_platform_that_cannot_be_looked_at_begins_nothing(world: World, console: Console, monkeypatch: Any) -> None:
    def refuse(_: Any) -> Any:
        raise LabError("the lab is not up", hint="shiftproof lab up")

    monkeypatch.setattr("fakes.sensitivity.FilePlatform.look", refuse)
    with pytest.raises(LabError, match="not up"):
        run_in(world, console)
    assert not world.reports.exists()


def test_results_of_different_code_are_not_mixed(world: World, console: Console) -> None:
    world.write(**{**GOOD, "leak": Script(None)})
    assert run_in(world, console) == 3
    (world.folder / "edited").write_text("2")
    with pytest.raises(RefusedError, match="src changed since") as refused:
        run_in(world, console)
    assert refused.value.hint is not None
    assert "--fresh" in refused.value.hint
    world.write(**GOOD)
    assert run_in(world, console, fresh=True) == 0
    assert len(list(world.reports.glob("sensitivity-*"))) == 2
    assert len(results(world)["attempts"]) == 3


def test_code_that_is_edited_during_a_gate_stops_it_before_there_is_a_result(world: World, console: Console) -> None:
    world.write(**{**GOOD, "clean": replace(GOOD["clean"], edits="2")})
    with pytest.raises(RefusedError, match="src changed since"):
        run_in(world, console)
    assert gates(world) == ["hole", "clean"]
    found = results(world)
    assert [one["name"] for one in found["attempts"]] == ["hole"], "the gate that was edited under is no result"
    assert (found["exit_code"], found["left"]) == (3, 2)
    with pytest.raises(RefusedError, match="src changed since"):
        run_in(world, console)
    assert gates(world) == ["hole", "clean"]

    world.write(**GOOD)
    (world.folder / "edited").unlink()
    assert run_in(world, console) == 0
    assert gates(world) == ["hole", "clean", "clean", "leak"]
    assert results(world)["cut_short"] == 1


def test_after_the_end_the_same_words_begin_anew(world: World, console: Console) -> None:
    assert run_in(world, console) == 0
    assert run_in(world, console) == 0
    assert len(gates(world)) == 6


def test_other_words_are_another_campaign(world: World, console: Console) -> None:
    world.write(**{**GOOD, "leak": Script(None)})
    assert run_in(world, console) == 3
    world.write(**GOOD)
    assert run_in(replace(world, clean=0), console) == 0
    assert gates(world) == ["hole", "clean", "leak", "hole", "leak"]


def test_others_that_cannot_be_asked_decide_nothing(world: World, console: Console, monkeypatch: Any) -> None:
    from shiftproof.sensitivity.rules import others_of

    parts = world.parts()
    monkeypatch.setattr(World, "parts", lambda _: replace(parts, others=others_of))
    for name in ("hole", "leak", "clean"):
        run_dir: Path = world.reports / f"20260101-000000-payments-{name}"
        run_dir.mkdir(parents=True)
        (run_dir / "events.parquet").write_bytes(b"not parquet")
    assert run_in(world, console) == 0
    assert "others' rules could not be asked" in said(console)
    assert all(attempt["others"] == [] for attempt in results(world)["attempts"])
