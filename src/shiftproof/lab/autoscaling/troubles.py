"""What the lab itself did wrong, and when: a rehearsal that it falls into must not lay it to the service."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

KEPT = 100
"""Of those that are over; the oldest are forgotten first."""


@dataclass(frozen=True, slots=True)
class _Trouble:
    """over_s: None while it goes on. Times of CLOCK_MONOTONIC, which is one for all processes of a machine."""

    key: str
    said: str
    over_s: float | None = None


class Troubles:
    """Begun and ended by threads of the lab, asked by others. now_s: see _Trouble."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._open: dict[str, _Trouble] = {}
        self._over: deque[_Trouble] = deque(maxlen=KEPT)
        self._lock = threading.Lock()

    def begin(self, key: str, said: str) -> None:
        """It goes on until `end`; said again in other words, the last ones are told."""
        with self._lock:
            self._open[key] = _Trouble(key, said)

    def end(self, key: str) -> None:
        """Does nothing when it did not go on."""
        with self._lock:
            trouble = self._open.pop(key, None)
            if trouble is not None:
                self._over.append(_Trouble(key, trouble.said, self._now_s()))

    def told(self, since_s: float | None = None) -> str | None:
        """Those that go on, and with `since_s` those that went on then or later; None where there are none."""
        with self._lock:
            ended = [] if since_s is None else [one for one in self._over if (one.over_s or 0.0) >= since_s]
            found = [one.said for one in (*ended, *self._open.values())]
        return "; ".join(dict.fromkeys(found)) or None
