"""A small supervisor: starts a part's process, keeps its log, starts it again when it dies, stops it with SIGTERM.

As a service manager would, it restarts what died after it was once ready. A process that dies before that is an error
of the start, and is not tried again: a second try would only hide it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shiftproof.errors import LabError
from shiftproof.lab import procfs
from shiftproof.lab.network import LOG_DIR
from shiftproof.lab.waiting import NotInTime, until

RESTART_AFTER_S = 1.0
_TAIL_BYTES = 8192


class PartFailed(LabError):
    """A part of the lab did not start; `log` holds its last lines."""

    def __init__(self, part: str, why: str, log: Sequence[str] = ()) -> None:
        super().__init__(f"{part} did not start: {why}")
        self.part = part
        self.why = why
        self.log = tuple(log)


@dataclass(frozen=True, slots=True)
class Command:
    """What to run. `where`: the machine ("control", "node-1", …); `prefix`: words that bring it there.

    forks: the prefix stays as the parent of the real process (nsenter into a pid namespace does).
    """

    name: str
    where: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()
    forks: bool = False
    restart: bool = True
    stop_within_s: float = 30.0


class Daemon:
    """One supervised process. Methods may be called from any thread."""

    def __init__(self, command: Command, log_dir: Path = LOG_DIR) -> None:
        self.command = command
        self.log_file = log_dir / f"{command.name.replace('/', '-')}.log"
        self.restarts = 0
        self._was_ready = False
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: threading.Thread | None = None
        self._stopping = threading.Event()
        self._lock = threading.RLock()

    def start(self, command: Command | None = None) -> None:
        """Start it (with a changed command, if given). Does nothing when it runs."""
        with self._lock:
            if self.alive():
                return
            self.command = command or self.command
            self._stopping = threading.Event()
            self._was_ready = False
            self._process = self._spawn()
            self._watcher = threading.Thread(
                target=self._watch, args=(self._process, self._stopping), name=self.command.name, daemon=True
            )
            self._watcher.start()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL once `stop_within_s` is over. Returns when it is gone; safe when it is not running."""
        self._end(signal.SIGTERM, self.command.stop_within_s)

    def kill(self) -> None:
        """SIGKILL, and no restart."""
        self._end(signal.SIGKILL, 5.0)

    def abandon(self) -> None:
        """Its machine is about to be killed: do not start it again."""
        self._stopping.set()

    def alive(self) -> bool:
        process = self._process
        return process is not None and process.poll() is None

    @property
    def stopped(self) -> bool:
        """True when it was told to stop."""
        return self._stopping.is_set()

    def pid(self) -> int | None:
        """Pid of the real process as the machine sees it; None when it is not running."""
        process = self._process
        if process is None or process.poll() is not None:
            return None
        try:
            outer = procfs.outer_pid(process.pid)
        except (ProcessLookupError, StopIteration):
            return None
        if not self.command.forks:
            return outer
        return next(iter(procfs.children(outer)), None)

    def own_pid(self) -> int | None:
        """Pid as whoever started it sees it; None when it is not running."""
        process = self._process
        return None if process is None or process.poll() is not None else process.pid

    def wait_ready(self, problem: Callable[[], str | None], within_s: float) -> None:
        """Wait until `problem` returns None. Raises PartFailed with the log's end when it dies or is late."""

        def missing() -> str | None:
            if not self.alive():
                raise PartFailed(self.command.name, self._how_it_ended(), self.tail())
            return problem()

        try:
            until(missing, within_s)
        except NotInTime as error:
            raise PartFailed(self.command.name, str(error), self.tail()) from error
        self._was_ready = True

    def tail(self, lines: int = 12) -> list[str]:
        """The log's last lines."""
        return tail(self.log_file, lines)

    def _spawn(self) -> subprocess.Popen[bytes]:
        command = self.command
        with self.log_file.open("ab") as log:
            return subprocess.Popen(
                [*command.prefix, *command.argv],
                env={**base_environment(), **command.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",
                start_new_session=True,
            )

    def _watch(self, process: subprocess.Popen[bytes], stopping: threading.Event) -> None:
        while True:
            process.wait()
            if stopping.is_set() or not (self._was_ready and self.command.restart):
                return
            if stopping.wait(RESTART_AFTER_S):
                return
            with self._lock:
                if stopping.is_set():
                    return
                self.restarts += 1
                process = self._process = self._spawn()

    def _end(self, number: signal.Signals, within_s: float) -> None:
        with self._lock:
            self._stopping.set()
            process = self._process
        if process is None:
            return
        deadline_s = time.monotonic() + within_s
        _signal(process, number)
        while process.poll() is None:
            if time.monotonic() >= deadline_s:
                _signal(process, signal.SIGKILL)
                process.wait()
            time.sleep(0.02)

    def _how_it_ended(self) -> str:
        code = self._process.returncode if self._process else None
        if code is not None and code < 0:
            return f"ended by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """SIGTERM goes to the process alone, which may still need its children; SIGKILL to all of its session."""
    try:
        if number == signal.SIGKILL:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
    except ProcessLookupError:
        pass


def base_environment() -> dict[str, str]:
    """What every part inherits: nothing of the user's own settings but where programs are."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "SHIFTPROOF_CACHE") if name in os.environ}
    return {"LANG": "C.UTF-8", "HOME": "/nonexistent", "TMPDIR": str(LOG_DIR.parent / "tmp"), **kept}


def tail(file: Path, lines: int = 12) -> list[str]:
    """Last lines of a text file; none when it is not there."""
    try:
        with file.open("rb") as handle:
            handle.seek(0, os.SEEK_END)
            handle.seek(max(0, handle.tell() - _TAIL_BYTES))
            text = handle.read().decode(errors="replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if line.strip()][-lines:]
