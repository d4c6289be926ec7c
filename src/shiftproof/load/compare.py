"""Two answers, field by field. What goes out are paths and kinds; values stay here and are forgotten.

Each leg of a conversation has an account, a key and ids of its own, so what an answer says of them is compared as what
it stands for: the leg's own account on both sides is the same, somebody else's is not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from shiftproof.load.answer import Answer
from shiftproof.load.formats import Unlike, unlike
from shiftproof.model.probe import CONTENT_TYPE, STATUS, Difference, Kind, last_name

LARGEST_BODY = 100_000  # bytes; a longer one is compared as a whole: the load must not stand still for it
MOST_DIFFERENCES = 60  # of one comparison; a body that shares nothing needs no longer list
DEEPEST = 40
SHORTEST_INSIDE = 8  # a name shorter than this stands for ours only where it stands alone
LONGEST_KEY = 60

_NO_JSON = object()


@dataclass(slots=True)
class Names:
    """What one leg calls itself: text as it was sent, or answered as an id, to what it stands for."""

    account: str
    key: str
    ids: list[str] = field(default_factory=list)

    def stands_for(self) -> dict[str, str]:
        named = {self.account: "{account}", self.key: "{key}"}
        named.update({one: f"{{id{number}}}" for number, one in enumerate(self.ids)})
        named.pop("", None)
        return named


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, read: status, media type, and the document (or the text that is none)."""

    status: int
    content_type: str
    document: Any
    text: bytes

    @classmethod
    def of(cls, answer: Answer) -> Reply:
        media = ";".join(part.strip() for part in answer.content_type.lower().split(";"))
        return cls(answer.status, media, _document(answer.body), answer.body)

    @property
    def fields(self) -> Mapping[str, Any]:
        """The top-level object; empty when it is none."""
        return self.document if isinstance(self.document, dict) else {}


def _document(body: bytes) -> Any:
    if len(body) > LARGEST_BODY:
        return _NO_JSON
    try:
        return json.loads(body, parse_float=Decimal, parse_int=Decimal, parse_constant=str)
    except (ValueError, RecursionError, InvalidOperation):
        return _NO_JSON


class Comparison:
    """Compares what one operation answered to two legs; `found` and `compared` add up over calls.

    by_format: ids and times that were made for each leg alone need only be alike; else everything must be equal.
    """

    def __init__(self, left: Names, right: Names, *, by_format: bool) -> None:
        self._left = left.stands_for()
        self._right = right.stands_for()
        self._by_format = by_format
        self._operation = ""
        self._via = ""
        self.compared = 0
        self.found: list[Difference] = []

    def replies(self, operation: str, left: Reply, right: Reply, via: str = "") -> None:
        """Control first. Bodies of different statuses say different things anyway, and are not compared."""
        self._operation, self._via = operation, via
        self.compared += 1
        if left.status != right.status:
            self._add(STATUS, Kind.STATUS, f"{left.status} against {right.status}")
            return
        self.compared += 1
        if left.content_type != right.content_type:
            self._add(CONTENT_TYPE, Kind.VALUE)
        if left.document is _NO_JSON and right.document is _NO_JSON:
            self._texts(left.text, right.text)
        elif left.document is _NO_JSON or right.document is _NO_JSON:
            self._add("", Kind.TYPE, "JSON against none" if right.document is _NO_JSON else "no JSON against some")
        else:
            self._values("", left.document, right.document, 0)

    def _texts(self, left: bytes, right: bytes) -> None:
        self.compared += 1
        if left == right:
            return
        said = (
            _named(text.decode("utf-8", "replace"), names) for text, names in ((left, self._left), (right, self._right))
        )
        if len(set(said)) > 1:
            self._add("", Kind.VALUE)

    def _values(self, path: str, left: Any, right: Any, depth: int) -> None:
        types = _type(left), _type(right)
        if types[0] != types[1]:
            self.compared += 1
            self._add(path, Kind.TYPE, f"{types[0]} against {types[1]}")
            # What lay inside is gone as well: a rule that ignores this path must not swallow an amount below it.
            self._gone(path, left, Kind.MISSING, inside=True)
            self._gone(path, right, Kind.EXTRA, inside=True)
        elif depth > DEEPEST:
            self.compared += 1
            if left != right:
                self._add(path, Kind.VALUE)
        elif isinstance(left, dict):
            self._objects(path, left, right, depth)
        elif isinstance(left, list):
            self._lists(path, left, right, depth)
        else:
            self.compared += 1
            self._scalars(path, left, right)

    def _objects(self, path: str, left: Mapping[str, Any], right: Mapping[str, Any], depth: int) -> None:
        ours, theirs = _by_name(left, self._left), _by_name(right, self._right)
        for name in dict.fromkeys((*ours, *theirs)):
            below = f"{path}.{name}" if path else name
            if name not in theirs:
                self._gone(below, ours[name], Kind.MISSING)
            elif name not in ours:
                self._gone(below, theirs[name], Kind.EXTRA)
            else:
                self._values(below, ours[name], theirs[name], depth + 1)

    def _lists(self, path: str, left: Sequence[Any], right: Sequence[Any], depth: int) -> None:
        below = f"{path}[]"
        self.compared += 1
        if len(left) != len(right):
            self._add(below, Kind.COUNT, f"{len(left)} against {len(right)}")
        for ours, theirs in zip(left, right, strict=False):
            self._values(below, ours, theirs, depth + 1)
        for surplus in left[len(right) :]:
            self._gone(below, surplus, Kind.MISSING, inside=True)
        for surplus in right[len(left) :]:
            self._gone(below, surplus, Kind.EXTRA, inside=True)

    def _scalars(self, path: str, left: Any, right: Any) -> None:
        if left == right:
            # Equal, and yet a name that only one leg has: the other leg's answer speaks of somebody else.
            if isinstance(left, str) and len(left) >= SHORTEST_INSIDE and self._left.get(left) != self._right.get(left):
                self._add(path, Kind.VALUE)
            return
        if isinstance(left, str) and isinstance(right, str):
            if _named(left, self._left) == _named(right, self._right):
                return
            # One of them is ours, and the other is not the same of ours: that is no matter of format.
            if left in self._left or right in self._right:
                self._add(path, Kind.VALUE)
                return
        elif str(left) in self._left and self._left[str(left)] == self._right.get(str(right)):
            return  # an id that is a number
        how = unlike(last_name(path), left, right) if self._by_format else Unlike(Kind.VALUE)
        if how is not None:
            self._add(path, how.kind, how.detail)

    def _gone(self, path: str, value: Any, kind: Kind, *, inside: bool = False) -> None:
        """Leaf by leaf. inside: of a container only, which was told of already."""
        if isinstance(value, dict | list) and value:
            for below in dict.fromkeys(_leaves(path, value, 0)):
                self.compared += 1
                self._add(below, kind)
        elif not inside:
            self.compared += 1
            self._add(path, kind)

    def _add(self, path: str, kind: Kind, detail: str = "") -> None:
        difference = Difference(self._operation, path, kind, self._via, detail)
        if difference not in self.found and len(self.found) < MOST_DIFFERENCES:
            self.found.append(difference)


def _type(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case Decimal():
            return "number"
        case str():
            return "text"
        case list():
            return "list"
    return "object"


def _named(text: str, names: Mapping[str, str]) -> str:
    """`text` with our names replaced by what they stand for; short ones only where they are all of it."""
    whole = names.get(text)
    if whole is not None:
        return whole
    for name, stands_for in names.items():
        if len(name) >= SHORTEST_INSIDE:
            text = text.replace(name, stands_for)
    return text


def _by_name(fields: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """An object by names that may be told. Keys that are data (ids, long texts) stand as "*", all of them a list."""
    told: dict[str, Any] = {}
    unnamed: list[Any] = []
    for key, value in fields.items():
        name = _key(key, names)
        if name == "*" or name in told:
            unnamed.append(value)
        else:
            told[name] = value
    if unnamed:
        told["*"] = unnamed
    return told


def _key(key: str, names: Mapping[str, str]) -> str:
    name = _named(key, names)
    plain = 0 < len(name) <= LONGEST_KEY and name.isprintable() and sum(char.isdigit() for char in name) < 8
    return name.replace(".", "_").replace("[", "(").replace("]", ")") if plain else "*"


def _leaves(path: str, value: Any, depth: int) -> Iterator[str]:
    if depth <= DEEPEST and isinstance(value, dict) and value:
        for key, below in value.items():
            name = _key(key, {})
            yield from _leaves(f"{path}.{name}" if path else name, below, depth + 1)
    elif depth <= DEEPEST and isinstance(value, list) and value:
        for below in value:
            yield from _leaves(f"{path}[]", below, depth + 1)
    else:
        yield path
