"""What a probe's conversation is made of: legs, each on a fresh account, that ask one operation after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from shiftproof.load.compare import DEEPEST, Names, Reply
from shiftproof.load.exchange import Connections
from shiftproof.load.lane import Operation
from shiftproof.load.template import Values, usable_id
from shiftproof.model.event import Failure, Side

NOT_ANSWERED = frozenset({408, 425, 429, 502, 503, 504})
"""Statuses that say "not now": nothing to compare. A 500 is an answer, and may be what one side alone cannot do."""

SAFE = frozenset({"GET"})


class VoidError(Exception):
    """This conversation says nothing; `str()` is why, in few words that never hold what the service said."""


@dataclass(frozen=True, slots=True)
class Way:
    """Where to send: the side, its connections, and the service's operations compiled for it."""

    side: Side
    connections: Connections
    operations: Sequence[Operation]

    @property
    def name(self) -> str:
        return self.side.name.lower()


@dataclass(slots=True)
class Leg:
    """One account's story. amounts: of each turn. replies: what was answered, by operation's number and turn."""

    names: Names
    amounts: tuple[str, str]
    replies: dict[tuple[int, int], Reply] = field(default_factory=dict)

    @property
    def newest_id(self) -> str:
        return self.names.ids[-1] if self.names.ids else ""


@dataclass(slots=True)
class Asker:
    """Sends the requests of one conversation and counts them. ending: True once the load is to end."""

    number: int
    ending: Callable[[], bool]
    sleep: Callable[[float], None]
    asked: int = 0

    def ask(self, way: Way, operation: int, leg: Leg, key: str = "", turn: int = 0) -> Reply:
        """One request for `leg`; raises VoidError when no answer came, or none that can be compared."""
        if self.ending():
            raise VoidError("the load ended")
        name = f"probe-{self.number}-{self.asked}"
        self.asked += 1
        values = Values(leg.names.account, key or leg.names.key, leg.amounts[turn], leg.newest_id)
        template = way.operations[operation].template
        answer = way.connections.ask(template.render(values, name), template.method)
        if answer.failure is not Failure.NONE:
            raise VoidError(answer.failure.name.lower().replace("_", " "))
        if answer.status in NOT_ANSWERED:
            raise VoidError(f"status {answer.status}")
        return Reply.of(answer)

    def wait(self, seconds: float) -> None:
        """Sleep, but not beyond the end of the load."""
        left_s = seconds
        while left_s > 0 and not self.ending():
            self.sleep(min(left_s, 0.1))
            left_s -= 0.1

    def step(self, way: Way, operation: int, leg: Leg, turn: int = 0) -> bool:
        """Ask with a key of its own, keep the reply and what it created; False when it is not what is expected."""
        reply = self.ask(way, operation, leg, f"{leg.names.key}-{operation}-{turn}", turn)
        leg.replies[operation, turn] = reply
        return self.remember(way.operations[operation], leg, reply)

    @staticmethod
    def remember(operation: Operation, leg: Leg, reply: Reply) -> bool:
        """Keep the id that was created; False when the answer is not what the operation expects."""
        if reply.status not in operation.expect_status:
            return False
        if operation.remember is None:
            return True
        made = id_in(reply.fields, operation.remember)
        if made is None:
            return False
        if made not in leg.names.ids:
            leg.names.ids.append(made)
        return True


def id_in(fields: Mapping[str, Any], name: str) -> str | None:
    """The id as text, as templates take it."""
    return _as_id(fields.get(name))


def _as_id(value: object) -> str | None:
    if isinstance(value, Decimal) and value == value.to_integral_value():
        value = int(value)
    return usable_id(value)


def in_order(operations: Sequence[Operation]) -> list[tuple[int, int]]:
    """(number, turn) of the operations as a conversation goes: first those that create, then the rest as listed.

    Where an account is listed, all that create do so twice: a list of one has no order.
    """
    creating = [operation.number for operation in operations if operation.creates]
    turns = (0, 1) if any(lists_account(operation) for operation in operations) else (0,)
    made = [(number, turn) for turn in turns for number in creating]
    return made + [(operation.number, 0) for operation in operations if operation.number not in creating]


def is_read(operation: Operation) -> bool:
    """It changes nothing, so it may be asked again."""
    return operation.template.method in SAFE


def lists_account(operation: Operation) -> bool:
    """It shows what an account has."""
    return is_read(operation) and "account" in operation.template.names and not operation.template.needs_id


def is_about(operation: Operation) -> bool:
    """It is about what a leg has done: its account, or an id."""
    return bool(operation.template.names & {"account", "id"})


Listed = dict[str, set[str]]
"""By place, as in "payments[].id": the ids that stand there, each once however many items name it."""


def listed_ids(document: Any, path: str = "", depth: int = 0) -> Listed:
    """All that may be an id in the items of lists, at whichever place; what one value lists twice counts once."""
    found: Listed = {}
    if depth > DEEPEST:
        return found
    if isinstance(document, dict):
        below = [listed_ids(value, f"{path}.{name}", depth + 1) for name, value in document.items()]
    elif isinstance(document, list):
        below = [listed_ids(value, f"{path}[]", depth + 1) for value in document]
    else:
        below = []
        made = _as_id(document) if "[]" in path else None
        if made is not None:
            found[path] = {made}
    for one in below:
        for place, ids in one.items():
            found.setdefault(place, set()).update(ids)
    return found
