"""What the lab itself did wrong, and when: a rehearsal that it falls into must not lay it to the service."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

KEPT = 100
"""Of those that are over; the oldest are forgotten first."""
BORNE_S = 15.0
"""What was over sooner is not told: a machine is some seconds later by it, and no claim of minutes turns on that."""


@dataclass(frozen=True, slots=True)
class _Trouble:
    """over_s: None while it goes on. Times of CLOCK_MONOTONIC, which is one for all processes of a machine."""

    said: str
    began_s: float
    over_s: float | None = None

    def lasted_s(self, now_s: float) -> float:
        return (now_s if self.over_s is None else self.over_s) - self.began_s


class Troubles:
    """Begun and ended by threads of the lab, asked by others. now_s: see _Trouble."""

    def __init__(self, borne_s: float = BORNE_S, now_s: Callable[[], float] = time.monotonic) -> None:
        self._borne_s = borne_s
        self._now_s = now_s
        self._open: dict[str, _Trouble] = {}
        self._over: deque[_Trouble] = deque(maxlen=KEPT)
        self._lock = threading.Lock()

    def begin(self, key: str, said: str) -> bool:
        """It goes on until `end`; said again, it began when it was said first, and the last words are told.

        Whether it is new.
        """
        with self._lock:
            known = self._open.get(key)
            self._open[key] = _Trouble(said, self._now_s()) if known is None else replace(known, said=said)
            return known is None

    def end(self, key: str) -> None:
        """Does nothing when it did not go on."""
        with self._lock:
            trouble = self._open.pop(key, None)
            if trouble is not None:
                self._over.append(replace(trouble, over_s=self._now_s()))

    def told(self, since_s: float | None = None) -> str | None:
        """Those that go on, and with `since_s` those that went on then or later; None where there are none."""
        with self._lock:
            ended = [] if since_s is None else [one for one in self._over if (one.over_s or 0.0) >= since_s]
            now_s = self._now_s()
            found = [one.said for one in (*ended, *self._open.values()) if one.lasted_s(now_s) >= self._borne_s]
        return "; ".join(dict.fromkeys(found)) or None
