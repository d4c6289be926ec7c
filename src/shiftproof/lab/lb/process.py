"""The HAProxy process: start, reload without losing a connection, stop."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Sequence
from typing import IO

from shiftproof.errors import LabError
from shiftproof.lab.lb.config import Files
from shiftproof.lab.lb.runtime import Runtime

START_S = 10.0


class HaproxyProcess:
    """At most one that accepts; after a reload the old one stays until its connections are done.

    Its access log goes to `log_fd`, its own words to a file. All methods belong to the main thread: a process started
    by another thread would be killed with that thread.
    """

    def __init__(self, files: Files, runtime: Runtime, prefix: Sequence[str], log_fd: int) -> None:
        self._files = files
        self._runtime = runtime
        self._prefix = tuple(prefix)
        self._log_fd = log_fd
        self._current: subprocess.Popen[bytes] | None = None
        self._leaving: list[subprocess.Popen[bytes]] = []

    def check(self) -> None:
        """Raise LabError with HAProxy's own words when it would not take the configuration."""
        done = subprocess.run(
            [_binary(), "-c", "-f", str(self._files.config)], capture_output=True, text=True, timeout=30, check=False
        )
        if done.returncode != 0:
            raise LabError(f"HAProxy does not take its configuration: {(done.stderr or done.stdout).strip()}")

    def apply(self) -> None:
        """Start with the configuration on disk, or hand over to a new process that has it."""
        self.check()
        extra: list[str] = []
        if self._current is not None:
            self._runtime.save_state(self._files.state)
            extra = ["-x", str(self._files.socket), "-sf", str(self._current.pid)]
            self._leaving.append(self._current)
        else:
            self._files.state.write_text("1\n", encoding="utf-8")
        with self._files.errors.open("ab") as errors:
            self._current = self._spawn(extra, errors)
        self._wait_for(self._current)

    def alive(self) -> bool:
        self._leaving = [process for process in self._leaving if process.poll() is None]
        return self._current is not None and self._current.poll() is None

    def stop(self) -> None:
        """End all of them at once; safe to call twice."""
        for process in [*self._leaving, *([self._current] if self._current else [])]:
            process.terminate()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._current, self._leaving = None, []

    def _spawn(self, extra: Sequence[str], errors: IO[bytes]) -> subprocess.Popen[bytes]:
        # setpriv: HAProxy must not outlive this process, whatever ends it.
        bound = ["setpriv", "--pdeathsig", "KILL", *self._prefix]
        command = [*bound, _binary(), "-db", "-f", str(self._files.config), *extra]
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._log_fd, stderr=errors, start_new_session=True
        )

    def _wait_for(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise LabError(f"HAProxy ended at once: {self._last_words()}")
            with contextlib.suppress(LabError):
                if self._runtime.pid() == process.pid:
                    return
            time.sleep(0.02)
        raise LabError(f"HAProxy did not answer within {START_S:g} s: {self._last_words()}")

    def _last_words(self) -> str:
        return self._files.errors.read_text(encoding="utf-8", errors="replace").strip()[-500:] or "it said nothing"


def _binary() -> str:
    found = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if found is None:
        raise LabError("HAProxy is not installed", hint="make setup")
    return found
