"""When two values that cannot be equal are still alike: ids and times that two services made at the same moment.

Names and looks decide, as nobody tells us which field is what: two UUIDs are alike, two times are when they are written
alike and lie close to each other, other ids when they are built alike. Everything else has to be equal, and so has all
that has a name of money (currency_id, total_amount): each leg does the same there. Only an account is each leg's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime

from shiftproof.model.probe import NEVER_IGNORED, Kind, words_of

FAR_APART_S = 600.0
"""Two sides that answer at one moment and write times further apart than this differ by no clock, but by a zone."""

_OF_MONEY = NEVER_IGNORED - {"account"}

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9A-F-]{36}")
_TIME = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)"
    r"(?:(?P<between>[Tt ])(?P<clock>\d\d:\d\d(?::\d\d)?)(?:[.,](?P<fraction>\d{1,9}))?"
    r" ?(?P<zone>[Zz]|UTC|[+-]\d\d(?::?\d\d)?)?)?"
)
_HTTP_DATE = re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d (?:GMT|[+-]\d{4})")
_SEPARATOR = re.compile(r"[^A-Za-z0-9]")

#: Plausible moments (2001 to 2286) as whole seconds, milli-, micro- and nanoseconds since the epoch.
_EPOCHS = tuple((10**9 * unit, 10**10 * unit, unit) for unit in (1, 10**3, 10**6, 10**9))


@dataclass(frozen=True, slots=True)
class Unlike:
    """How two values are not alike. detail: for people, and no value of the service's."""

    kind: Kind
    detail: str = ""


def unlike(name: str, left: object, right: object) -> Unlike | None:
    """None when two values of one type that are not equal are alike all the same.

    name: the field's own. Money is equal or it is not: for a field called amount, currency, status or account, or with
    the word amount, currency or status in its name, nothing else counts; but a time (status_changed_at) is a time.
    """
    if name.lower() in NEVER_IGNORED:
        return Unlike(Kind.VALUE)
    if words_of(name) & _OF_MONEY:
        return _times_of_money(left, right)
    if isinstance(left, str) and isinstance(right, str):
        return _texts(name, left, right)
    if isinstance(left, Decimal) and isinstance(right, Decimal):
        return _numbers(name, left, right)
    return Unlike(Kind.VALUE)


def _times_of_money(left: object, right: object) -> Unlike | None:
    times = [_moment(text) if isinstance(text, str) else None for text in (left, right)]
    return Unlike(Kind.VALUE) if None in times else _times(*times)


def _texts(name: str, left: str, right: str) -> Unlike | None:
    uuids = bool(_UUID.fullmatch(left)), bool(_UUID.fullmatch(right))
    if any(uuids):
        return None if all(uuids) and left.isupper() == right.isupper() else Unlike(Kind.FORMAT)
    times = _moment(left), _moment(right)
    if times[0] is not None or times[1] is not None:
        return _times(times[0], times[1])
    if left.isdecimal() and right.isdecimal() and len(left) < 20 and len(right) < 20:
        return _numbers(name, Decimal(left), Decimal(right))
    if _is_id(name):
        return None if _built_alike(left, right) else Unlike(Kind.FORMAT)
    return Unlike(Kind.VALUE)


def _numbers(name: str, left: Decimal, right: Decimal) -> Unlike | None:
    if left != left.to_integral_value() or right != right.to_integral_value():
        return Unlike(Kind.VALUE)
    for least, beyond, unit in _EPOCHS:
        inside = least <= left < beyond, least <= right < beyond
        if all(inside) and not _is_id(name):
            apart_s = float(abs(left - right) / unit)
            return _apart(apart_s)
    return None if _is_id(name) else Unlike(Kind.VALUE)


def _is_id(name: str) -> bool:
    return bool(words_of(name) & {"id", "ids", "uuid", "guid", "ref", "reference", "token", "etag"})


def _built_alike(left: str, right: str) -> bool:
    """As in "pay_8f3k…" and "pay_x01m…", or "000123" and "98": one prefix, and as long, or both but digits."""
    if left.isdecimal() or right.isdecimal():
        return left.isdecimal() and right.isdecimal()
    if len(left) != len(right) or not left or not right:
        return False
    marks = [(at.start(), at.group()) for at in _SEPARATOR.finditer(left)]
    if marks != [(at.start(), at.group()) for at in _SEPARATOR.finditer(right)]:
        return False
    prefix = left[: marks[0][0]] if marks else ""
    return right.startswith(prefix) if prefix.isalpha() else True


@dataclass(frozen=True, slots=True)
class _Moment:
    """A time as written: `style` is how, `at` when."""

    style: tuple[str, ...]
    at: datetime


def _moment(text: str) -> _Moment | None:
    try:
        if _HTTP_DATE.fullmatch(text):
            return _Moment(("http", text[-3:]), parsedate_to_datetime(text))
        found = _TIME.fullmatch(text)
        return _iso(found) if found else None
    except ValueError:  # such as the 30th of February
        return None


def _iso(found: re.Match[str]) -> _Moment:
    between, clock = found["between"] or "", found["clock"] or ""
    fraction, zone = found["fraction"] or "", found["zone"] or ""
    # Trailing zeros are left out by some writers, so digits count by threes: none, milli-, micro- or nanoseconds.
    precision = str(-(-len(fraction) // 3))
    at = datetime.fromisoformat(f"{found['date']}T{clock}" if clock else found["date"])
    return _Moment(("iso", between, str(len(clock)), precision, zone), _in_zone(at, zone))


def _in_zone(at: datetime, zone: str) -> datetime:
    if zone[:1] not in ("+", "-"):
        return at.replace(tzinfo=UTC)
    return datetime.fromisoformat(at.isoformat(timespec="seconds") + zone)


def _times(left: _Moment | None, right: _Moment | None) -> Unlike | None:
    if left is None or right is None or left.style != right.style:
        return Unlike(Kind.FORMAT)
    return _apart(abs((left.at - right.at).total_seconds()))


def _apart(apart_s: float) -> Unlike | None:
    return None if apart_s <= FAR_APART_S else Unlike(Kind.VALUE, f"{min(apart_s / 60, 1e6):.0f} min apart")
