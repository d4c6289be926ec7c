"""Outages: each injected one is found, and its true length lies within the bound that is stated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shiftproof.gate.rows import phase_row
from shiftproof.judge import find_outages, make_case, outages_of, pair_up
from shiftproof.model.event import Side
from shiftproof.model.history import Budget, PhaseKind
from shiftproof.model.platform import Objectives
from shiftproof.testing import RunBuilder


def run_with(*outages: tuple[float, float], share: float = 1.0, seed: int = 7) -> RunBuilder:
    run = RunBuilder(seed=seed)
    run.phase("steady", PhaseKind.STEADY, 30)
    for after_s, seconds in outages:
        run.fail(Side.CLUSTER, "steady", after_s=after_s, seconds=seconds, share=share)
    return run


@settings(max_examples=60, deadline=None)
@given(after_s=st.floats(2, 8), seconds=st.floats(0.05, 5), seed=st.integers(0, 1000))
def test_an_outage_is_found_and_its_length_is_within_the_bound(after_s: float, seconds: float, seed: int) -> None:
    history = run_with((after_s, seconds), seed=seed).build()
    found = find_outages(pair_up(history.events, history.phases), started_ns=history.started_ns)
    assert len(found) == 1
    assert found[0].least_ms <= seconds * 1000 <= found[0].most_ms
    assert found[0].error_ms < 15
    assert found[0].failed_share == 1.0
    assert abs(found[0].start_ms - after_s * 1000) <= 15


def test_a_partial_outage_is_bracketed_as_far_as_luck_reaches() -> None:
    history = run_with((5, 2.0), share=0.4).build()
    (found,) = find_outages(pair_up(history.events, history.phases), started_ns=history.started_ns)
    assert found.least_ms <= 2000 <= found.most_ms
    assert 0.3 < found.failed_share < 0.5
    assert 30 < found.error_ms < 200  # wider than for a total one: a success near the end may have been lucky


def test_failures_a_second_apart_are_two_outages_and_closer_ones_are_one() -> None:
    apart = run_with((5, 0.1), (6.2, 0.1)).build()
    close = run_with((5, 0.1), (5.9, 0.1)).build()
    assert len(find_outages(pair_up(apart.events, apart.phases), started_ns=apart.started_ns)) == 2
    (one,) = find_outages(pair_up(close.events, close.phases), started_ns=close.started_ns)
    assert one.requests == 30
    assert one.duration_ms == pytest.approx(1000, abs=150)


def test_a_lone_failure_may_have_been_no_time_at_all() -> None:
    run = run_with().fail(Side.CLUSTER, "steady", after_s=5, seconds=1, at_most=1)
    history = run.build()
    (span,) = find_outages(pair_up(history.events, history.phases), started_ns=history.started_ns)
    assert (span.requests, span.least_ms) == (1, 0)
    assert 10 < span.most_ms < 20


def test_an_outage_without_end_reaches_to_the_end_of_what_we_know() -> None:
    history = run_with((25, 30)).build()
    (found,) = find_outages(pair_up(history.events, history.phases), started_ns=history.started_ns)
    assert found.least_ms <= 5000 <= found.most_ms
    assert found.error_ms > 500


def test_failures_of_both_sides_are_no_outage_of_the_migration() -> None:
    run = run_with((5, 1))
    run.fail(Side.LEGACY, "steady", after_s=5, seconds=1)
    history = run.build()
    spans = find_outages(pair_up(history.events, history.phases), started_ns=history.started_ns)
    assert sum(span.requests for span in spans) <= 2  # the two sides are sent a fraction of a millisecond apart


def test_named_as_the_verdict_file_wants_them() -> None:
    history = run_with((5, 1)).build()
    spans = find_outages(pair_up(history.events, history.phases), started_ns=history.started_ns)
    (outage,) = outages_of(spans, history.phases)
    assert (outage.phase, outage.requests) == ("steady", spans[0].requests)


def _on_its_way_as_a_crash_began() -> RunBuilder:
    run = RunBuilder(seed=7)
    run.phase("steady", PhaseKind.STEADY, 10).phase("node-loss", PhaseKind.CRASH, 10, budget=Budget(8000, 400, 8))
    run.fail(Side.CLUSTER, "steady", after_s=9.9, seconds=0.1)
    return run.fail(Side.CLUSTER, "node-loss", after_s=0, seconds=3)


def test_what_was_on_its_way_as_a_phase_began_does_not_name_the_outage() -> None:
    history = _on_its_way_as_a_crash_began().build()
    spans = find_outages(pair_up(history.events, history.phases), started_ns=history.started_ns)
    assert [outage.phase for outage in outages_of(spans, history.phases)] == ["node-loss"]


def test_nor_takes_it_out_of_the_phases_own_line() -> None:
    case = make_case(_on_its_way_as_a_crash_began().build(), Objectives())
    assert "outage 3.0" in phase_row("node-loss", case, []).detail
    assert phase_row("steady", case, []).attributed > 0


def test_rows_point_back_to_the_failures() -> None:
    history = run_with((5, 1)).build()
    pairs = pair_up(history.events, history.phases)
    (span,) = find_outages(pairs, started_ns=history.started_ns)
    assert np.array_equal(np.array(span.rows), np.flatnonzero(pairs.attributed))
