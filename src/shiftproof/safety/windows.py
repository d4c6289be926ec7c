"""Peak windows: times of the year in which nothing moves. Pure; the moment is handed in.

A window is written in local time, so every comparison is made there: moments become wall-clock time in the window's own
zone, and a day of 23 or 25 hours needs no special case. An end before the start means the next day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shiftproof.errors import RefusedError
from shiftproof.model.platform import Platform, Weekday, Window
from shiftproof.model.target import Target

WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

#: Windows repeat at least once a year; what is closed for longer than this is closed for good.
HORIZON = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Closed:
    """A moment that a window forbids. `until`: when that window's stretch ends, in UTC."""

    window: Window
    until: datetime


def applies(window: Window, target: str, *, lab: bool) -> bool:
    """A window that names targets binds those; one that names none binds all but the lab."""
    return target in window.targets if window.targets else not lab


def closed_by(windows: Iterable[Window], target: str, *, lab: bool, now: datetime) -> Closed | None:
    """The window that forbids `now` for this target, the one that lasts longest; None when none does.

    now: any aware time. Its ends: start included, end excluded.
    """
    found = [
        Closed(window, end)
        for window in windows
        if applies(window, target, lab=lab)
        for start, end in _stretches_around(window, now)
        if start <= now < end
    ]
    return max(found, key=lambda closed: closed.until, default=None)


def next_allowed(windows: Sequence[Window], target: str, *, lab: bool, now: datetime) -> datetime | None:
    """The first moment from `now` on that no window forbids (`now` itself when none does), in UTC.

    None when there is none within HORIZON.
    """
    moment = now.astimezone(UTC)
    while moment - now < HORIZON:
        closed = closed_by(windows, target, lab=lab, now=moment)
        if closed is None:
            return moment
        moment = closed.until.astimezone(UTC)
    return None


def refuse_in_peak(platform: Platform, target: Target, now: datetime) -> None:
    """Raises RefusedError inside a peak window of this target, with the next time that is allowed."""
    windows = platform.windows
    lab = target.kind == "lab"
    closed = closed_by(windows, target.name, lab=lab, now=now)
    if closed is None:
        return
    allowed = next_allowed(windows, target.name, lab=lab, now=now)
    zone = ZoneInfo(closed.window.timezone)
    when = allowed.astimezone(zone).strftime("%a %d %b %Y %H:%M %Z") if allowed else "no time in sight"
    raise RefusedError(
        f"{target.name} is in the peak window {closed.window.name!r}: nothing moves now",
        hint=f"next allowed time: {when}",
    )


def _stretches_around(window: Window, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The window's stretches that could hold `now`: of that local day, and of the day before (past midnight)."""
    zone = ZoneInfo(window.timezone)
    today = now.astimezone(zone).date()
    for day in (today - timedelta(days=1), today):
        if _is_window_day(window, day):
            yield min(_moments(day, window.start, zone)), max(_moments(*_last(window, day), zone))


def _last(window: Window, day: date) -> tuple[date, time]:
    """The local day and time at which the stretch that began on `day` ends."""
    if window.end is None:
        return day + timedelta(days=1), time(0, 0)
    return (day if window.end > window.start else day + timedelta(days=1)), window.end


def _moments(day: date, at: time, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """What a local time may mean, in UTC. Two different moments where a clock change repeats it or skips it: the caller
    takes the one that keeps the window closed for longer."""
    first, second = (datetime.combine(day, at.replace(fold=fold), tzinfo=zone).astimezone(UTC) for fold in (0, 1))
    return first, second


def _is_window_day(window: Window, day: date) -> bool:
    """Days of the week, of the month and dates add up; a window that names none of them is for every day."""
    if not (window.days or window.days_of_month or window.dates):
        return True
    return WEEKDAYS[day.weekday()] in window.days or day.day in window.days_of_month or day in window.dates
