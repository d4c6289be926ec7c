"""Events into pairs, against the rule written out row by row."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shiftproof.judge import pair_up
from shiftproof.model.event import EVENT_DTYPE, Events, Failure, Side, no_events
from shiftproof.model.history import Phase, PhaseKind

_MS = 1_000_000
PHASES = (
    Phase("steady", PhaseKind.STEADY, 1, 0, 100 * _MS, 0, 0),
    Phase("shift", PhaseKind.SHIFT, 1, 150 * _MS, 300 * _MS, 0, 0),
)


def event(pair: int, side: Side, failure: Failure = Failure.NONE, intended_ms: int | None = None) -> tuple[int, ...]:
    intended = (pair * 10 if intended_ms is None else intended_ms) * _MS
    return (pair, 200, side, 0, intended, intended + _MS, intended + 5 * _MS, 1, failure, 0)


def events_of(rows: list[tuple[int, ...]]) -> Events:
    events = np.zeros(len(rows), dtype=EVENT_DTYPE)
    names = ("pair", "status", "side", "operation", "intended_ns", "sent_ns", "ended_ns", "served_by", "failure")
    for at, row in enumerate(rows):
        for name, value in zip(names, row, strict=False):
            events[at][name] = value
    return events


def test_no_events_are_no_pairs() -> None:
    pairs = pair_up(no_events(), PHASES)
    assert len(pairs) == 0
    assert pairs.rows(1) == slice(0, 0)


records = st.lists(
    st.tuples(st.integers(0, 29), st.sampled_from(list(Side)), st.sampled_from(list(Failure))),
    unique_by=lambda record: record[:2],
    max_size=90,
)


@given(records, st.randoms(use_true_random=False))
def test_every_column_follows_the_rule_whatever_order_records_come_in(
    rows: list[tuple[int, Side, Failure]], random: object
) -> None:
    random.shuffle(rows)  # type: ignore[attr-defined]
    pairs = pair_up(events_of([event(*row) for row in rows]), PHASES)
    ok = {(number, side): failure is Failure.NONE for number, side, failure in rows}
    numbers = sorted({number for number, side, _ in rows if side <= Side.WEIGHTED})
    assert pairs.pair.tolist() == numbers
    for at, number in enumerate(numbers):
        legacy, cluster, weighted = (ok.get((number, side)) for side in list(Side)[:3])
        triple = 150 <= number * 10 < 300
        assert bool(pairs.triple[at]) is triple
        meant = (legacy, cluster, weighted) if triple else (legacy, cluster)
        complete = all(one is not None for one in meant)
        assert bool(pairs.complete[at]) is complete
        treatment = weighted if triple else cluster
        control = (legacy or cluster) if triple else legacy
        assert bool(pairs.attributed[at]) is bool(complete and not treatment and control)
        assert bool(pairs.both_failed[at]) is bool(complete and not treatment and not control)
        assert bool(pairs.treatment_ok[at]) is bool(complete and treatment)
        control_failed = (not legacy or not cluster) if triple else not legacy
        assert bool(pairs.control_only[at]) is bool(complete and treatment and control_failed)


def test_rows_of_phases_and_the_time_between() -> None:
    pairs = pair_up(events_of([event(n, side) for n in range(30) for side in (Side.LEGACY, Side.CLUSTER)]), PHASES)
    assert pairs.rows(0) == slice(0, 10)
    assert pairs.rows(1) == slice(15, 30)
    assert pairs.phase.tolist() == [0] * 10 + [-1] * 5 + [1] * 15
    assert not pairs.complete[15:].any()  # triples were meant


def test_a_missing_side_is_never_a_success() -> None:
    pairs = pair_up(events_of([event(1, Side.LEGACY), event(2, Side.CLUSTER)]), PHASES)
    assert not pairs.complete.any()
    assert not pairs.treatment_ok.any()
    assert np.isnan(pairs.cluster.latency_ms[0])


def test_rows_are_sorted_by_intended_time_even_if_numbers_are_not() -> None:
    rows = [event(7, side, intended_ms=5) for side in (Side.LEGACY, Side.CLUSTER)]
    rows += [event(3, side, intended_ms=9) for side in (Side.LEGACY, Side.CLUSTER)]
    pairs = pair_up(events_of(rows), PHASES)
    assert pairs.pair.tolist() == [7, 3]
    assert pairs.complete.all()


def test_sparse_pair_numbers_cost_no_table() -> None:
    rows = [event(n, side, intended_ms=1) for n in (5, 4_000_000_000) for side in (Side.LEGACY, Side.CLUSTER)]
    assert pair_up(events_of(rows), PHASES).pair.tolist() == [5, 4_000_000_000]


def test_records_told_twice_are_counted() -> None:
    rows = [event(1, Side.LEGACY), event(1, Side.CLUSTER), event(1, Side.CLUSTER, Failure.RESET)]
    assert pair_up(events_of(rows), PHASES).duplicates == 1


def test_what_could_not_be_sent_fails_on_its_own_side() -> None:
    pairs = pair_up(events_of([event(1, Side.LEGACY), event(1, Side.CLUSTER, Failure.NOT_SENT)]), PHASES)
    assert pairs.attributed.tolist() == [True]
    assert pairs.cluster.sent.tolist() == [False]
