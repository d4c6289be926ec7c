"""The worker's process: start only where it can work, and leave without a job in hand."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import psycopg

from statements import schema, web
from statements.leaving import Leaving
from statements.metrics import Metrics, Pulse
from statements.queue import Queue, QueueError
from statements.settings import Settings
from statements.worker import Worker

log = logging.getLogger("statements")

_Found = TypeVar("_Found")

_LOOK_EVERY_S = 0.1
_LAST_ANSWERS_S = 10.0  # beyond wait and grace: writing the statement, acknowledging it


class StartError(Exception):
    """The process cannot start; `str()` is the one line to print."""


class WorkError(Exception):
    """It had to end though nobody told it to, or did not end when told; `str()` is the one line to print."""


def work(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT. Raises StartError when it cannot start, WorkError when it cannot go on."""
    queue = Queue(settings.queue)
    leaving, metrics, pulse = Leaving(settings.grace_s), Metrics(), Pulse()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: leaving.tell())
    wait_for_both(settings, queue, leaving)
    try:
        web.serve(settings.bind, settings.port, web.Probes(leaving, metrics, pulse))
    except OSError as error:
        raise StartError(f"cannot listen on {settings.bind}:{settings.port}: {error.strerror}") from None
    threads = [
        threading.Thread(
            target=Worker(settings, queue, leaving, metrics, pulse).run, name=f"worker-{number}", daemon=True
        )
        for number in range(settings.concurrency)
    ]
    for thread in threads:
        thread.start()
    log.info("%s takes jobs from %s, %d at a time", settings.worker_name, settings.queue.name, settings.concurrency)
    while not leaving.told:
        if not all(thread.is_alive() for thread in threads):
            raise WorkError("a working thread ended: see the lines above")
        time.sleep(_LOOK_EVERY_S)
    log.info("leaving: no new job, %g s for what is in hand", settings.grace_s)
    _wait_for_end(threads, settings.queue.wait_s + settings.grace_s + _LAST_ANSWERS_S)
    log.info("done: nothing is in hand")


def _wait_for_end(threads: list[threading.Thread], within_s: float) -> None:
    until_s = time.monotonic() + within_s
    for thread in threads:
        thread.join(max(0.0, until_s - time.monotonic()))
        if thread.is_alive():
            raise WorkError(f"a job did not end within {within_s:g} s; it comes back to the queue by itself")


def wait_for_both(settings: Settings, queue: Queue, leaving: Leaving) -> None:
    """Returns once queue and database answer and the database has our schema. Raises StartError."""
    until_s = time.monotonic() + settings.start_within_s
    _answered("the queue", queue.find, until_s, settings.start_within_s, leaving)
    found = _answered("the database", lambda: _schema(settings.database), until_s, settings.start_within_s, leaving)
    if found is not None and found < len(schema.STEPS):
        raise StartError(
            f"the database's schema is at {found}, and {len(schema.STEPS)} is needed: run python3 -m statements migrate"
        )


def _schema(database: str) -> int:
    with psycopg.connect(database, autocommit=True, connect_timeout=2) as connection:
        return schema.version(connection)


def _answered(what: str, ask: Callable[[], _Found], until_s: float, within_s: float, leaving: Leaving) -> _Found | None:
    """What `ask` returns, tried until then; None when told to leave meanwhile. Raises StartError with the last why."""
    while not leaving.told:
        try:
            return ask()
        except (QueueError, psycopg.OperationalError) as error:
            if time.monotonic() >= until_s:
                why = str(error).strip().splitlines()[-1]
                raise StartError(f"{what} did not answer within {within_s:g} s: {why}") from None
            leaving.pause(0.2)
    return None
