"""Between gates: wait for one that is still putting things back, and say why when the platform cannot be looked at."""

from __future__ import annotations

import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from shiftproof.errors import LockHeldError, SetupError
from shiftproof.safety.lock import exclusive
from shiftproof.sensitivity import platform as module
from shiftproof.sensitivity.platform import LabPlatform

LAB = LabPlatform("payments", Path("infra"))


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SHIFTPROOF_STATE", str(tmp_path))
    return tmp_path


def test_it_waits_for_a_gate_that_is_still_at_work_and_says_for_whom() -> None:
    notes: list[str] = []
    held = ExitStack()
    held.enter_context(exclusive("gate payments --to 25"))

    def note(words: str) -> None:
        notes.append(words)
        threading.Timer(0.2, held.close).start()

    LAB.wait_free(note)
    assert len(notes) == 1
    assert "`shiftproof gate payments --to 25` is at work" in notes[0]


def test_one_that_never_ends_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "UNLOCKED_WITHIN_S", 0.1)
    with exclusive("gate payments --to 25"), pytest.raises(LockHeldError, match="--to 25"):
        LAB.wait_free(lambda _: None)


def test_what_a_look_says_when_it_fails_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    program = "import sys; print('a warning', file=sys.stderr); sys.exit('shiftproof: the lab is not up  ->  lab up')"
    monkeypatch.setattr(module, "PROGRAM", (sys.executable, "-c", program))
    with pytest.raises(SetupError, match=r"^the lab is not up  ->  lab up$"):
        LAB.recover(lambda _: None)


def test_one_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROGRAM", (sys.executable, "-c", "import time; time.sleep(600)"))
    monkeypatch.setattr(module, "RECOVER_WITHIN_S", 0.5)
    with pytest.raises(SetupError, match="did not end within"):
        LAB.recover(lambda _: None)


def test_what_was_put_back_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    program = "print('put back: weights of rule/x'); print('nothing else')"
    monkeypatch.setattr(module, "PROGRAM", (sys.executable, "-c", program))
    notes: list[str] = []
    LAB.recover(notes.append)
    assert notes == ["put back: weights of rule/x"]


def test_the_salt_is_roots_alone_and_stays(state: Path) -> None:
    first = module._salt()
    assert len(first) == 64
    assert module._salt() == first
    assert (state / "sensitivity-salt").stat().st_mode & 0o777 == 0o600
