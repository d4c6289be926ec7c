"""A child of ours that takes orders: a line on its standard input, and the same line back once it holds."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from shiftproof.errors import LoadError

ORDER_S = 5.0
ENDS_S = 2.0


class OrderedChild:
    """One process in a session of its own, so that Ctrl-C ends the gate in its own order, and not the load first.

    Raises LoadError when it cannot be started.
    """

    def __init__(self, module: str, arguments: Sequence[str], log_path: Path) -> None:
        self.log_path = log_path
        self._answers = b""
        self._ordering = threading.Lock()  # the drill orders, and so does whoever watches over it
        try:
            with log_path.open("wb") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", module, *arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    start_new_session=True,
                )
        except OSError as error:
            raise LoadError(f"the load could not be started: {error}") from error

    @property
    def pid(self) -> int:
        return self._process.pid

    def alive(self) -> bool:
        return self._process.poll() is None

    def order(self, order: str) -> None:
        """Raises LoadError when it does not answer within 5 s, or is gone."""
        with self._ordering:
            try:
                os.write(self._stdin.fileno(), order.encode() + b"\n")
                self._line(order.encode(), ORDER_S, f"does not answer to {order!r}")
            except (OSError, ValueError) as error:  # the pipe is closed: the child is gone, or was stopped already
                raise LoadError(f"the load takes no orders ({order!r}): {self.death()}") from error

    def told(self, word: str, within_s: float) -> str:
        """The rest of the first line that begins with `word`; raises LoadError when none comes in time."""
        with self._ordering:
            return self._line(word.encode(), within_s, f"has not said {word!r}").removeprefix(word).strip()

    def end(self, within_s: float) -> None:
        """Tell it to stop, wait, and kill it when it does not. Safe to call twice and after a crash."""
        try:
            if self.alive():
                self.order("stop")
            self._process.wait(within_s)
        except (LoadError, subprocess.TimeoutExpired):
            self.kill()
        finally:
            self._close_pipes()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._close_pipes()

    def release(self) -> None:
        """Of one that is gone: close what led to it."""
        self._close_pipes()

    def death(self) -> str:
        """How it ended, in words, with its last line."""
        code = self._process.poll()
        if code is None:
            return "it is still running but silent"
        if code == 0:
            return "the load ended, and its own account of that is missing or cannot be understood"
        if code < 0:
            return f"the load was killed by {signal.Signals(-code).name}"
        last = self._last_line()
        return f"the load ended with code {code}" + (f": {last}" if last else "")

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    def _line(self, start: bytes, within_s: float, what: str) -> str:
        """The first whole line that begins so; it and all before it are taken from what was read."""
        stdout = self._process.stdout
        assert stdout is not None
        deadline = time.monotonic() + within_s
        while True:
            *lines, rest = self._answers.split(b"\n")
            found = next((index for index, line in enumerate(lines) if line.startswith(start)), None)
            if found is not None:
                self._answers = b"\n".join([*lines[found + 1 :], rest])
                return lines[found].decode("utf-8", "replace")
            ready, _, _ = select.select([stdout], [], [], max(0.0, deadline - time.monotonic()))
            data = os.read(stdout.fileno(), 4096) if ready else b""
            if not data:
                if ready:  # it has closed its end, so it is about to end: what it says of itself needs that moment
                    self._await_end()
                raise LoadError(f"the load {what}: {self.death()}")
            self._answers += data

    def _await_end(self) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(ENDS_S)

    def _close_pipes(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _last_line(self) -> str:
        try:
            lines = self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")
