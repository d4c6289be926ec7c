"""Runs one gate or rehearsal as a user does, in a process of its own, and waits for it whatever happens to us."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from shiftproof.errors import SetupError
from shiftproof.gate.signals import undisturbed
from shiftproof.sensitivity.attempts import Ended
from shiftproof.sensitivity.kind import GATES, Kind
from shiftproof.sensitivity.plan import Turn

PROGRAM = (sys.executable, "-m", "shiftproof")

TICK_S = 0.2
SAID_CHARS = 400


class Command(Protocol):
    """How a turn is run: its words, and the kind of what they run."""

    @property
    def kind(self) -> Kind: ...

    def words(self, turn: Turn, json_file: Path) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class GateCommand:
    """How a gate is run. `program`: the words before `gate`."""

    service: str
    to_pct: int
    infra_dir: Path
    program: Sequence[str] = PROGRAM
    kind: Kind = GATES

    def words(self, turn: Turn, json_file: Path) -> list[str]:
        own = ["gate", self.service, "--to", str(self.to_pct)]
        return [*self.program, *own, *_common(self.infra_dir, turn, json_file)]


@dataclass(frozen=True, slots=True)
class RehearsalCommand:
    """How a rehearsal is run. `program`: the words before `rehearse`."""

    service: str
    kind: Kind
    infra_dir: Path
    program: Sequence[str] = PROGRAM

    def words(self, turn: Turn, json_file: Path) -> list[str]:
        own = ["rehearse", str(self.kind.event), "--service", self.service]
        return [*self.program, *own, *_common(self.infra_dir, turn, json_file)]


def _common(infra_dir: Path, turn: Turn, json_file: Path) -> list[str]:
    planted = ["--defect", turn.defect.file] if turn.defect else []
    return ["--infra", str(infra_dir), "--json", str(json_file), *planted]


class Runner:
    """Runs turns one after the other; their verdicts, and what they said, lie below the campaign's `folder`."""

    def __init__(self, command: Command, folder: Path, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._command = command
        self._kind = command.kind
        self._folder = folder / command.kind.many
        self._monotonic = monotonic

    def run(self, turn: Turn, tick: Callable[[], None]) -> Ended:
        """One turn. `tick` is called a few times a second. Raises SetupError when it cannot be started.

        Ctrl-C (KeyboardInterrupt) is passed on to the child as SIGTERM, and raised again once it has put everything
        back. Should we be killed, the kernel sends it that SIGTERM.
        """
        stem = turn.key.replace(" ", "-")
        json_file, log = self._folder / f"{stem}.json", self._folder / f"{stem}.log"
        began = self._monotonic()
        process = self._start(turn, json_file, log)
        try:
            late = self._wait(process, tick)
        except BaseException:
            with undisturbed():
                self._end(process)
            raise
        said = f"it did not end within {self._kind.longest_s:.0f} s and was ended" if late else _last_words(log)
        return Ended(process.returncode, self._monotonic() - began, None if late else _verdict(json_file), said)

    def _start(self, turn: Turn, json_file: Path, log: Path) -> subprocess.Popen[bytes]:
        words = ["setpriv", "--pdeathsig", "TERM", "--", *self._command.words(turn, json_file)]
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            json_file.unlink(missing_ok=True)  # of an attempt that was cut short
            with log.open("wb") as output:
                # A session of its own: Ctrl-C reaches us alone, and we tell the child.
                return subprocess.Popen(
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    env={**os.environ, "PYTHONUNBUFFERED": "1"},
                )
        except OSError as error:
            raise SetupError(f"a {self._kind.one} cannot be started: {error.strerror} ({error.filename})") from error

    def _wait(self, process: subprocess.Popen[bytes], tick: Callable[[], None]) -> bool:
        """True when it took too long and was ended."""
        give_up = self._monotonic() + self._kind.longest_s
        while True:
            with suppress(subprocess.TimeoutExpired):
                process.wait(TICK_S)
                return False
            tick()
            if self._monotonic() > give_up:
                self._end(process)
                return True

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        """Tell it to end, give it time to put things back, and only then kill it with all its children."""
        process.terminate()
        try:
            process.wait(self._kind.put_back_within_s)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _verdict(path: Path) -> Mapping[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # its exit code and last words say why
    return found if isinstance(found, dict) else None


def _last_words(log: Path) -> str:
    """The line in which the program says why it ended, or else its last one."""
    try:
        lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        return ""
    spoken = [line for line in lines if line]
    own = [line.removeprefix("shiftproof: ") for line in spoken if line.startswith("shiftproof: ")]
    return next(iter([*own[-1:], *spoken[-1:]]), "")[:SAID_CHARS]
