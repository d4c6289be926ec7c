"""Signals: every polite way to end a gate ends it as Ctrl-C does, and the putting back is not disturbed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

POLITE = (signal.SIGTERM, signal.SIGHUP)  # a stopped job, a dropped connection


@contextmanager
def ends_as_interrupted() -> Iterator[None]:
    """SIGTERM and SIGHUP raise KeyboardInterrupt in the block, so that they clean up as Ctrl-C does.

    One that is ignored already stays so: `nohup` means what it says.
    """
    heard = [number for number in POLITE if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, _interrupt) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ignore them all: undoing takes seconds, and half of it is worse than late."""
    numbers = (signal.SIGINT, *POLITE)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number in (signal.SIGINT, *POLITE):
            signal.signal(number, before[number])


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
