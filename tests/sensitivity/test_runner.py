"""One gate as a child: how it is called, and that it never outlives its time or its purpose."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.sensitivity import World

from shiftproof.errors import SetupError
from shiftproof.sensitivity.kind import GATES, rehearsals
from shiftproof.sensitivity.plan import Turn
from shiftproof.sensitivity.runner import GateCommand, RehearsalCommand, Runner

from .conftest import GOOD


def no_tick() -> None:
    """Nobody looks on."""


def first_turn(world: World) -> Turn:
    return world.asked().turns[0]


def test_it_is_called_as_a_user_would(world: World) -> None:
    command = GateCommand("payments", 25, Path("infra"), ("shiftproof",))
    words = " ".join(command.words(first_turn(world), Path("v.json")))
    assert words == "shiftproof gate payments --to 25 --infra infra --json v.json --defect defects/hole.yaml"
    clean = command.words(world.asked().turns[1], Path("v.json"))
    assert "--defect" not in clean


def test_a_rehearsal_is_called_as_a_user_would(world: World) -> None:
    command = RehearsalCommand("payments", rehearsals("payday", 300), Path("infra"), ("shiftproof",))
    said = "shiftproof rehearse payday --service payments --infra infra --json v.json"
    turns = replace(world, event="payday").asked().turns
    assert " ".join(command.words(turns[0], Path("v.json"))) == f"{said} --defect defects/hole.yaml"
    assert " ".join(command.words(turns[1], Path("v.json"))) == said


def test_a_rehearsal_has_the_time_that_the_slowest_of_them_needs() -> None:
    """One whose nodes join late takes 13 minutes; and what it did takes longer to put back than a gate's."""
    payday = rehearsals("payday", 300)
    assert payday.longest_s == 1800
    assert payday.put_back_within_s > GATES.put_back_within_s
    assert 7 * 60 <= payday.planted_s == payday.clean_s <= 8 * 60


def test_one_that_never_ends_is_ended_and_no_verdict_of_it_counts(world: World) -> None:
    world.write(**{**GOOD, "hole": replace(GOOD["hole"], waits=True)})
    program = world.program()
    command = GateCommand("payments", 25, Path("infra"), program, replace(GATES, longest_s=5.0))
    ended = Runner(command, world.folder).run(first_turn(world), no_tick)
    assert ended.verdict is None
    assert "did not end within 5 s" in ended.said
    assert world.calls[-1] == "put back hole", "it was told to end, not killed"


def test_one_that_cannot_be_told_is_killed(tmp_path: Path, world: World) -> None:
    program = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    hasty = replace(GATES, longest_s=1.0, put_back_within_s=1.0)
    runner = Runner(GateCommand("payments", 25, Path("infra"), (sys.executable, "-c", program), hasty), tmp_path)
    assert runner.run(first_turn(world), no_tick).exit_code == -9


def test_one_that_cannot_be_started_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SetupError, match="cannot be started"):
        world.parts().runner(world.folder).run(first_turn(world), no_tick)


def test_a_verdict_of_an_earlier_try_is_not_taken_for_this_one(world: World) -> None:
    runner = world.parts().runner(world.folder)
    assert runner.run(first_turn(world), no_tick).verdict is not None
    world.write(**{**GOOD, "hole": replace(GOOD["hole"], verdict=None, says="shiftproof: no lab\nbye")})
    ended = runner.run(first_turn(world), no_tick)
    assert (ended.verdict, ended.exit_code, ended.said) == (None, 3, "no lab")
