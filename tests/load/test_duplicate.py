"""A key sent twice: how often it took effect, what is no effect, and what a lost answer does not excuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from fakes.load_target import OPERATIONS

from shiftproof.load.answer import Answer
from shiftproof.load.compare import Names
from shiftproof.load.conversation import Asker, Leg, VoidError, Way
from shiftproof.load.duplicate import Duplicate, HeardTwice, Twice
from shiftproof.load.lane import compile_operations
from shiftproof.model.event import Failure, Side
from shiftproof.model.probe import AFTERWARDS, Kind

LOST = Answer(Failure.RESET, 0, b"")
CROSSING, WITHIN = Twice(Side.LEGACY, Side.CLUSTER), Twice(Side.CLUSTER, Side.CLUSTER)


@dataclass
class Service:
    """Idempotent by key. made: what `spoil` may make of an answer that a side gives to a request."""

    keys_of: Callable[[Side], str] = lambda side: ""
    spoil: Callable[[Side, str, int, Any], tuple[int, Any]] = lambda side, method, status, body: (status, body)
    loses: Callable[[Side, str], bool] = lambda side, method: False
    payments: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    numbers: Any = field(default_factory=count)

    def ask(self, side: Side, request: bytes) -> Answer:
        head, _, body = request.decode().partition("\r\n\r\n")
        method, path, _ = head.split("\r\n")[0].split(" ")
        status, said = self._create(side, head, json.loads(body)) if method == "POST" else (200, self._list(path))
        if self.loses(side, method):
            return LOST
        status, said = self.spoil(side, method, status, said)
        return Answer(Failure.NONE, status, json.dumps(said).encode(), content_type="application/json")

    def _create(self, side: Side, head: str, body: dict[str, str]) -> tuple[int, Any]:
        (key,) = [line.partition(": ")[2] for line in head.split("\r\n") if line.lower().startswith("idempotency-key")]
        number = next(self.numbers)
        return 201, self.payments.setdefault(
            (self.keys_of(side), key), {"id": f"pay-{number:04}", "account": body["account"], "amount": body["amount"]}
        )

    def _list(self, path: str) -> Any:
        account = path.split("/")[2]
        mine = [one for one in self.payments.values() if one["account"] == account]
        return {"payments": mine, "events": [{"type": "created", "payment": one["id"]} for one in mine]}


@dataclass
class Connections:
    """Those of one side."""

    service: Service
    side: Side

    def ask(self, request: bytes, method: str) -> Answer:
        return self.service.ask(self.side, request)


def heard(service: Service, twice: Twice = CROSSING) -> HeardTwice:
    ways = {
        side: Way(side, Connections(service, side), compile_operations(OPERATIONS, "http://entry", side))  # type: ignore[arg-type]
        for side in (Side.LEGACY, Side.CLUSTER)
    }
    a, b, c = (Leg(Names(f"test-probe-1{one}", f"key-of-1{one}"), ("1.00", "2.00")) for one in "abc")
    asker = Asker(1, lambda: False, lambda seconds: None)
    return Duplicate(asker, ways, 0, (a, b, c), ("create", "read", "list")).hold(twice)


def test_one_effect_and_two() -> None:
    once = heard(Service())
    assert (once.applied, once.control_applied, once.treatment, once.control) == (1, 1, (), ())
    assert heard(Service(keys_of=str)).applied == 2
    assert heard(Service(keys_of=str), WITHIN).applied == 1


def test_an_error_with_an_id_of_its_own_is_no_second_effect() -> None:
    replies = count()

    def refused(side: Side, method: str, status: int, body: Any) -> tuple[int, Any]:
        return (409, {"id": f"err-{next(replies):04}"}) if side is Side.CLUSTER and method == "POST" else (status, body)

    assert heard(Service(spoil=refused)).applied == 1


def test_a_longer_list_of_something_else_is_no_second_effect() -> None:
    def settled(side: Side, method: str, status: int, body: Any) -> tuple[int, Any]:
        if side is Side.CLUSTER and method == "GET":
            event = {"type": "settled", "payment": body["payments"][0]["id"]}
            return status, {**body, "events": [*body["events"], event], "fees": ["a", "b"]}
        return status, body

    record = heard(Service(spoil=settled))
    assert record.applied == 1
    assert Kind.COUNT in {one.kind for one in record.treatment if one.path == "events[]"}


@pytest.mark.parametrize("twice", [WITHIN, CROSSING, Twice(Side.CLUSTER, Side.LEGACY)])
def test_lost_answers_do_not_excuse_two_effects(twice: Twice) -> None:
    """All that the cluster answers is lost; legacy lists what came of it."""
    keys = count()

    def own(side: Side) -> str:
        return f"{next(keys)}" if side is Side.CLUSTER else ""

    assert heard(Service(keys_of=own, loses=lambda side, method: side is Side.CLUSTER), twice).applied == 2


def test_lost_answers_without_harm_say_nothing() -> None:
    for loses in (lambda side, method: side is Side.CLUSTER, lambda side, method: side is Side.LEGACY):
        with pytest.raises(VoidError, match="reset"):
            heard(Service(loses=loses), WITHIN)
    refusing = Service(spoil=lambda side, method, status, body: (422, {}) if side is Side.CLUSTER else (status, body))
    with pytest.raises(VoidError, match="create was answered with 422"):
        heard(refusing, WITHIN)


def test_an_account_that_looks_otherwise_each_time_does_so_for_the_twin_too() -> None:
    numbers = count()

    def noted(side: Side, method: str, status: int, body: Any) -> tuple[int, Any]:
        return (status, {**body, "note": f"no. {next(numbers)}"}) if method == "GET" else (status, body)

    record = heard(Service(spoil=noted))
    assert [(one.path, one.via) for one in record.treatment] == [("note", AFTERWARDS)]
    assert record.treatment == record.control


def test_the_twin_is_read_as_often_as_the_treatment() -> None:
    """A field that is wrong in one reading of four: were the twin read less, noise would look like a fault."""
    seen = dict.fromkeys("abc", 0)

    def counted(side: Side, method: str, status: int, body: Any) -> tuple[int, Any]:
        if method == "GET":
            seen[body["payments"][0]["account"][-1]] += 1
        return status, body

    heard(Service(spoil=counted))
    assert seen == {"a": 2, "b": 1, "c": 2}
