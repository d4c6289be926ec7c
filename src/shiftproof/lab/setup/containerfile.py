"""Read the few facts of a Containerfile that the lab needs: how the image starts.

The lab has no container builder, so it assembles the image itself (see images.py). The start command, user and
environment still stand in one place, the Containerfile; legacy VMs start the same command.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from shiftproof.errors import ConfigError


@dataclass(frozen=True, slots=True)
class StartSpec:
    """What the last stage of a Containerfile says. `user` as written there ("10001:10001"), "" for root."""

    command: tuple[str, ...]
    environment: dict[str, str]
    user: str
    work_folder: str
    ports: tuple[str, ...]


def read(file: Path) -> StartSpec:
    """Raises ConfigError, with the line: a file that is missing, has no CMD or ENTRYPOINT, or has one in shell form."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=file) from error
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: dict[str, str] = {}
    user, work_folder = "", "/"
    ports: list[str] = []
    for number, word, rest in _instructions(text):
        if word == "FROM":
            entrypoint, command, environment, user, work_folder, ports = (), (), {}, "", "/", []
        elif word == "ENTRYPOINT":
            entrypoint = _exec_form(rest, file, number)
        elif word == "CMD":
            command = _exec_form(rest, file, number)
        elif word == "ENV":
            environment |= _pairs(rest, file, number)
        elif word == "USER":
            user = rest
        elif word == "WORKDIR":
            work_folder = rest
        elif word == "EXPOSE":
            ports += rest.split()
    if not entrypoint + command:
        raise ConfigError("has no CMD or ENTRYPOINT", file=file)
    return StartSpec(entrypoint + command, environment, user, work_folder, tuple(ports))


def _instructions(text: str) -> list[tuple[int, str, str]]:
    """(line number, INSTRUCTION, rest), with continued lines joined and comments dropped."""
    found: list[tuple[int, str, str]] = []
    pending, start = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or not (line.strip() or pending):
            continue
        start = start if pending else number
        pending += line.strip()
        if pending.endswith("\\"):
            pending = pending[:-1] + " "
            continue
        word, _, rest = pending.partition(" ")
        found.append((start, word.upper(), rest.strip()))
        pending = ""
    return found


def _exec_form(rest: str, file: Path, line: int) -> tuple[str, ...]:
    try:
        words = json.loads(rest)
    except ValueError:
        words = None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ConfigError('the start command must be in exec form: ["program", "argument"]', file=file, line=line)
    return tuple(words)


def _pairs(rest: str, file: Path, line: int) -> dict[str, str]:
    pairs = dict(word.partition("=")[::2] for word in shlex.split(rest))
    if not all(re.fullmatch(r"[A-Za-z_]\w*", name) for name in pairs):
        raise ConfigError("ENV must be NAME=value", file=file, line=line)
    return pairs
