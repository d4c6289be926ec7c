"""Serving: open the pool, listen, and leave without dropping anybody."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from types import FrameType
from typing import Any

import psycopg
import uvicorn
from psycopg_pool import AsyncConnectionPool
from uvicorn.config import Config

from payments import schema
from payments.settings import Settings
from payments.web import Phase, build

log = logging.getLogger("payments")

#: Longer than any load balancer keeps an idle connection (an ALB: 60 s), so that it is never we who close one that is
#: about to be used again.
_KEEP_ALIVE_S = 75

#: How long a request may wait for a connection to the database before it is told that there is none; well below the
#: time-out of those who ask.
_POOL_WAIT_S = 1.0


class StartError(Exception):
    """The process cannot start; `str()` is the one line to print."""


class Server(uvicorn.Server):
    """uvicorn, but SIGTERM first drains: everything is still answered, each answer asks the client to let go.

    After `drain_s` uvicorn's own shutdown begins: no new connections, and what is in flight ends. A second signal
    skips the draining.
    """

    def __init__(self, config: Config, phase: Phase, drain_s: float) -> None:
        super().__init__(config)
        self._phase = phase
        self._drain_s = drain_s
        self._leave_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the name is uvicorn's
        """Not recorded as uvicorn would, which raises the signal again at the end: having drained is a clean exit."""
        if self._leave_at is not None:
            self.should_exit = True
            return
        self._phase.draining = True
        self._leave_at = time.monotonic() + self._drain_s
        log.info("%s: draining for %g s", signal.Signals(sig).name, self._drain_s)

    async def on_tick(self, counter: int) -> bool:
        """Called by uvicorn ten times a second; True ends its main loop."""
        leave = await super().on_tick(counter)
        return leave or (self._leave_at is not None and time.monotonic() >= self._leave_at)


def wait_for_database(settings: Settings) -> None:
    """Returns once the database answers and has our schema. Raises StartError."""
    deadline = time.monotonic() + settings.start_within_s
    while True:
        try:
            with psycopg.connect(settings.database, autocommit=True, connect_timeout=2) as connection:
                found = schema.version(connection)
            break
        except psycopg.OperationalError as error:
            if time.monotonic() >= deadline:
                why = str(error).strip().splitlines()[-1]
                raise StartError(f"the database did not answer within {settings.start_within_s:g} s: {why}") from None
            time.sleep(0.2)
    if found < len(schema.STEPS):
        raise StartError(
            f"the database's schema is at {found}, and {len(schema.STEPS)} is needed: run python3 -m payments migrate"
        )


async def _serve(settings: Settings) -> None:
    phase = Phase()
    pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
        settings.database,
        min_size=settings.pool_size,  # all at once: the sum over all pods is a budget that must hold from the start
        max_size=settings.pool_size,
        timeout=_POOL_WAIT_S,
        kwargs={"autocommit": True},
        open=False,
    )
    await pool.open(wait=True, timeout=max(settings.start_within_s, 1.0))
    app, _ = build(settings, pool, phase)
    config = Config(
        app,
        host=settings.bind,
        port=settings.port,
        # Measured, CPU of a request of the usual mix: 0.59 ms with both, 0.67 on asyncio's own loop, 0.81 with h11.
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        headers=[("x-served-by", settings.served_by)],
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(settings.grace_s),
    )
    server = Server(config, phase, settings.drain_s)
    log.info("%s serves on %s:%d as %s", settings.service_name, settings.bind, settings.port, settings.served_by)
    await server.serve()
    log.info("done: nothing is in flight")


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises StartError when it cannot start."""
    wait_for_database(settings)
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        runner.run(_serve(settings))


def _new_loop() -> asyncio.AbstractEventLoop:
    import uvloop

    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop
