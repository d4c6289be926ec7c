"""What came of one request."""

from __future__ import annotations

from typing import NamedTuple

from shiftproof.model.event import Failure


class Answer(NamedTuple):
    """status: 0 when no whole answer came. served_by: who says that it answered, "" when nobody does. content_type: the
    header as it came. cookies: values of Set-Cookie, as they came."""

    failure: Failure
    status: int = 0
    body: bytes = b""
    served_by: str = ""
    content_type: str = ""
    cookies: tuple[str, ...] = ()
