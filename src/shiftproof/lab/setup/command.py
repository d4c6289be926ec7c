"""Run another program and follow what it says, line by line."""

from __future__ import annotations

import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shiftproof.errors import SetupError

_KEPT_LINES = 200
_STOP_WITHIN_S = 10
# What programs say when they could not reach, or were refused by, the place that they fetch from.
_NETWORK_WORDS = (
    "dial tcp",
    "no such host",
    "network is unreachable",
    "connection refused",
    "connection reset",
    "i/o timeout",
    "tls handshake",
    "could not resolve",
    "temporary failure",
    "failed to fetch",
    "dns error",
    "error sending request",
    "could not connect",
    "connection timed out",
    "client error (connect)",
)
_DISK_WORDS = ("no space left on device", "disk quota exceeded")


@dataclass(frozen=True, slots=True)
class CommandFailed(Exception):
    """A program ended with another exit code than 0. `lines` are the last that it wrote."""

    program: str
    code: int
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.program} ended with {self.code}: {self.telling_line()}"

    def telling_line(self) -> str:
        """The line that names the cause, as far as one can tell: the last that speaks of an error, else the last."""
        spoken = [line for line in self.lines if line.strip()]
        named = [line for line in spoken if "error" in line.lower() or line.startswith("E:")]
        return (named or spoken or ["(it said nothing)"])[-1].strip()

    def _line_with(self, words: Sequence[str]) -> str | None:
        return next((line.strip() for line in self.lines if any(word in line.lower() for word in words)), None)

    def as_setup_error(self, what: str, mend: str) -> SetupError:
        """One clear line: a full disk and a missing network are told apart from a build that is broken."""
        if self._line_with(_DISK_WORDS):
            return SetupError(
                f"{what}: the disk is full", hint="free some space, or set SHIFTPROOF_CACHE to a larger disk"
            )
        unreachable = self._line_with(_NETWORK_WORDS)
        if unreachable:
            return SetupError(
                f"{what}: could not download: {_short(unreachable)}", hint=f"check the network, then {mend}"
            )
        return SetupError(f"{what}: {self.program} failed: {_short(self.telling_line())}", hint=mend)


def _short(line: str) -> str:
    return line if len(line) <= 300 else line[:297] + "..."


def run(
    arguments: Sequence[str | Path],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] = lambda _: None,
) -> list[str]:
    """Run to the end; returns all lines of its output and error stream, in the order they came.

    The program dies with us, even when we are killed (`setpriv --pdeathsig`), so that no build goes on unseen.
    Raises CommandFailed on an exit code other than 0, SetupError when the program is not there.
    """
    program = Path(arguments[0]).name
    words = ["setpriv", "--pdeathsig", "KILL", *map(str, arguments)]
    try:
        process = subprocess.Popen(
            words,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except FileNotFoundError as error:
        raise SetupError(f"{program} cannot be run: {error.filename} is not there", hint="make setup") from error
    lines: list[str] = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            on_line(lines[-1])
        code = process.wait()
    except BaseException:
        _stop(process)
        raise
    if code != 0:
        raise CommandFailed(program, code, tuple(deque(lines, maxlen=_KEPT_LINES)))
    return lines


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(timeout=_STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
