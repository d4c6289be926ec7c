"""SIGTERM, as the rest of the process sees it: take no more, and finish what is in hand in the time that is left."""

from __future__ import annotations

import time

_STEP_S = 0.1


class Leaving:
    """Set by a signal handler, read by the working threads. Plain attributes only: a handler that takes a lock which
    the interrupted thread holds would stop the process for good.
    """

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._until_s: float | None = None

    def tell(self) -> None:
        """The first time: leave within the grace time. A second time: leave now, and give back what is in hand."""
        self._until_s = time.monotonic() + (self._grace_s if self._until_s is None else 0.0)

    @property
    def told(self) -> bool:
        return self._until_s is not None

    @property
    def out_of_time(self) -> bool:
        return self._until_s is not None and time.monotonic() >= self._until_s

    def pause(self, seconds: float) -> None:
        """Sleep, but not after it was told."""
        until_s = time.monotonic() + seconds
        while not self.told and (left_s := until_s - time.monotonic()) > 0:
            time.sleep(min(_STEP_S, left_s))
