from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes.sensitivity import Script, World
from rich.console import Console

from shiftproof.sensitivity import settling

TESTS = Path(__file__).parents[1]
PATIENCE_S = 60.0

#: Everything as it should be.
GOOD = {
    "hole": Script("FAIL", ("availability", "outage"), load_s=10.0),
    "leak": Script("FAIL", ("latency",), load_s=20.0),
    "clean": Script("PASS", load_s=150.0),
}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("SHIFTPROOF_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(settling, "NORMAL_WITHIN_S", 0.3)
    made = World(tmp_path)
    made.write(**GOOD)
    return made


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=200, highlight=False)


def said(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


Started = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(world: World) -> Iterator[Started]:
    """The command in a process of its own; whatever is left of it at the end is killed."""
    processes: list[subprocess.Popen[str]] = []

    def begin(*words: str) -> subprocess.Popen[str]:
        path = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])  # the same copy as here
        environment = {**os.environ, "PYTHONPATH": path}
        process = subprocess.Popen(
            [sys.executable, "-m", "fakes.sensitivity", str(world.folder), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        processes.append(process)
        return process

    yield begin
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_for(condition: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up, f"never: {what}"
        time.sleep(0.02)
