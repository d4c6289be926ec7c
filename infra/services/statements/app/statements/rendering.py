"""A STUB of rendering a statement. It reads no bookings, makes no document: it takes the time that doing so would."""

from __future__ import annotations

import time
from collections.abc import Callable

_STEP_S = 0.05


def render(work_ms: float, between: Callable[[], None]) -> None:
    """Wait as long as rendering would take, in small steps.

    `between` is called before each: it keeps the lease, and raises where there is no time left to finish.
    """
    ends_s = time.monotonic() + work_ms / 1000
    between()
    while (left_s := ends_s - time.monotonic()) > 0:
        time.sleep(min(_STEP_S, left_s))
        between()
