"""What is drawn is what was recorded."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from shiftproof.model.event import EVENT_DTYPE, Events, Failure, Side
from shiftproof.report.series import bin_width_ns, failed_singles, side_series, slow_singles

SECOND = 1_000_000_000


def some(latencies_ms: list[int], failures: list[bool] | None = None, side: Side = Side.CLUSTER) -> Events:
    """One request each 100 ms."""
    out = np.zeros(len(latencies_ms), dtype=EVENT_DTYPE)
    out["pair"], out["side"] = np.arange(len(out)), side
    out["intended_ns"] = np.arange(len(out)) * SECOND // 10
    out["ended_ns"] = out["intended_ns"] + np.array(latencies_ms, dtype=np.int64) * 1_000_000
    if failures is not None:
        out["failure"] = np.where(failures, Failure.RESET, Failure.NONE)
    return out


def test_quantiles_are_nearest_rank_and_leave_failures_out() -> None:
    events = some([10, 20, 30, 40, 50, 60, 70, 80, 90, 9999], [False] * 9 + [True])
    one = side_series(events, Side.CLUSTER, 0, SECOND, SECOND)
    assert (one.p50_ms[0], one.p99_ms[0]) == (50.0, 90.0)
    assert (one.sent[0], one.failed[0]) == (10, 1)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 3000), st.booleans()), min_size=1, max_size=80))
def test_nothing_is_lost_and_quantiles_agree_with_sorting(requests: list[tuple[int, bool]]) -> None:
    events = some([ms for ms, _ in requests], [bad for _, bad in requests])
    span = len(requests) * SECOND // 10 + 1
    one = side_series(events, Side.CLUSTER, 0, span, SECOND)
    assert int(one.sent.sum()) == len(requests)
    assert int(one.failed.sum()) == sum(bad for _, bad in requests)
    for index in range(len(one.sent)):
        good = sorted(ms for ms, bad in requests[index * 10 : index * 10 + 10] if not bad)
        if good:
            assert one.p50_ms[index] == good[-(-len(good) // 2) - 1]
        else:
            assert np.isnan(one.p50_ms[index])


def test_other_sides_and_other_times_stay_out() -> None:
    events = np.concatenate([some([5] * 30), some([5] * 30, side=Side.LEGACY)])
    one = side_series(events, Side.LEGACY, SECOND, 2 * SECOND, SECOND)
    assert one.sent.tolist() == [10]


def test_bins_are_whole_seconds_and_few() -> None:
    assert bin_width_ns(161 * SECOND) == SECOND
    assert bin_width_ns(0) == SECOND
    hours = 6 * 3600 * SECOND
    assert hours / bin_width_ns(hours) <= 900


def test_thinning_keeps_the_ends_and_says_so() -> None:
    events = some([3] * 5000, [True] * 5000)
    picked = failed_singles(events, Side.CLUSTER, 100)
    assert (len(picked.events), picked.total, picked.thinned) == (100, 5000, True)
    assert picked.events["pair"][[0, -1]].tolist() == [0, 4999]
    assert not failed_singles(events[:50], Side.CLUSTER, 100).thinned


def test_the_slowest_are_kept_in_time_order() -> None:
    latencies = [10] * 100
    latencies[7], latencies[93] = 900, 800
    assert slow_singles(some(latencies), Side.CLUSTER, 2).events["pair"].tolist() == [7, 93]
