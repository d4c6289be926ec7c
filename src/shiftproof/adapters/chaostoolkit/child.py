"""The child process in which experiments run, held from the gate's side."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from shiftproof.errors import FaultError

POLL_S = 0.05
READY_WITHIN_S = 60.0
UNDONE_WITHIN_S = 90.0  # rollbacks may have to wait for a node to come back
_WORKER = "shiftproof.chaos.worker"
END = signal.SIGUSR1  # as the worker understands it


class Child:
    """One worker. Its process group is its own, so that Ctrl-C reaches the gate alone, which then ends it properly."""

    def __init__(self, env: Mapping[str, str], log: Path) -> None:
        """Starts it and returns at once; it imports beside the load. `log`: for what it prints outside of a run."""
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", _WORKER, str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=dict(env),
                start_new_session=True,
            )
        self._log = log
        self._rest = b""
        self._ready = False

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def run(self, order: Mapping[str, Any], sleep: Callable[[float], None]) -> str | None:
        """Have it run one experiment; returns why it could not, or None when a journal was written.

        `sleep` may raise to cut the wait short: the experiment is then ended, its rollbacks played, and the exception
        passed on. Raises FaultError when the child dies.
        """
        try:
            if not self._ready:
                self._answer(sleep, READY_WITHIN_S)
                self._ready = True
            self._stdin.write(json.dumps(order).encode() + b"\n")
            self._stdin.flush()
            error: str | None = self._answer(sleep, None)["error"]
        except BrokenPipeError as error_:
            raise self._died() from error_
        except BaseException:
            self.end()
            raise
        return error

    def end(self) -> None:
        """End what it runs, with its rollbacks, and itself. Safe to call twice and after a crash."""
        # Not by the clock's sleep: this must be done though that clock raises.
        if self.alive:
            self._process.send_signal(END)
            try:
                self._process.wait(UNDONE_WITHIN_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for stream in (self._stdin, self._stdout):
            stream.close()

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def _stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    def _answer(self, sleep: Callable[[float], None], within_s: float | None) -> dict[str, Any]:
        give_up = None if within_s is None else time.monotonic() + within_s
        descriptor = self._stdout.fileno()
        while b"\n" not in self._rest:
            if select.select([descriptor], [], [], 0)[0]:
                data = os.read(descriptor, 65536)
                if not data:
                    raise self._died()
                self._rest += data
                continue
            if give_up is not None and time.monotonic() > give_up:
                raise FaultError(f"the chaos process was not ready within {within_s:g} s; see {self._log}")
            sleep(POLL_S)
        line, _, self._rest = self._rest.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _died(self) -> FaultError:
        code = self._process.wait()
        return FaultError(f"the chaos process ended by itself (code {code}); see {self._log}")
