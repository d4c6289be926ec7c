"""One at a time: the lock says who holds it, and dies with its holder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shiftproof.errors import LockHeldError, SetupError
from shiftproof.safety.lock import exclusive

HOLD = """
import sys, pathlib
from shiftproof.safety.lock import exclusive
with exclusive("gate payments --to 25", pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    words = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        yield child
        child.kill()


def test_the_second_is_told_who_holds_it(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    with pytest.raises(LockHeldError) as refused, exclusive("recover", tmp_path):
        pytest.fail("two hold one lock")
    assert f"`shiftproof gate payments --to 25` is at work (pid {holder.pid}, since " in str(refused.value)


def test_the_lock_dies_with_a_holder_that_is_killed(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    holder.kill()
    holder.wait(timeout=60)
    with exclusive("recover", tmp_path):
        assert '"what": "recover"' in (tmp_path / "lock").read_text()


def test_it_is_free_again_after_its_block(tmp_path: Path) -> None:
    for _ in range(2):
        with exclusive("recover", tmp_path):
            assert (tmp_path / "lock").exists()


def test_a_lock_that_is_not_signed_yet_is_held_all_the_same(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("")
    with pytest.raises(LockHeldError, match="has just started"), exclusive("recover", tmp_path):
        pytest.fail("two hold one lock")


def test_a_folder_that_cannot_be_written_is_an_error_of_the_set_up(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="cannot open the lock"), exclusive("recover", tmp_path / "missing"):
        pytest.fail("nothing was locked")
