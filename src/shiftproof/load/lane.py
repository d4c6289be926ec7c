"""One side of the load: its own connections, cap on requests in flight, accounts and memory of what it created."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import gevent

from shiftproof.load.answer import Answer
from shiftproof.load.cookies import Jar
from shiftproof.load.exchange import Connections, OwnFaultError
from shiftproof.load.recorder import Recorder
from shiftproof.load.schedule import Slot
from shiftproof.load.template import Template, Values, usable_id
from shiftproof.model.event import WITH_COOKIES, Failure, Side, request_id
from shiftproof.ports import LoadPlan

REMEMBERED = 2_000  # ids a side: enough to spread reads, and bounded
CLIENTS_MAX = 65_535  # that a record can number
FORGETFUL_EVERY = 5  # every so many-th client keeps no cookies: scripts, strict browsers, other services


class Operation(NamedTuple):
    """An operation of one side, compiled."""

    number: int
    name: str
    template: Template
    expect_status: frozenset[int]
    expect_fields: frozenset[str]
    remember: str | None

    @property
    def creates(self) -> bool:
        """True when it yields an id and needs none."""
        return self.remember is not None and not self.template.needs_id


class Created(NamedTuple):
    """What an earlier request of this side created, and for whom. client: the account's number."""

    id: str
    account: str
    client: int


def marks(side: Side) -> dict[str, str]:
    """The headers that make a request ours. A customer's has none: it goes the way that customers go."""
    if side.rule is None:
        return {}
    return {"x-shiftproof-rehearsal": side.rule, "x-shiftproof-synthetic": "1"}


def compile_operations(operations: Sequence[Mapping[str, Any]], base_url: str, side: Side) -> tuple[Operation, ...]:
    host = urlsplit(base_url).netloc.rpartition("@")[2]
    return tuple(
        Operation(
            number=number,
            name=f"{spec['name']} {side.name.lower()}",
            template=Template(spec, host, marks(side)),
            expect_status=frozenset(spec.get("expect_status") or (200, 201)),
            expect_fields=frozenset(spec.get("expect_fields") or ()),
            remember=spec.get("remember"),
        )
        for number, spec in enumerate(operations)
    )


Reporter = Callable[[Operation, Failure, int, int], None]
"""Called with operation, failure, latency in nanoseconds and length of the answer in bytes: Locust's own count."""


class Lane:
    """Sends one side's requests, each in a greenlet of its own.

    Where the load balancer chooses by weight, most clients (an account each) send back the cookies they were given.

    now_ns: the run clock. key_prefix: makes idempotency keys unique over all runs. broke: called once with a reason
    when the load itself, not the service, failed.
    """

    def __init__(
        self,
        side: Side,
        plan: LoadPlan,
        *,
        recorder: Recorder,
        report: Reporter,
        broke: Callable[[str], None],
        now_ns: Callable[[], int],
        key_prefix: str,
    ) -> None:
        self.side = side
        self.in_flight = 0
        self.operations = compile_operations(plan.operations, plan.base_url, side)
        self.created: deque[Created] = deque(maxlen=REMEMBERED)
        self._cap = plan.in_flight_per_side
        self._accounts = [f"{plan.accounts_prefix}{side.name.lower()}-{number}" for number in range(plan.accounts)]
        self._jars = _jars(plan, side)
        self._connections = Connections(plan.base_url, plan.timeout_s)
        self._recorder = recorder
        self._report = report
        self._broke = broke
        self._now_ns = now_ns
        self._key_prefix = key_prefix

    def launch(self, slot: Slot, operation: Operation) -> None:
        """Send `slot` now, or charge it to this side as not sent when its cap is full. Returns at once."""
        if self.in_flight >= self._cap:
            now_ns = self._now_ns()
            self._record(slot, operation, Answer(Failure.NOT_SENT), (now_ns, now_ns), (0, 0))
            return
        self.in_flight += 1
        gevent.spawn(self._send, slot, operation)

    def possible(self, number: int) -> Operation:
        """The operation itself, or one that creates what it needs while this side has created nothing yet."""
        operation = self.operations[number]
        if not operation.template.needs_id or self.created:
            return operation
        return next(candidate for candidate in self.operations if candidate.creates)

    def close(self) -> None:
        self._connections.close()

    def _send(self, slot: Slot, operation: Operation) -> None:
        try:
            of = self._target(slot, operation)
            name = request_id(slot.index, self.side)
            values = Values(of.account, f"{self._key_prefix}-{name}", _decimal(slot.amount), of.id)
            jar = self._jars[of.client]
            cookies = jar.header(self._now_ns() / 1e9) if jar is not None else ""
            request = operation.template.render(values, name, cookies)
            sent_ns = self._now_ns()
            answer = self._connections.ask(request, operation.template.method)
            ended_ns = self._now_ns()
            if jar is not None:
                for cookie in answer.cookies:
                    jar.keep(cookie, ended_ns / 1e9)
            if answer.failure is Failure.NONE:
                answer = self._checked(operation, of, answer)
            client = (of.client % CLIENTS_MAX + 1, WITH_COOKIES if cookies else 0)
            self._record(slot, operation, answer, (sent_ns, ended_ns), client)
        except OwnFaultError as error:
            self._broke(str(error))
        except Exception as error:  # noqa: BLE001 - a bug of ours must end the load, never pass for a failure of the service
            self._broke(f"the load broke: {type(error).__name__}: {error}")
        finally:
            self.in_flight -= 1

    def _target(self, slot: Slot, operation: Operation) -> Created:
        """Whose account, and which earlier payment: only ever one that this side created itself."""
        if operation.template.needs_id:
            return self.created[int(slot.pick * len(self.created))]
        return Created("", self._accounts[slot.account], slot.account)

    def _checked(self, operation: Operation, of: Created, answer: Answer) -> Answer:
        """The answer with a failure when it is not what the operation expects; remembers what it created."""
        if answer.status not in operation.expect_status:
            return answer._replace(failure=Failure.STATUS)
        if not operation.expect_fields and operation.remember is None:
            return answer
        fields = _fields(answer.body)
        new_id = usable_id(fields.get(operation.remember)) if operation.remember is not None else None
        wrong = (
            not operation.expect_fields <= fields.keys()
            or (operation.remember is not None and new_id is None)
            or (of.id and "id" in operation.expect_fields and str(fields["id"]) != of.id)  # somebody else's
        )
        if wrong:
            return answer._replace(failure=Failure.BODY)
        if new_id is not None:
            self.created.append(Created(new_id, of.account, of.client))
        return answer

    def _record(
        self, slot: Slot, operation: Operation, answer: Answer, times_ns: tuple[int, int], client: tuple[int, int]
    ) -> None:
        self._recorder.add(slot, self.side, operation.number, answer, times_ns, client)
        self._report(operation, answer.failure, times_ns[1] - slot.intended_ns, len(answer.body))


def _jars(plan: LoadPlan, side: Side) -> tuple[Jar | None, ...]:
    """One a client; None for a client that keeps none, and where no weight is asked."""
    chosen = side in (Side.WEIGHTED, Side.CUSTOMER)
    secure = plan.base_url.startswith("https")
    return tuple(Jar(secure=secure) if chosen and number % FORGETFUL_EVERY else None for number in range(plan.accounts))


def _decimal(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02d}"


def _fields(body: bytes) -> Mapping[str, Any]:
    """The answer's JSON object; empty when it is none."""
    try:
        fields = json.loads(body)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}
