from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from shiftproof import cli
from shiftproof.errors import SetupError
from shiftproof.lab.setup import steps


def build_that(raises: BaseException) -> object:
    def build(*_: object) -> None:
        raise raises

    return build


@pytest.mark.parametrize("arguments", [["nope"], ["doctor", "--nope"], ["lab", "nope"], ["doctor", "extra"], ["lab"]])
def test_a_mistyped_command_is_one_line_and_exit_3(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(arguments) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert captured.err.startswith("shiftproof: ")
    assert "--help" in captured.err


def test_our_errors_are_one_line_and_exit_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(steps, "build", build_that(SetupError("the disk\nis full", hint="free some")))
    assert cli.run(["lab", "build"]) == 3
    assert capsys.readouterr().err == "shiftproof: the disk is full  ->  free some\n"


def test_ctrl_c_is_one_line_and_exit_3(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(steps, "build", build_that(KeyboardInterrupt()))
    assert cli.run(["lab", "build"]) == 3
    assert capsys.readouterr().err == "shiftproof: interrupted\n"


def test_a_fault_of_our_own_never_looks_like_a_fail(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(steps, "build", build_that(ZeroDivisionError("oops")))
    assert cli.run(["lab", "build"]) == 3, "1 would mean that the service failed"
    assert "a fault in shiftproof itself: ZeroDivisionError: oops" in capsys.readouterr().err


def test_help_is_exit_0_and_loads_nothing_heavy() -> None:
    program = (
        "import sys; from shiftproof import cli; code = cli.run(['--help']); "
        "heavy = {'numpy', 'scipy', 'pyarrow', 'kubernetes', 'boto3', 'locust', 'moto'} & set(sys.modules); "
        "sys.exit(f'loaded {heavy}' if heavy else code)"
    )
    start_s = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "doctor" in done.stdout
    assert time.monotonic() - start_s < 10


def test_a_reader_that_goes_away_never_looks_like_a_fail() -> None:
    program = "import sys; from shiftproof import cli; sys.exit(cli.run(['--help']))"
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", program], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (3, b"")
