"""The HTTP side: three routes that customers use, three that machines use."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any
from uuid import UUID

import psycopg
from fastapi import FastAPI, Header, Query, Request, Response
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from payments import money
from payments.admission import Admission, Busy
from payments.metrics import Metrics
from payments.partner import StubPartner
from payments.settings import Settings
from payments.store import KeyReused, Payment, Store

log = logging.getLogger("payments")

#: Traffic of the harness says so, is stored with this mark, and is removed by `python3 -m payments purge-synthetic`.
SYNTHETIC_HEADER = "x-shiftproof-synthetic"

_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_NOT_ADMITTED = frozenset({"/live", "/ready", "/metrics"})  # must answer however busy the process is
_JSON = "application/json"


@dataclass(slots=True)
class Phase:
    """Where the process is in its life. Set by the server, read by `/ready` and by every answer while draining."""

    started: bool = False
    draining: bool = False


@dataclass(slots=True)
class Parts:
    """What the routes work with, so that a test can look inside."""

    settings: Settings
    phase: Phase
    admission: Admission
    metrics: Metrics
    pool: AsyncConnectionPool[Any] = field(repr=False)


class NewPayment(BaseModel):
    """Body of a create. Unknown fields are refused: the same key with another field would be another payment."""

    model_config = ConfigDict(extra="forbid")

    account: Annotated[StrictStr, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._:-]+$")]
    amount: StrictStr | StrictInt
    currency: StrictStr


def build(settings: Settings, pool: AsyncConnectionPool[Any], phase: Phase) -> tuple[ASGIApp, Parts]:
    """The application, ready to be served, and its parts."""
    admission = Admission(settings.max_in_flight, settings.queue_limit, settings.queue_wait_ms)
    parts = Parts(settings, phase, admission, Metrics(admission), pool)
    app = FastAPI(title=settings.service_name, openapi_url=None, lifespan=_lifespan(parts))
    _add_payment_routes(app, Store(pool), StubPartner(settings.partner_delay_ms, settings.partner_token))
    _add_machine_routes(app, parts)
    for error in (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout):
        app.add_exception_handler(error, _database_away)
    return Gatekeeper(app, parts), parts


def _lifespan(parts: Parts) -> Callable[[FastAPI], Any]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        parts.phase.started = True
        yield
        parts.phase.started = False
        await parts.pool.close()

    return lifespan


def _add_payment_routes(app: FastAPI, store: Store, partner: StubPartner) -> None:
    @app.post("/payments")
    async def create(
        body: NewPayment,
        idempotency_key: Annotated[str | None, Header()] = None,
        x_shiftproof_synthetic: Annotated[str | None, Header()] = None,
    ) -> Response:
        if idempotency_key is None or not _KEY.fullmatch(idempotency_key):
            return _problem(400, "the header Idempotency-Key is needed: 1 to 200 visible characters")
        try:
            minor = money.to_minor(body.amount, body.currency)
        except ValueError as error:
            return _problem(422, str(error))
        # The partner first, and no connection held while it takes its time: a payment that is stored was announced.
        await partner.announce(idempotency_key)
        try:
            payment, new = await store.create(
                idempotency_key, body.account, minor, body.currency, synthetic=x_shiftproof_synthetic == "1"
            )
        except KeyReused:
            return _problem(422, "this Idempotency-Key was used for another payment")
        headers = None if new else {"Idempotent-Replayed": "true"}
        return _answer(201, _as_json(payment), headers)

    @app.get("/payments/{payment_id}")
    async def read(payment_id: UUID) -> Response:
        payment = await store.get(payment_id)
        return _answer(200, _as_json(payment)) if payment is not None else _problem(404, "no such payment")

    @app.get("/accounts/{account}/payments")
    async def of_account(account: str, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> Response:
        payments = await store.of_account(account, limit)
        return _answer(200, {"account": account, "payments": [_as_json(payment) for payment in payments]})


def _add_machine_routes(app: FastAPI, parts: Parts) -> None:
    @app.get("/live")
    async def live() -> Response:
        return _answer(200, {"live": True})

    @app.get("/ready")
    async def ready() -> Response:
        # Not a probe of the database: one hiccup there would take every pod out of the load balancer at once, and
        # turn slow answers into none at all. The start waits for a first connection; after that, requests tell.
        ready = parts.phase.started and not parts.phase.draining
        return _answer(200 if ready else 503, {"ready": ready, "draining": parts.phase.draining})

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(parts.metrics.text(), media_type=parts.metrics.content_type)


class Gatekeeper:
    """Around every request: admit it, count it, time it, and turn what went wrong inside into an answer.

    Plain ASGI rather than FastAPI's middleware classes, which cost a task and two queues a request.
    """

    def __init__(self, app: ASGIApp, parts: Parts) -> None:
        self._app = app
        self._admission = parts.admission
        self._metrics = parts.metrics
        self._phase = parts.phase

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if self._phase.draining:
                    # A client with a pool lets go of this connection now, instead of finding it closed later.
                    message["headers"] = [*message["headers"], (b"connection", b"close")]
            await send(message)

        try:
            await self._answer(scope, receive, watched)
        except Busy as busy:
            await _unavailable(str(busy))(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched" if status != 503 else "not-admitted")
            self._metrics.answered(scope["method"], route, status, time.perf_counter() - started)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in _NOT_ADMITTED:
            await self._app(scope, receive, send)
            return
        await self._admission.enter()
        try:
            await self._app(scope, receive, send)
        finally:
            self._admission.leave()


def _as_json(payment: Payment) -> dict[str, str]:
    return {
        "id": str(payment.id),
        "account": payment.account,
        "amount": money.to_text(payment.amount_minor, payment.currency),
        "currency": payment.currency,
        "status": payment.status,
        "created_at": payment.created_at.isoformat(),
    }


def _answer(status: int, content: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(content).encode(), status, headers, _JSON)


def _problem(status: int, detail: str) -> Response:
    return _answer(status, {"detail": detail})


def _unavailable(why: str) -> Response:
    """Not now: come back in a second."""
    return _answer(503, {"detail": why}, {"Retry-After": "1"})


async def _database_away(request: Request, error: Exception) -> Response:
    log.warning("%s %s: %s", request.method, request.url.path, str(error).strip().partition("\n")[0])
    return _unavailable("the database does not answer")
