"""Campaigns of rehearsals, over a made-up one: what counts as caught, and that none is taken for one of gates."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from fakes.sensitivity import Script, World, run_in
from rich.console import Console

from shiftproof.cli.sensitivity import _copy
from shiftproof.errors import LabError
from shiftproof.rehearse.judging import DELIVERED as CLAIM
from shiftproof.sensitivity.attempts import DELIVERED
from shiftproof.sensitivity.document import JSON_FILE, MARKDOWN_FILE, schema
from shiftproof.sensitivity.figures import EventFigures, figure_cells, figures_of, mean_figures
from shiftproof.sensitivity.page import PAGE_FILE
from shiftproof.sensitivity.run import Result, Sensitivity
from shiftproof.sensitivity.runner import GateCommand, RehearsalCommand
from shiftproof.sensitivity.state import past_seconds, read_campaign
from shiftproof.sensitivity.view import PlainView
from shiftproof.sensitivity.wiring import _command

from .conftest import said

LATE = Script("FAIL", ("time-to-capacity",), load_s=360.0, capacity_s=None)
GOOD = {"late": LATE, "lost": Script("FAIL", ("spot",), load_s=360.0), "clean": Script("PASS", load_s=355.0)}


@pytest.fixture
def payday(world: World) -> World:
    made = replace(world, expects={"late": "time-to-capacity", "lost": "spot"}, event="payday")
    made.write(**GOOD)
    return made


def newest(world: World) -> Path:
    return max(world.reports.glob("sensitivity-*"))


def results(world: World) -> dict[str, Any]:
    """Of the newest campaign; it must hold to its schema."""
    loaded: dict[str, Any] = json.loads((newest(world) / JSON_FILE).read_text())
    jsonschema.validate(loaded, schema())
    return loaded


def rehearsed(world: World) -> list[str]:
    return [call.split()[1] for call in world.calls if call.startswith("rehearse ")]


def test_all_caught_and_the_figures_of_each_stand_beside_it(payday: World, console: Console) -> None:
    assert run_in(payday, console) == 0
    assert rehearsed(payday) == ["late", "clean", "lost"]
    assert (newest(payday) / "rehearsals" / "late-1.json").is_file()
    found = results(payday)
    assert (found["event"], found["to_pct"]) == ("payday", None)
    figures = {row["name"]: row["figures"] for row in (*found["defects"], found["clean"])}
    assert figures["clean"] == {"time_to_capacity_s": 65.0, "never": 0, "shortfall_pct": 0.68, "cost_ratio": 1.1}
    assert (figures["late"]["time_to_capacity_s"], figures["late"]["never"]) == (None, 1)
    markdown, page = ((newest(payday) / name).read_text() for name in (MARKDOWN_FILE, PAGE_FILE))
    assert "# What rehearsals of payday caught (payments)" in markdown
    line = "caught 2 of 2 by the expected claim; missed 0; clean rehearsals: 1, false FAIL 0, inconclusive 0"
    assert f"{line}." in markdown
    assert line in said(console)
    assert "| late | time-to-capacity | yes | time-to-capacity | never | 0.7% | 1.10 x |" in markdown
    for words in ("All caught: 2 of 2", "Clean: time to capacity", "1 min 5 s", '<th class="n">whole rehearsal</th>'):
        assert words in page
    for text in (markdown, page, said(console)):
        assert "of load" not in text, "a FAIL ends no rehearsal, so when it was decided says nothing"
        assert "gate" not in text.lower()


def test_nobody_elses_rule_is_asked_and_that_is_said(payday: World, console: Console) -> None:
    assert run_in(payday, console) == 0
    assert all(attempt["others"] == [] for attempt in results(payday)["attempts"])
    for name in (MARKDOWN_FILE, PAGE_FILE):
        text = (newest(payday) / name).read_text()
        assert "were not asked" in text
        assert "judged by others" not in text


@pytest.mark.parametrize(
    ("script", "outcome", "code"),
    [
        (replace(LATE, delivered="INCONCLUSIVE"), "inconclusive", 2),
        (replace(LATE, delivered=None), "inconclusive", 2),
        (Script("FAIL", ("preflight",), delivered=None), "inconclusive", 2),
        (Script("INCONCLUSIVE"), "inconclusive", 2),
        (Script("FAIL", ("cost",)), "caught by another claim", 2),
        (replace(LATE, not_planted=("nodes: preflight ended it",), delivered=None), "false FAIL", 1),
        (Script("PASS"), "MISSED", 1),
        (replace(LATE, event="short"), "could not run", 3),
    ],
)
def test_only_what_was_planted_and_met_its_load_is_caught(
    payday: World, console: Console, script: Script, outcome: str, code: int
) -> None:
    payday.write(**{**GOOD, "late": script})
    assert run_in(payday, console) == code
    found = results(payday)
    attempt = next(one for one in found["attempts"] if one["name"] == "late")
    assert attempt["outcome"] == outcome
    assert found["totals"]["caught"]["k"] == 1, "the other one"
    if outcome == "inconclusive" and script.verdict == "FAIL":
        assert "load" in attempt["problem"]


def test_a_gates_verdict_is_none_of_a_rehearsal_nor_the_other_way_round(payday: World, console: Console) -> None:
    gates = replace(payday, event=None)
    gates.write(**{**GOOD, "late": replace(LATE, event="payday")})
    assert run_in(gates, console) == 3
    assert "is one of payday, and not of a gate" in results(gates)["attempts"][0]["problem"]


def test_a_clean_rehearsal_that_fails_is_a_false_alarm_whatever_its_load_was(payday: World, console: Console) -> None:
    payday.write(**{**GOOD, "clean": Script("FAIL", ("spot",), delivered="INCONCLUSIVE")})
    assert run_in(payday, console) == 1
    assert results(payday)["totals"]["false_fail"]["k"] == 1


def test_a_campaign_goes_on_with_its_own_and_never_with_another(payday: World, console: Console) -> None:
    payday.write(**{**GOOD, "lost": Script(None)})
    assert run_in(payday, console) == 3
    payday.write(**GOOD)
    assert run_in(replace(payday, event="flash"), console) == 0
    assert run_in(replace(payday, event=None), console) == 0
    assert len(rehearsed(payday)) == 6, "three that were stopped, three of another event"
    assert run_in(payday, console) == 0
    assert rehearsed(payday)[6:] == ["lost"]
    assert "2 of 3 rehearsals are done" in said(console)


def test_what_gates_took_says_nothing_of_rehearsals(payday: World, console: Console) -> None:
    assert run_in(replace(payday, event=None), console) == 0
    assert past_seconds(payday.reports, "payday") == {}
    assert run_in(payday, console) == 0
    assert {name: len(took_s) for name, took_s in past_seconds(payday.reports, "payday").items()} == {
        "late": 1,
        "lost": 1,
        "clean": 1,
    }
    assert read_campaign(newest(payday)).asked["event"] == "payday"


def test_gates_and_rehearsals_of_one_lab_have_one_normal(payday: World, console: Console) -> None:
    """What a campaign of gates left changed must not be normal to the rehearsals after it."""
    assert run_in(replace(payday, event=None), console) == 0
    payday.platform_is({"weights": "75"})
    with pytest.raises(Exception, match="before the first rehearsal: weights was 100 and is 75"):
        run_in(payday, console)
    assert rehearsed(payday) == []


def test_the_command_runs_what_was_asked_for(payday: World) -> None:
    asked = payday.asked()
    assert isinstance(_command(asked, Path("infra")), RehearsalCommand)
    assert _command(asked, Path("infra")).kind == asked.kind
    assert isinstance(_command(replace(payday, event=None).asked(), Path("infra")), GateCommand)


def test_what_events_need_is_there_before_the_first_look(payday: World, console: Console) -> None:
    def refuse() -> None:
        raise LabError("the lab is not up", hint="shiftproof lab up")

    parts = replace(payday.parts(), prepare=refuse)
    with pytest.raises(LabError, match="not up"):
        Sensitivity(payday.asked(), parts, PlainView(console)).run(fresh=False, ended=lambda _: None)
    assert rehearsed(payday) == []
    assert not payday.reports.exists()


def test_its_results_are_checked_in_beside_those_of_gates(payday: World, console: Console) -> None:
    results_dir = payday.folder / "results"
    results_dir.mkdir()
    ended: list[Result] = []
    for world in (payday, replace(payday, event=None)):
        Sensitivity(world.asked(), world.parts(), PlainView(console)).run(fresh=False, ended=ended.append)
        _copy(ended[-1], None, results_dir)
    assert {path.name for path in results_dir.iterdir()} == {
        "sensitivity-payday.json",
        "sensitivity-payday.md",
        JSON_FILE,
        MARKDOWN_FILE,
    }


def test_an_attempt_with_figures_comes_back_from_the_state(payday: World, console: Console) -> None:
    assert run_in(payday, console) == 0
    back = {one.name: one.figures for one in read_campaign(newest(payday)).attempts}
    assert back["clean"] == EventFigures(65.0, 0, 0.68, 1.1)


def test_the_claim_that_the_load_was_delivered_is_the_judges() -> None:
    assert DELIVERED == CLAIM


def test_figures_are_read_as_the_claims_tell_them() -> None:
    def said_by(name: str, **data: Any) -> dict[str, Any]:
        return {"name": name, "data": data}

    rises = [said_by("time-to-capacity", rows=[{"seconds": 9.0}]), said_by("time-to-capacity", rows=[{"seconds": 30}])]
    assert figures_of({"claims": rises}).time_to_capacity_s == 30, "the slowest of several rises"
    after = figures_of({"claims": [said_by("time-to-capacity", rows=[{"seconds": 400.0}], stuck="node")]})
    assert (after.time_to_capacity_s, after.never) == (None, 1), "what came after the event came for nobody"
    assert figures_of({}) == EventFigures()


def test_means_leave_out_what_is_not_known_and_say_how_often_it_never_came() -> None:
    both = mean_figures([EventFigures(60.0, 0, 1.0, None), EventFigures(None, 1, 3.0, 1.5), None])
    assert both == EventFigures(60.0, 1, 2.0, 1.5)
    assert figure_cells(both) == ["1 min 0 s, never 1", "2.0%", "1.50 x"]
    assert mean_figures([None]) is None
    assert figure_cells(None) == ["", "", ""]
