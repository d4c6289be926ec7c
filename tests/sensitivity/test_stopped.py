"""Stopped half way, by whatever: nothing is left planted, nothing is lost, and the same command goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.sensitivity import World, run_in
from rich.console import Console

from shiftproof.errors import SetupError
from shiftproof.sensitivity.run import Result, Sensitivity
from shiftproof.sensitivity.state import STATE_FILE, read_campaign
from shiftproof.sensitivity.view import PlainView

from .conftest import GOOD, PATIENCE_S, Started, said, wait_for


def gates(world: World) -> list[str]:
    return [call.split()[1] for call in world.calls if call.startswith("gate ")]


def waiting_in_leak(world: World, start: Started) -> subprocess.Popen[str]:
    """A campaign in its last gate, which waits for the file `go`."""
    world.write(**{**GOOD, "leak": replace(GOOD["leak"], waits=True)})
    process = start()
    wait_for(lambda: gates(world)[-1:] == ["leak"], "the gate of leak began")
    return process


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def gate_pid(world: World) -> int:
    return int(world.calls[-1].split()[2])


def test_after_kill_9_the_gate_ends_by_itself_and_the_rest_is_run(
    world: World, start: Started, console: Console
) -> None:
    process = waiting_in_leak(world, start)
    pid = gate_pid(world)
    process.send_signal(signal.SIGKILL)
    process.wait(PATIENCE_S)
    wait_for(lambda: "put back leak" in world.calls, "the gate was told to end, and put everything back")
    wait_for(lambda: not is_alive(pid), "the gate ended")

    world.write(**GOOD)
    assert run_in(world, console) == 0
    assert gates(world) == ["hole", "clean", "leak", "leak"], "what had a result was not run again"
    assert world.calls.count("recover") == 2
    assert "2 of 3 gates are done" in said(console)
    folders = list(world.reports.glob("sensitivity-*"))
    assert len(folders) == 1
    assert json.loads((folders[0] / "sensitivity.json").read_text())["totals"]["again"]["cut_short"] == 1
    assert "; 0 tries without a result, 1 cut short, were run again" in said(console)


def test_results_that_could_not_be_handed_over_are_handed_over_by_the_same_command(
    world: World, console: Console
) -> None:
    world.write(**GOOD)
    handed: list[int] = []

    def hand_over(result: Result) -> None:
        handed.append(len(gates(world)))
        if len(handed) == 1:
            raise SetupError("the disk is full")

    with pytest.raises(SetupError, match="the disk is full"):
        Sensitivity(world.asked(), world.parts(), PlainView(console)).run(fresh=False, ended=hand_over)
    Sensitivity(world.asked(), world.parts(), PlainView(console)).run(fresh=False, ended=hand_over)
    assert handed == [3, 3], "no gate was run again"
    assert len(list(world.reports.glob("sensitivity-*"))) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_waits_for_the_gate_and_leaves_a_table_so_far(
    world: World, start: Started, console: Console, number: signal.Signals
) -> None:
    process = waiting_in_leak(world, start)
    pid = gate_pid(world)
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 3
    assert err.strip() == "shiftproof: interrupted"
    assert world.calls[-1] == "put back leak"
    assert not is_alive(pid)
    assert "caught 1 of 1" in out
    found = json.loads(next(world.reports.glob("sensitivity-*/sensitivity.json")).read_text())
    assert (found["left"], found["stopped"], found["complete"]) == (1, "interrupted", False)

    world.write(**GOOD)
    assert run_in(world, console) == 0
    assert gates(world) == ["hole", "clean", "leak", "leak"]


def test_a_second_copy_is_told_who_is_at_work(world: World, start: Started) -> None:
    first = waiting_in_leak(world, start)
    second = start()
    _, err = second.communicate(timeout=PATIENCE_S)
    assert second.returncode == 3
    assert f"`shiftproof sensitivity of payments` is at work (pid {first.pid}" in err
    (world.folder / "go").touch()
    assert first.wait(PATIENCE_S) == 0
    assert gates(world) == ["hole", "clean", "leak"]


@pytest.fixture
def full_disk(world: World) -> Iterator[Path]:
    """A file system of 256 KiB as the reports folder."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    world.reports.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(world.reports)], check=True)
    try:
        yield world.reports
    finally:
        subprocess.run(["umount", str(world.reports)], check=True)


def fill(path: Path, piece: bytes) -> None:
    """Add `piece` to the file until the disk takes no more."""
    with path.open("ab", buffering=0) as file, suppress(OSError):
        while file.write(piece) == len(piece):
            pass


def test_a_full_disk_is_said_and_nothing_is_lost(world: World, full_disk: Path, console: Console) -> None:
    world.write(**{**GOOD, "leak": replace(GOOD["leak"], verdict=None)})
    assert run_in(world, console) == 3  # hole and clean are done, leak could not run
    state = next(full_disk.glob("sensitivity-*")) / STATE_FILE
    world.write(**GOOD)
    filler = full_disk / "filler"
    fill(filler, b"\0" * 1024)
    fill(state, b'{"type": "checked", "key": "hole 1", "check_s": 0}\n')  # its last page has room for such lines
    with pytest.raises(SetupError, match="No space left") as full:
        run_in(world, console)
    assert "free some disk space" in full.value.one_line()
    assert gates(world) == ["hole", "clean", "leak"], "no gate is begun that could not be remembered"

    filler.unlink()
    assert run_in(world, console) == 0
    assert gates(world) == ["hole", "clean", "leak", "leak"]
    assert len(read_campaign(state.parent).results()) == 3


def test_half_a_line_at_the_end_is_cut_off(world: World, console: Console) -> None:
    world.write(**{**GOOD, "leak": replace(GOOD["leak"], verdict=None)})
    assert run_in(world, console) == 3
    state = next(world.reports.glob("sensitivity-*")) / STATE_FILE
    with state.open("a") as file:
        file.write('{"type": "attempt", "name": "le')
    world.write(**GOOD)
    assert run_in(world, console) == 0
    assert all(json.loads(line)["type"] for line in state.read_text().splitlines())


@pytest.mark.parametrize("line", ["no json", '{"type": "surprise"}', '{"type": "attempt", "name": "x"}', "[]"])
def test_a_damaged_state_names_its_line_and_is_not_gone_on_with(world: World, console: Console, line: str) -> None:
    world.write(**{**GOOD, "leak": replace(GOOD["leak"], verdict=None)})
    assert run_in(world, console) == 3
    state = next(world.reports.glob("sensitivity-*")) / STATE_FILE
    lines = state.read_text().splitlines()
    state.write_text("\n".join([lines[0], line, *lines[1:]]) + "\n")
    with pytest.raises(SetupError, match=r"state\.jsonl:2: ") as damaged:
        run_in(world, console)
    assert "--fresh" in damaged.value.one_line()
