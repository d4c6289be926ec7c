"""What a customer's client keeps of Set-Cookie: without it, a sticky load balancer would look as if it were not.

Less than a browser's store, on purpose: one host, all of its paths, a bounded number of cookies.
"""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime

COOKIES_MAX = 20
LENGTH_MAX = 4_096
_FOREVER_S = float("inf")


class Jar:
    """The cookies of one client. Times are seconds since the epoch. secure: so is the connection."""

    __slots__ = ("_kept", "_secure")

    def __init__(self, *, secure: bool = False) -> None:
        self._secure = secure
        self._kept: dict[str, tuple[str, float]] = {}

    def keep(self, set_cookie: str, now_s: float) -> None:
        """Take in one Set-Cookie. What is none, or too long, is ignored, as a client does."""
        pair, *attributes = set_cookie.split(";")
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or not name or len(pair) > LENGTH_MAX or not pair.isprintable() or not pair.isascii():
            return
        given = {key.strip().lower(): text.strip() for key, _, text in (part.partition("=") for part in attributes)}
        self._kept.pop(name, None)
        until_s = _until_s(given, now_s)
        if until_s > now_s and ("secure" not in given or self._secure) and len(self._kept) < COOKIES_MAX:
            self._kept[name] = (value, until_s)

    def header(self, now_s: float) -> str:
        """The value of a Cookie header, "" when none is left that has not expired."""
        kept = self._kept
        if not kept:
            return ""
        for name in [name for name, (_, until_s) in kept.items() if until_s <= now_s]:
            del kept[name]
        return "; ".join(f"{name}={value}" for name, (value, _) in kept.items())


def _until_s(given: dict[str, str], now_s: float) -> float:
    """Max-Age outranks Expires (RFC 6265, 5.3); without a readable one of them a cookie stays as long as its client."""
    age = given.get("max-age", "")
    if age.removeprefix("-").isdigit():
        return now_s + int(age)
    try:
        expires = parsedate_to_datetime(given.get("expires", ""))
    except ValueError:
        return _FOREVER_S
    return (expires if expires.tzinfo else expires.replace(tzinfo=UTC)).timestamp()
