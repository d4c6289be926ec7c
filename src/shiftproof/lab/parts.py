"""Bring up parts that need one another: each begins as soon as all that it needs stands."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from shiftproof.errors import ShiftproofError
from shiftproof.lab.supervisor import PartFailed

_TICK_S = 0.25


@dataclass(frozen=True, slots=True)
class Part:
    """`start` returns when the part is ready, raises PartFailed when it will not be. `needs`: names of other parts."""

    name: str
    start: Callable[[], None]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """A part changed: state is "starting" or "ready"; seconds: how long it took so far."""

    part: str
    state: str
    seconds: float


def bring_up(
    parts: Sequence[Part],
    report: Callable[[Progress], None],
    tick: Callable[[], None] = lambda: None,
    now: Callable[[], float] = time.monotonic,
) -> None:
    """Start them all; returns when all are ready. `tick` is called a few times a second and may raise to give up.

    Raises PartFailed for the first part that fails, leaving others as they are: whoever called takes the whole down.
    """
    _check(parts)
    ready = {part.name: threading.Event() for part in parts}
    given_up = threading.Event()

    def run(part: Part) -> None:
        for need in part.needs:
            while not ready[need].wait(_TICK_S):
                if given_up.is_set():
                    return
        start_s = now()
        report(Progress(part.name, "starting", 0.0))
        part.start()
        report(Progress(part.name, "ready", now() - start_s))
        ready[part.name].set()

    pool = ThreadPoolExecutor(max_workers=max(1, len(parts)), thread_name_prefix="part")
    running = {pool.submit(run, part): part for part in parts}
    try:
        _watch(running, tick)
    finally:
        given_up.set()
        pool.shutdown(wait=False, cancel_futures=True)


def _watch(running: dict[Future[None], Part], tick: Callable[[], None]) -> None:
    left = set(running)
    while left:
        done, left = wait(left, timeout=_TICK_S, return_when=FIRST_COMPLETED)
        for future in done:
            error = future.exception()
            if isinstance(error, PartFailed):
                raise error
            if isinstance(error, (ShiftproofError, OSError)):
                raise PartFailed(running[future].name, str(error)) from error
            if error is not None:
                raise error
        tick()


def _check(parts: Sequence[Part]) -> None:
    """Raises ValueError when a need is not there, or parts need one another in a circle."""
    known: set[str] = set()
    left = list(parts)
    while left:
        able = [part for part in left if known.issuperset(part.needs)]
        if not able:
            raise ValueError(f"these parts can never start: {', '.join(part.name for part in left)}")
        known.update(part.name for part in able)
        left = [part for part in left if part not in able]
