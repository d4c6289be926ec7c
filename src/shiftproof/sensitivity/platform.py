"""Looks at the platform between turns, through processes of their own that enter the lab as a gate does."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from shiftproof.errors import LockHeldError, SetupError
from shiftproof.safety.lock import exclusive
from shiftproof.safety.state import state_dir
from shiftproof.sensitivity.look import SALT_ENV, TARGET
from shiftproof.sensitivity.normal import Look
from shiftproof.sensitivity.runner import PROGRAM

LOOK_WITHIN_S = 60.0
RECOVER_WITHIN_S = 600.0
#: An earlier run that was cut short may still be putting things back: a gate for a minute or two, a rehearsal longer.
UNLOCKED_WITHIN_S = 600.0
POLL_S = 0.5
_SALT_FILE = "sensitivity-salt"


class Platform(Protocol):
    """What is between two turns."""

    def wait_free(self, note: Callable[[str], None]) -> None:
        """Wait for a run that is still at work. Raises LockHeldError when it goes on for too long."""
        ...

    def recover(self, note: Callable[[str], None]) -> None:
        """Undo what a run that died has left. Raises SetupError."""
        ...

    def look(self) -> Look:
        """As it is now. Raises SetupError when it cannot be looked at."""
        ...


@dataclass(frozen=True, slots=True)
class LabPlatform:
    """The lab."""

    service: str
    infra_dir: Path

    def wait_free(self, note: Callable[[str], None]) -> None:
        _wait_until_unlocked(note)

    def recover(self, note: Callable[[str], None]) -> None:
        words = [*PROGRAM, "recover", "--target", TARGET, "--infra", str(self.infra_dir)]
        for line in _run(words, RECOVER_WITHIN_S, os.environ).splitlines():
            if line.startswith("put back"):
                note(line)

    def look(self) -> Look:
        words = [sys.executable, "-m", "shiftproof.sensitivity.look", self.service, "--infra", str(self.infra_dir)]
        found = json.loads(_run(words, LOOK_WITHIN_S, {**os.environ, SALT_ENV: _salt()}))
        return Look(found["scope"], found["facts"], tuple(found["problems"]), tuple(found["passing"]))


def _wait_until_unlocked(note: Callable[[str], None]) -> None:
    give_up = time.monotonic() + UNLOCKED_WITHIN_S
    told = False
    while True:
        try:
            with exclusive("sensitivity"):
                return
        except LockHeldError as error:
            if time.monotonic() > give_up:
                raise
            if not told:
                note(f"waiting: {error}")
                told = True
        time.sleep(POLL_S)


def _run(words: list[str], within_s: float, env: Mapping[str, str]) -> str:
    """Its stdout. Raises SetupError with its last line when it fails."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=within_s, check=False, env=env)
    except subprocess.TimeoutExpired as error:
        raise SetupError(f"{_said(words)} did not end within {within_s:.0f} s", hint="shiftproof lab status") from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise SetupError(last.removeprefix("shiftproof: "))
    return done.stdout


def _said(words: list[str]) -> str:
    return " ".join(["shiftproof", *words[3:]]) if "shiftproof" in words else " ".join(words[2:])


def _salt() -> str:
    """For digests of Secrets: the same as long as this machine is, and for its root alone."""
    path = state_dir() / _SALT_FILE
    try:
        if not path.exists():
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
                file.write(secrets.token_hex(32))
        return path.read_text(encoding="ascii")
    except OSError as error:
        raise SetupError(f"cannot use {path}: {error.strerror}", hint="run as root") from error
