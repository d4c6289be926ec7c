"""Parts that stand still for a while, as a process does whose machine is stuck: SIGSTOP, and its own end."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable

from shiftproof.errors import LabError

PAUSABLE = ("metrics-server", "prometheus", "keda-operator", "keda-adapter", "karpenter")
"""What a cluster goes on without for a while; whoever asks it waits, and is not refused."""


class Pauses:
    """pid_of: pid of a part's process in this namespace; None when it does not run. Safe for use by many threads."""

    def __init__(self, pid_of: Callable[[str], int | None]) -> None:
        self._pid_of = pid_of
        self._lock = threading.Lock()
        self._timers: dict[str, tuple[threading.Timer, float]] = {}

    def pause(self, name: str, for_s: float) -> None:
        """Stop it; it goes on by itself after `for_s`. Raises LabError for what cannot be paused, or is already."""
        if name not in PAUSABLE:
            raise LabError(f"{name!r} is no part that can be paused: there are {', '.join(PAUSABLE)}")
        with self._lock:
            if name in self._timers:
                raise LabError(f"{name} is paused already")
            pid = self._pid_of(name)
            if pid is None:
                raise LabError(f"{name} does not run", hint="it comes with the first load event: shiftproof rehearse")
            # The end is set before the beginning: whatever happens in between, it goes on.
            timer = threading.Timer(for_s, self.resume, (name,))
            timer.daemon = True
            self._timers[name] = (timer, time.monotonic() + for_s)
            timer.start()
            try:
                os.kill(pid, signal.SIGSTOP)
            except OSError as error:  # it ended just now: a pause that never was must not keep the next from beginning
                timer.cancel()
                del self._timers[name]
                raise LabError(f"{name} could not be paused: {error.strerror}") from error

    def resume(self, name: str) -> None:
        """Let it go on. Does nothing when it is not paused."""
        with self._lock:
            timer, _ = self._timers.pop(name, (None, 0.0))
            if timer is None:
                return
            timer.cancel()
            pid = self._pid_of(name)
            if pid is not None:
                os.kill(pid, signal.SIGCONT)

    def ends_in_s(self, name: str) -> float | None:
        """Seconds until it goes on by itself; None when it is not paused."""
        with self._lock:
            end_s = self._timers[name][1] if name in self._timers else None
        return None if end_s is None else max(0.0, end_s - time.monotonic())
