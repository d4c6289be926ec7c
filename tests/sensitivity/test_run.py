"""Whole campaigns over a made-up gate: what is caught, missed, stopped, and what the exit code says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from fakes.sensitivity import FilePlatform, Script, World, run_in
from rich.console import Console

from shiftproof.cli.sensitivity import _copy
from shiftproof.errors import LabError, RefusedError, UndoError
from shiftproof.gate.planting.planting import NOT_KNOWN
from shiftproof.sensitivity import settling
from shiftproof.sensitivity.document import JSON_FILE, MARKDOWN_FILE, schema
from shiftproof.sensitivity.normal import Look
from shiftproof.sensitivity.page import PAGE_FILE
from shiftproof.sensitivity.run import Result, Sensitivity
from shiftproof.sensitivity.view import PlainView

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


def test_a_fail_beside_a_defect_whose_effect_is_not_known_is_no_catch_and_no_false_alarm(
    world: World, console: Console
) -> None:
    unknown = replace(GOOD["leak"], not_planted=(f"network: deny cluster -> database: {NOT_KNOWN}",))
    world.write(**{**GOOD, "leak": unknown})
    assert run_in(world, console) == 2
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
    assert results(world)["totals"]["again"]["without_result"] == 1
    assert "; 1 try without a result, 0 cut short, were run again" in said(console)


def test_a_pass_whose_undo_failed_is_no_miss_and_is_not_kept_quiet(world: World, console: Console) -> None:
    world.write(**{**GOOD, "leak": Script("PASS", exit=3, says="shiftproof: deployment/payments is not put back")})
    assert run_in(world, console) == 3
    found = results(world)
    assert found["attempts"][-1]["unheard"] == "PASS"
    assert found["attempts"][-1]["problem"].endswith("is not put back (its verdict file says PASS)")
    assert found["totals"]["again"] == {"without_result": 0, "cut_short": 0, "passed": 1}, "it is among what is left"

    world.write(**GOOD)
    assert run_in(world, console) == 0
    assert results(world)["totals"]["again"] == {"without_result": 1, "cut_short": 0, "passed": 1}
    assert "; 1 try without a result said PASS with a defect planted" in said(console).splitlines()[-2]
    folder = max(world.reports.glob("sensitivity-*"))
    for name in (MARKDOWN_FILE, PAGE_FILE):
        assert "tries without a result that said PASS with a defect planted" in (folder / name).read_text()


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


@pytest.mark.parametrize(("clean", "fresh"), [(0, False), (1, True)], ids=["asked for in other words", "begun anew"])
def test_what_an_earlier_campaign_left_changed_is_not_normal(
    world: World, console: Console, clean: int, fresh: bool
) -> None:
    world.write(**{**GOOD, "hole": replace(GOOD["hole"], spoils="75")})
    with pytest.raises(UndoError):
        run_in(world, console)
    world.write(**GOOD)
    with pytest.raises(UndoError, match="before the first gate: weights was 100 and is 75") as stopped:
        run_in(replace(world, clean=clean), console, fresh=fresh)
    assert "lab down && shiftproof lab up" in stopped.value.one_line()
    assert gates(world) == ["hole"], "nothing was run on a platform that is not normal"

    world.platform_is({"weights": "75"}, scope="lab:2")
    assert run_in(replace(world, clean=clean), console, fresh=fresh) == 0


def test_another_configuration_has_a_normal_of_its_own(
    world: World, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_in(world, console) == 0
    monkeypatch.setattr("fakes.sensitivity.FINGERPRINT", {"src": "1", "infra": "2"})
    world.platform_is({"weights": "75"})
    assert run_in(world, console) == 0


def test_what_passes_by_itself_has_more_time_and_is_said(
    world: World, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "NORMAL_WITHIN_S", 0.0)
    world.platform_is({"weights": "100"}, passing=("scaled out: 5 pods",))
    looks: list[Look] = []
    look = FilePlatform.look

    def scale_in(platform: FilePlatform) -> Look:
        looks.append(look(platform))
        if len(looks) == 4:
            world.platform_is({"weights": "100"})
        return looks[-1]

    monkeypatch.setattr(FilePlatform, "look", scale_in)
    assert run_in(world, console) == 0
    assert said(console).count("waiting: scaled out: 5 pods") == 1
    assert gates(world) == ["hole", "clean", "leak"]


def test_what_should_pass_and_does_not_stops_it(world: World, console: Console, monkeypatch: Any) -> None:
    monkeypatch.setattr(settling, "PASSES_WITHIN_S", 0.2)
    world.platform_is({"weights": "100"}, passing=("scaled out: 5 pods",))
    with pytest.raises(UndoError, match="before the first gate: scaled out: 5 pods"):
        run_in(world, console)
    assert gates(world) == []


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
    assert results(world)["totals"]["again"]["cut_short"] == 1


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


def test_a_result_is_on_disk_before_others_are_asked(world: World, console: Console, monkeypatch: Any) -> None:
    """Whatever goes wrong with their rules: a miss is never run again until it is none."""
    parts = world.parts()

    def break_down(_: Path) -> Any:
        raise AssertionError("a fault in a rule")

    world.write(**{**GOOD, "hole": Script("PASS")})
    monkeypatch.setattr(World, "parts", lambda _: replace(parts, others=break_down))
    with pytest.raises(AssertionError, match="a fault in a rule"):
        run_in(world, console)

    world.write(**GOOD)
    monkeypatch.setattr(World, "parts", lambda _: parts)
    assert run_in(world, console) == 1
    assert gates(world) == ["hole", "clean", "leak"]
    assert results(world)["totals"]["missed"]["k"] == 1


def test_what_others_said_comes_back_from_the_state(world: World, console: Console) -> None:
    world.write(**{**GOOD, "leak": Script(None)})
    assert run_in(world, console) == 3
    world.write(**GOOD)
    assert run_in(world, console) == 0
    found = {attempt["name"]: attempt["others"] for attempt in results(world)["attempts"]}
    assert [others[0]["reason"] for others in found.values()] == [
        f"20260101-000000-payments-{name}" for name in ("hole", "clean", "leak")
    ]


def test_a_table_that_was_stopped_in_its_last_check_is_not_checked_in(world: World, console: Console) -> None:
    results_dir = world.folder / "results"
    results_dir.mkdir()
    ended: list[Result] = []

    def campaign() -> None:
        Sensitivity(world.asked(), world.parts(), PlainView(console)).run(fresh=False, ended=ended.append)

    world.write(**{**GOOD, "leak": replace(GOOD["leak"], spoils="75")})
    with pytest.raises(UndoError, match="after leak"):
        campaign()
    _copy(ended[-1], None, results_dir)
    assert ended[-1].summary.complete
    assert list(results_dir.iterdir()) == []
    page = (ended[-1].folder / PAGE_FILE).read_text()
    assert "<h1>Stopped after the last of 3 gates</h1>" in page
    assert 'class="is-inconclusive"' in page

    world.platform_is({"weights": "100"})
    campaign()
    _copy(ended[-1], None, results_dir)
    assert {path.name for path in results_dir.iterdir()} == {JSON_FILE, MARKDOWN_FILE}
    assert "<h1>All caught: 2 of 2</h1>" in (ended[-1].folder / PAGE_FILE).read_text()
