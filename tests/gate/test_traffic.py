"""Whether traffic followed the weights, told from the answers alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from fakes.clock import SteppingClock
from hypothesis import given, settings
from hypothesis import strategies as st

from shiftproof.gate.traffic import TrafficShare
from shiftproof.model.event import EVENT_DTYPE, WITH_COOKIES, Events, Side

RATE_PER_S = 150
LEGACY, POD = 1, 2


def _share(pct_at: Callable[[float], float], seed: int = 1) -> tuple[TrafficShare, int]:
    """Weighted requests that go by `pct_at(seconds since the change)`; and the moment of the change."""
    clock = SteppingClock()
    began_ns = clock.now_ns()
    draws = np.random.default_rng(seed).random(RATE_PER_S * 60)

    def events_since(since_ns: int) -> Events:
        count = int((clock.now_ns() - began_ns) / 1e9 * RATE_PER_S)
        events = np.zeros(2 * count, EVENT_DTYPE)
        numbers = np.arange(count)
        for side, rows in ((Side.WEIGHTED, events[:count]), (Side.CLUSTER, events[count:])):
            rows["side"] = side
            rows["intended_ns"] = began_ns + (numbers / RATE_PER_S * 1e9).astype(np.int64)
            rows["served_by"] = POD
        weights = np.array([pct_at(number / RATE_PER_S) / 100 for number in numbers])
        events[:count]["served_by"] = np.where(draws[:count] < weights, POD, LEGACY)
        return events[events["intended_ns"] >= since_ns]

    return TrafficShare(events_since, clock), began_ns


@pytest.mark.parametrize(("old", "new"), [(0, 1), (0, 5), (0, 25), (5, 25), (25, 0), (50, 100), (100, 0), (75, 25)])
def test_traffic_that_follows_is_seen_to(old: int, new: int) -> None:
    share, began_ns = _share(lambda _: new)
    followed = share.wait_for(old, new, began_ns, 10)
    assert followed.seconds is not None
    assert followed.seconds < 2


@pytest.mark.parametrize(("old", "new"), [(0, 5), (0, 25), (5, 25), (25, 0), (50, 100), (100, 0), (75, 25)])
def test_traffic_that_stays_is_seen_to_stay(old: int, new: int) -> None:
    share, began_ns = _share(lambda _: old)
    followed = share.wait_for(old, new, began_ns, 10)
    assert followed.seconds is None
    assert followed.stayed


def test_a_rollback_that_lags_is_timed_by_its_last_stray() -> None:
    share, began_ns = _share(lambda seconds: 25 if seconds < 3 else 0)
    followed = share.wait_for(25, 0, began_ns, 10)
    assert followed.seconds is not None
    assert 2.5 < followed.seconds <= 3.0


@pytest.mark.parametrize(("old", "new"), [(5, 25), (25, 5), (75, 25), (25, 75), (0, 25), (100, 75)])
@pytest.mark.parametrize("lag_s", [0.0, 3.0])
def test_a_change_to_a_part_of_the_traffic_is_timed_by_when_the_share_changed(old: int, new: int, lag_s: float) -> None:
    share, began_ns = _share(lambda seconds: old if seconds < lag_s else new)
    followed = share.wait_for(old, new, began_ns, 12)
    assert followed.seconds is not None
    assert abs(followed.seconds - lag_s) < 0.4


def test_a_step_too_small_to_be_seen_is_said_to_be_so() -> None:
    share, began_ns = _share(lambda _: 50)
    followed = share.wait_for(50, 51, began_ns, 2)
    assert followed.seconds is None
    assert not followed.stayed


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([(0, 5), (5, 25), (25, 50), (25, 0)]), st.integers(0, 10_000))
def test_traffic_that_stays_is_hardly_ever_taken_for_following(step: tuple[int, int], seed: int) -> None:
    old, new = step
    share, began_ns = _share(lambda _: old, seed)
    assert share.wait_for(old, new, began_ns, 3).seconds is None


def _sticky(held_until_s: float) -> tuple[TrafficShare, int, SteppingClock]:
    """Back to 0%: every fifth request is free and follows at once; of the others one in four is held that long."""
    clock = SteppingClock()
    began_ns = clock.now_ns()

    def events_since(since_ns: int) -> Events:
        count = int((clock.now_ns() - began_ns) / 1e9 * RATE_PER_S)
        numbers = np.arange(count)
        events = np.zeros(2 * count, EVENT_DTYPE)
        for side, rows in ((Side.WEIGHTED, events[:count]), (Side.CLUSTER, events[count:])):
            rows["side"] = side
            rows["intended_ns"] = began_ns + (numbers / RATE_PER_S * 1e9).astype(np.int64)
            rows["served_by"] = POD
        free = numbers % 5 == 0
        events[:count]["flags"] = np.where(free, 0, WITH_COOKIES)
        held = ~free & (numbers % 4 == 0) & (numbers < held_until_s * RATE_PER_S)
        events[:count]["served_by"] = np.where(held, POD, LEGACY)
        return events[events["intended_ns"] >= since_ns]

    return TrafficShare(events_since, clock), began_ns, clock


def test_clients_that_their_cookies_hold_do_not_hide_that_the_weights_work() -> None:
    share, began_ns, _ = _sticky(held_until_s=60)
    followed = share.wait_for(25, 0, began_ns, 10)
    assert followed.seconds is not None
    assert followed.seconds < 1
    assert share.cookies_since(began_ns)


@pytest.mark.parametrize(("held_s", "waits_s"), [(0, 2), (3, 5), (60, 11)])
def test_clients_with_cookies_are_watched_until_the_last_is_back_or_the_time_is_over(
    held_s: float, waits_s: float
) -> None:
    share, began_ns, clock = _sticky(held_until_s=held_s)
    assert share.wait_for_clients(0, began_ns, 11) is (held_s < 11)
    assert waits_s <= (clock.now_ns() - began_ns) / 1e9 <= waits_s + 0.5


@pytest.mark.parametrize(("share_pct", "follow"), [(0, False), (6, False), (25, True)])
def test_clients_that_only_lean_to_the_new_weight_have_not_followed(share_pct: float, follow: bool) -> None:
    share, began_ns = _share(lambda _: share_pct)
    plain = share._events_since

    def with_cookies(since_ns: int) -> Events:
        events = plain(since_ns)
        events["flags"] = np.where(events["side"] == Side.WEIGHTED, WITH_COOKIES, 0)
        return events

    share._events_since = with_cookies
    assert share.wait_for_clients(25, began_ns, 11) is follow


@pytest.mark.parametrize(("standstill_s", "waits_s"), [(0, 0.1), (3, 3), (60, 10)])
def test_one_request_after_an_action_is_waited_for(standstill_s: float, waits_s: float) -> None:
    """The load may stand still just then, and a phase that has its pairs already would end with nobody after it."""
    share, began_ns, clock = _sticky(held_until_s=0)
    plain = share._events_since

    def after_a_standstill(since_ns: int) -> Events:
        events = plain(since_ns)
        return events[events["intended_ns"] >= began_ns + int(standstill_s * 1e9)]

    share._events_since = after_a_standstill
    share.wait_for_answer(began_ns, 10)
    assert waits_s - 0.05 <= (clock.now_ns() - began_ns) / 1e9 <= waits_s + 0.3
