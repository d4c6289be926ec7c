"""The HTTP side: three routes that customers use, three that machines use.

Starlette and pydantic without FastAPI, which is what joins them elsewhere: importing it is half of a start, and a pod's
start is what every rollout waits for.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar
from uuid import UUID

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
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


class Refused(Exception):
    """A request that asks for what cannot be; `str()` says what, for whoever sent it."""


_LIMIT = TypeAdapter(Annotated[int, Field(ge=1, le=100)])
_LIMIT_DEFAULT = 20
_Made = TypeVar("_Made")


def build(settings: Settings, pool: AsyncConnectionPool[Any], phase: Phase) -> tuple[ASGIApp, Parts]:
    """The application, ready to be served, and its parts."""
    admission = Admission(settings.max_in_flight, settings.queue_limit, settings.queue_wait_ms)
    parts = Parts(settings, phase, admission, Metrics(admission), pool)
    payments = PaymentRoutes(Store(pool), StubPartner(settings.partner_delay_ms, settings.partner_token))
    app = Starlette(
        routes=[*payments.routes(), *MachineRoutes(parts).routes()],
        exception_handlers={
            Refused: _refused,
            ClientDisconnect: _client_left,
            **dict.fromkeys((psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout), _database_away),
        },
        lifespan=_lifespan(parts),
    )
    return Gatekeeper(app, parts), parts


def _lifespan(parts: Parts) -> Callable[[Starlette], Any]:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        del app
        parts.phase.started = True
        yield
        parts.phase.started = False
        await parts.pool.close()

    return lifespan


class PaymentRoutes:
    """What customers use."""

    def __init__(self, store: Store, partner: StubPartner) -> None:
        self._store = store
        self._partner = partner

    def routes(self) -> list[Route]:
        return [
            Route("/payments", self.create, methods=["POST"]),
            Route("/payments/{payment_id}", self.read),
            Route("/accounts/{account}/payments", self.of_account),
        ]

    async def create(self, request: Request) -> Response:
        body = await request.body()
        wanted = _read(lambda: NewPayment.model_validate_json(body))
        key = request.headers.get("idempotency-key")
        if key is None or not _KEY.fullmatch(key):
            return _problem(400, "the header Idempotency-Key is needed: 1 to 200 visible characters")
        try:
            minor = money.to_minor(wanted.amount, wanted.currency)
        except ValueError as error:
            return _problem(422, str(error))
        # The partner first, and no connection held while it takes its time: a payment that is stored was announced.
        await self._partner.announce(key)
        synthetic = request.headers.get(SYNTHETIC_HEADER) == "1"
        try:
            payment, new = await self._store.create(key, wanted.account, minor, wanted.currency, synthetic=synthetic)
        except KeyReused:
            return _problem(422, "this Idempotency-Key was used for another payment")
        headers = None if new else {"Idempotent-Replayed": "true"}
        return _answer(201, _as_json(payment), headers)

    async def read(self, request: Request) -> Response:
        try:
            payment_id = UUID(request.path_params["payment_id"])
        except ValueError:
            return _problem(422, "the id of a payment is a UUID")
        payment = await self._store.get(payment_id)
        return _answer(200, _as_json(payment)) if payment is not None else _problem(404, "no such payment")

    async def of_account(self, request: Request) -> Response:
        account = request.path_params["account"]
        asked = request.query_params.get("limit", _LIMIT_DEFAULT)
        payments = await self._store.of_account(account, _read(lambda: _LIMIT.validate_python(asked)))
        return _answer(200, {"account": account, "payments": [_as_json(payment) for payment in payments]})


class MachineRoutes:
    """What the kubelet, the load balancer and Prometheus use."""

    def __init__(self, parts: Parts) -> None:
        self._phase = parts.phase
        self._metrics = parts.metrics

    def routes(self) -> list[Route]:
        return [Route("/live", self.live), Route("/ready", self.ready), Route("/metrics", self.metrics)]

    async def live(self, _: Request) -> Response:
        return _answer(200, {"live": True})

    async def ready(self, _: Request) -> Response:
        # Not a probe of the database: one hiccup there would take every pod out of the load balancer at once, and
        # turn slow answers into none at all. The start waits for a first connection; after that, requests tell.
        ready = self._phase.started and not self._phase.draining
        return _answer(200 if ready else 503, {"ready": ready, "draining": self._phase.draining})

    async def metrics(self, _: Request) -> Response:
        return Response(self._metrics.text(), media_type=self._metrics.content_type)


class Gatekeeper:
    """Around every request: admit it, count it, time it, and turn what went wrong inside into an answer.

    Plain ASGI rather than Starlette's middleware classes, which cost a task and two queues a request.
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


def _read(make: Callable[[], _Made]) -> _Made:
    """Raises Refused where what was sent is not what it should be."""
    try:
        return make()
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refused(f"{where}: {first['msg']}" if where else first["msg"]) from None


def _unavailable(why: str) -> Response:
    """Not now: come back in a second."""
    return _answer(503, {"detail": why}, {"Retry-After": "1"})


async def _refused(_: Request, error: Exception) -> Response:
    return _problem(422, str(error))


async def _client_left(_: Request, error: Exception) -> Response:
    del error
    return _problem(400, "the body never came whole")


async def _database_away(request: Request, error: Exception) -> Response:
    log.warning("%s %s: %s", request.method, request.url.path, str(error).strip().partition("\n")[0])
    return _unavailable("the database does not answer")
