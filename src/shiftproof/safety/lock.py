"""One gate, shift or recover at a time: a lock that says who holds it, and that dies with its holder."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from shiftproof.errors import LockHeldError, SetupError
from shiftproof.safety.state import state_dir


@contextmanager
def exclusive(what: str, folder: Path | None = None) -> Iterator[None]:
    """Hold the lock for the block.

    what: who we are, for whoever comes second, e.g. "gate payments --to 25".
    Raises LockHeldError, naming the holder, its pid and since when; SetupError when the lock cannot be written.
    """
    path = (folder or state_dir()) / "lock"
    try:
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise SetupError(f"cannot open the lock {path}: {error.strerror}", hint="run as root") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LockHeldError(_holder(file), hint="wait until it ends, or stop it by that pid") from error
        _sign(file, what)
        # The file stays: removing it would let two processes lock two different files of one name.
        yield


def _sign(file: IO[str], what: str) -> None:
    file.seek(0)
    file.truncate()
    json.dump({"what": what, "pid": os.getpid(), "since": time.time()}, file)
    file.flush()


def _holder(file: IO[str]) -> str:
    file.seek(0)
    try:
        holder = json.loads(file.read())
        since = datetime.fromtimestamp(holder["since"], UTC).strftime("%H:%M:%S UTC")
        return f"`shiftproof {holder['what']}` is at work (pid {holder['pid']}, since {since})"
    except (ValueError, KeyError, TypeError):
        # It was locked a moment ago and is not signed yet.
        return "another shiftproof command has just started"
