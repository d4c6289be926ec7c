"""An operation of platform.yaml, made into the bytes of a request.

Everything that does not change from request to request is put together once: at hundreds of requests a second, on
cores that the service shares, a general HTTP client's work on headers would cost more than the request.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

_HOLE = re.compile(r"\{(account|key|amount|id)\}")
_BREAKS_HEADERS = re.compile(r"[\r\n\0]")


@dataclass(frozen=True, slots=True)
class Values:
    """What is filled in. amount: decimal text such as "12.34"; id: of an earlier answer, "" where none is needed."""

    account: str
    key: str
    amount: str
    id: str


class _Text:
    """A text with holes: literals at even places, names of values at odd ones."""

    def __init__(self, parts: list[str]) -> None:
        self._parts = parts
        self.names = frozenset(parts[1::2])

    def fill(self, values: Mapping[str, str]) -> str:
        parts = self._parts
        if len(parts) == 1:
            return parts[0]
        return "".join(values[part] if place % 2 else part for place, part in enumerate(parts))


def _plain(text: str) -> _Text:
    return _Text(_HOLE.split(text))


class Template:
    """One operation on one side.

    operation: model.platform.Operation as a mapping. headers: what marks the request (side, synthetic).
    Raises ValueError when a header would break the request apart.
    """

    def __init__(self, operation: Mapping[str, Any], host: str, headers: Mapping[str, str]) -> None:
        self.method: str = operation["method"]
        body = operation.get("body")
        own = {"Content-Type": "application/json"} if body is not None else {}
        fields = {"Host": host, "User-Agent": "shiftproof", "Accept": "application/json", **own, **headers}
        fields.update(operation.get("headers") or {})
        for name, value in fields.items():
            if _BREAKS_HEADERS.search(name + value):
                raise ValueError(f"header {name!r} of operation {operation['name']!r} holds a line break")
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._path = _plain(operation["path"])
        self._headers = _plain(lines)
        self._body = _plain(json.dumps(body, separators=(",", ":"))) if body is not None else None
        body_names = self._body.names if self._body else frozenset()
        self.names = self._path.names | self._headers.names | body_names
        self.needs_id = "id" in self.names
        self._sends_length = self._body is not None or self.method in ("POST", "PUT")

    def render(self, values: Values, request_id: str, cookies: str = "") -> bytes:
        """The whole request, ready to send in one piece. cookies: the value of its Cookie header, "" for none."""
        texts = {"account": values.account, "key": values.key, "amount": values.amount, "id": values.id}
        body = self._body.fill(texts) if self._body else ""
        payload = body.encode()
        in_path = {name: quote(texts[name], safe="") for name in self._path.names}
        length = f"Content-Length: {len(payload)}\r\n" if self._sends_length else ""
        kept = f"Cookie: {cookies}\r\n" if cookies else ""
        head = (
            f"{self.method} {self._path.fill(in_path)} HTTP/1.1\r\n{self._headers.fill(texts)}{length}{kept}"
            f"x-shiftproof-id: {request_id}\r\n\r\n"
        )
        return head.encode("latin-1") + payload


def usable_id(value: object) -> str | None:
    """An id from an answer as text that may stand in a path, a header and a JSON text; None when it is none."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value)
    return (
        text if 0 < len(text) <= 200 and text.isprintable() and text.isascii() and not set(text) & {'"', "\\"} else None
    )
