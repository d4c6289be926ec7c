"""Peak windows refuse, in the local time of those who are asleep or at their busiest, and say when they open."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftproof.errors import RefusedError
from shiftproof.model.platform import Load, LoadBalancer, Operation, Platform, Service, Window
from shiftproof.model.target import Target
from shiftproof.safety.windows import closed_by, next_allowed, refuse_in_peak

BERLIN = ZoneInfo("Europe/Berlin")
EVENING = Window(name="evening", timezone="Europe/Berlin", days=("mon", "fri"), start=time(17), end=time(21))
NIGHT = Window(name="night", timezone="Europe/Berlin", days=("sat",), start=time(22), end=time(3))
EARLY = Window(name="early", timezone="Europe/Berlin", start=time(1), end=time(2, 30))
LATER = Window(name="later", timezone="Europe/Berlin", start=time(2, 30), end=time(5))
PAYDAY = Window(name="payday", timezone="Europe/Berlin", days_of_month=(25, 31))


def berlin(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=BERLIN)  # type: ignore[arg-type, misc]


def is_closed(window: Window, now: datetime) -> bool:
    return closed_by([window], "eks-prod", lab=False, now=now) is not None


@pytest.mark.parametrize(
    ("window", "now", "closed"),
    [
        (EVENING, berlin(2026, 11, 23, 16, 59, 59), False),  # a Monday
        (EVENING, berlin(2026, 11, 23, 17, 0), True),
        (EVENING, berlin(2026, 11, 23, 20, 59, 59), True),
        (EVENING, berlin(2026, 11, 23, 21, 0), False),
        (EVENING, berlin(2026, 11, 24, 18, 0), False),  # a Tuesday
        (EVENING, datetime(2026, 11, 23, 16, 30, tzinfo=UTC), True),  # 17:30 in Berlin
        (NIGHT, berlin(2026, 11, 28, 23, 0), True),
        (NIGHT, berlin(2026, 11, 29, 2, 59), True),  # still Saturday's window
        (NIGHT, berlin(2026, 11, 29, 3, 0), False),
        (NIGHT, berlin(2026, 11, 28, 2, 0), False),  # Friday night is not named
        (PAYDAY, berlin(2026, 11, 25, 0, 0), True),
        (PAYDAY, berlin(2026, 11, 25, 23, 59, 59), True),
        (PAYDAY, berlin(2026, 11, 26, 0, 0), False),
        (Window(name="always"), berlin(2026, 1, 1, 12, 0), True),
        (Window(name="dates", dates=(date(2026, 12, 24),), days=("mon",)), datetime(2026, 12, 24, 9, tzinfo=UTC), True),
    ],
)
def test_inside_and_outside(window: Window, now: datetime, closed: bool) -> None:
    assert is_closed(window, now) is closed


def test_windows_bind_the_targets_that_they_name_and_never_the_lab_by_default() -> None:
    now = berlin(2026, 11, 25, 12, 0)
    named = PAYDAY.model_copy(update={"targets": ("eks-prod", "lab")})
    assert closed_by([PAYDAY], "lab", lab=True, now=now) is None
    assert closed_by([PAYDAY], "eks-stage", lab=False, now=now) is not None
    assert closed_by([named], "eks-stage", lab=False, now=now) is None
    assert closed_by([named], "lab", lab=True, now=now) is not None


def test_next_allowed_goes_through_windows_that_join() -> None:
    morning = Window(name="m", timezone="Europe/Berlin", start=time(6), end=time(12))
    noon = Window(name="n", timezone="Europe/Berlin", start=time(12), end=time(14))
    found = next_allowed([noon, morning], "eks", lab=False, now=berlin(2026, 11, 23, 7, 0))
    assert found == berlin(2026, 11, 23, 14, 0)


def test_never_allowed_is_none_and_not_for_ever() -> None:
    assert next_allowed([Window(name="always")], "eks", lab=False, now=berlin(2026, 11, 23)) is None


@pytest.mark.parametrize(
    ("window", "start", "end"),
    [
        # Clocks go back at 03:00 CEST on 25 October 2026: 02:30 comes twice, and the window holds through both.
        (
            EARLY,
            "2026-10-24T23:00",
            "2026-10-25T01:30",
        ),
        # They go forward at 02:00 CET on 29 March 2026: 02:30 never comes, and the window opens after the gap.
        (
            EARLY,
            "2026-03-29T00:00",
            "2026-03-29T01:30",
        ),
        # A window that starts in the hour that is skipped starts before it.
        (
            LATER,
            "2026-03-29T00:30",
            "2026-03-29T03:00",
        ),
    ],
)
def test_clock_changes_keep_a_window_closed_for_longer(window: Window, start: str, end: str) -> None:
    first, last = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (start, end))
    second = timedelta(seconds=1)
    assert not is_closed(window, first - second)
    assert is_closed(window, first)
    assert is_closed(window, last - second)
    assert not is_closed(window, last)


windows = st.builds(
    Window,
    name=st.just("w"),
    timezone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
    days=st.lists(st.sampled_from(["mon", "tue", "sat", "sun"]), max_size=3).map(tuple),
    days_of_month=st.lists(st.integers(1, 31), max_size=4).map(tuple),
    start=st.times(max_value=time(11, 59)).map(lambda value: value.replace(microsecond=0)),
    end=st.one_of(st.none(), st.times(min_value=time(12)).map(lambda value: value.replace(microsecond=0))),
)
moments = st.integers(0, 3 * 366 * 86400).map(
    lambda after_s: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=after_s)
)


@given(found=st.lists(windows, max_size=3), now=moments)
def test_the_next_allowed_time_is_allowed_and_nothing_before_it_is(found: list[Window], now: datetime) -> None:
    allowed = next_allowed(found, "eks", lab=False, now=now)
    if allowed is None:
        return
    assert allowed >= now
    assert closed_by(found, "eks", lab=False, now=allowed) is None
    steps = [now + (allowed - now) * share / 20 for share in range(20)]
    assert all(closed_by(found, "eks", lab=False, now=step) for step in steps if step < allowed)


@given(window=windows, now=moments, offset=st.integers(-14, 14))
def test_the_zone_in_which_one_asks_does_not_matter(window: Window, now: datetime, offset: int) -> None:
    elsewhere = now.astimezone(timezone(timedelta(hours=offset)))
    assert is_closed(window, now) is is_closed(window, elsewhere)


@given(now=moments)
def test_of_several_windows_the_longest_is_named(now: datetime) -> None:
    ends = [time(hour) for hour in (20, 22, 23)]
    found = [Window(name=f"w{end.hour}", start=time(0, 1), end=end) for end in ends]
    closed = closed_by(found, "eks", lab=False, now=now)
    longer = [closed_by([window], "eks", lab=False, now=now) for window in found]
    assert closed == max((one for one in longer if one), key=lambda one: one.until, default=None)
    assert all(earlier.end < later.end for earlier, later in pairwise(found))  # type: ignore[operator]


def platform(*windows: Window) -> Platform:
    service = Service(
        name="payments",
        namespace="payments",
        deployment="payments",
        manifests="x",
        load_balancer=LoadBalancer(name="lb", legacy_target_group="l", cluster_target_group="c"),
        load=Load(operations=(Operation(name="read", method="GET", path="/"),)),
    )
    return Platform(version=1, name="p", services=(service,), windows=windows)


def test_refusing_names_the_window_and_the_next_allowed_time() -> None:
    target = Target(name="eks-prod", kind="eks", entry="https://example.org")
    with pytest.raises(RefusedError, match=r"eks-prod is in the peak window 'evening'") as refused:
        refuse_in_peak(platform(EVENING), target, berlin(2026, 11, 23, 18, 0))
    assert refused.value.hint == "next allowed time: Mon 23 Nov 2026 21:00 CET"
    refuse_in_peak(platform(EVENING), target, berlin(2026, 11, 23, 21, 0))
