"""One gate as a child: how it is called, and that it never outlives its time or its purpose."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.sensitivity import World

from shiftproof.errors import SetupError
from shiftproof.sensitivity import gates as module
from shiftproof.sensitivity.gates import GateCommand, Gates
from shiftproof.sensitivity.plan import Turn

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


def test_one_that_never_ends_is_ended_and_no_verdict_of_it_counts(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write(**{**GOOD, "hole": replace(GOOD["hole"], waits=True)})
    monkeypatch.setattr(module, "LONGEST_GATE_S", 1.0)
    ended = world.parts().gates(world.folder).run(first_turn(world), no_tick)
    assert ended.verdict is None
    assert "did not end within 1 s" in ended.said
    assert world.calls[-1] == "put back hole", "it was told to end, not killed"


def test_one_that_cannot_be_told_is_killed(tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    program = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    monkeypatch.setattr(module, "LONGEST_GATE_S", 1.0)
    monkeypatch.setattr(module, "PUT_BACK_WITHIN_S", 1.0)
    gates = Gates(GateCommand("payments", 25, Path("infra"), (sys.executable, "-c", program)), tmp_path)
    assert gates.run(first_turn(world), no_tick).exit_code == -9


def test_one_that_cannot_be_started_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SetupError, match="cannot be started"):
        world.parts().gates(world.folder).run(first_turn(world), no_tick)


def test_a_verdict_of_an_earlier_try_is_not_taken_for_this_one(world: World) -> None:
    gates = world.parts().gates(world.folder)
    assert gates.run(first_turn(world), no_tick).verdict is not None
    world.write(**{**GOOD, "hole": replace(GOOD["hole"], verdict=None, says="shiftproof: no lab\nbye")})
    ended = gates.run(first_turn(world), no_tick)
    assert (ended.verdict, ended.exit_code, ended.said) == (None, 3, "no lab")
