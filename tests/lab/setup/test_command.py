from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shiftproof.errors import SetupError
from shiftproof.lab.setup.command import CommandFailed, run


def test_lines_come_as_they_are_said_and_all_are_returned() -> None:
    heard: list[str] = []
    assert run(["sh", "-c", "echo one; echo two >&2; echo three"], on_line=heard.append) == ["one", "two", "three"]
    assert heard == ["one", "two", "three"]


def test_a_program_that_fails_carries_its_last_lines() -> None:
    with pytest.raises(CommandFailed) as caught:
        run(["sh", "-c", "echo fine; echo 'error: broken'; echo bye; exit 4"])
    assert caught.value.code == 4
    assert caught.value.telling_line() == "error: broken"


def test_a_program_that_is_not_there_fails() -> None:
    with pytest.raises((SetupError, CommandFailed), match="no-such-program"):
        run(["no-such-program"])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("write /x: no space left on device", "the disk is full"),
        ("dial tcp 1.2.3.4:443: i/o timeout", "could not download: dial tcp"),
        ("E: Failed to fetch http://x", "could not download: E: Failed"),
        ("pkg.go:3:1: syntax error", "go failed: pkg.go:3:1"),
        ("", r"go failed: \(it said nothing\)"),
    ],
)
def test_the_cause_is_told_in_one_line(line: str, words: str) -> None:
    error = CommandFailed("go", 1, ("some line before", line) if line else ()).as_setup_error(
        "building x", "make setup"
    )
    with pytest.raises(SetupError, match=words):
        raise error
    assert "\n" not in error.one_line()


def test_a_program_dies_with_us_even_when_we_are_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    program = f"""
from shiftproof.lab.setup.command import run
run(["sh", "-c", "echo $$ > {pid_file}.new; mv {pid_file}.new {pid_file}; exec sleep 60"])
"""
    parent = subprocess.Popen([sys.executable, "-c", program])
    wait_until(pid_file.exists)
    child = int(pid_file.read_text())
    parent.kill()
    parent.wait()
    wait_until(lambda: not is_running(child))


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition: object) -> None:
    assert callable(condition)
    deadline_s = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline_s, "did not happen within 60 s"
        os.sched_yield()
        time.sleep(0.01)
