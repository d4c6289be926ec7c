"""What leaves when is decided by index and seed alone."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shiftproof.load.schedule import AMOUNT_MAX, Draws, EventSchedule, Schedule, Slot
from shiftproof.model.demand import Demand

START_NS = 1_700_000_000_000_000_000
rates = st.floats(0.1, 2_000)


def schedule(rate: float = 150, *, shares: tuple[float, ...] = (1,), seed: int = 1, jitter: float = 0) -> Schedule:
    draws = Draws(shares=shares, accounts=7, seed=seed)
    return Schedule(draws, start_ns=START_NS, rate_per_s=rate, jitter_share=jitter)


@given(rate=rates, jitter=st.floats(0, 1), seed=st.integers())
def test_slots_keep_their_order_and_stay_within_their_interval(rate: float, jitter: float, seed: int) -> None:
    made = schedule(rate, jitter=jitter, seed=seed)
    slots = [made.take() for _ in range(200)]
    assert [slot.index for slot in slots] == list(range(200))
    for slot in slots:
        early = START_NS + slot.index / rate * 1e9
        assert early - 1_000 <= slot.intended_ns <= early + jitter / rate * 1e9 + 1_000
        assert 0 <= slot.account < 7
        assert 1 <= slot.amount <= AMOUNT_MAX
    assert all(before.intended_ns <= after.intended_ns for before, after in pairwise(slots))


def test_no_rounding_adds_up() -> None:
    made = schedule(150)
    last = [made.take() for _ in range(150 * 60 + 1)][-1]
    assert last.intended_ns - START_NS == 60_000_000_000


@given(seed=st.integers(), jitter=st.floats(0, 1))
def test_one_seed_is_one_sequence(seed: int, jitter: float) -> None:
    first, second = schedule(seed=seed, jitter=jitter), schedule(seed=seed, jitter=jitter)
    assert [first.take() for _ in range(50)] == [second.take() for _ in range(50)]


def test_operations_come_by_their_shares() -> None:
    made = schedule(shares=(5, 3, 2))
    drawn = [made.take().operation for _ in range(10_000)]
    counts = [drawn.count(operation) / 10_000 for operation in range(3)]
    assert counts == pytest.approx([0.5, 0.3, 0.2], abs=0.02)  # 4 sigmas, and seeded


@pytest.mark.parametrize(("rate", "shares", "jitter"), [(0, (1,), 0), (1, (), 0), (1, (0,), 0), (1, (1,), 1.5)])
def test_a_schedule_that_makes_no_sense_is_refused(rate: float, shares: tuple[float, ...], jitter: float) -> None:
    with pytest.raises(ValueError, match="a schedule needs"):
        schedule(rate, shares=shares, jitter=jitter)


def test_a_delay_moves_what_is_taken_from_then_on() -> None:
    made = schedule(100)
    before = [made.take() for _ in range(3)]
    made.delay(5_000_000_000)
    after = made.take()
    assert [slot.intended_ns - START_NS for slot in before] == [0, 10_000_000, 20_000_000]
    assert (after.index, after.intended_ns - START_NS) == (3, 5_030_000_000)


def test_a_schedule_may_begin_at_a_later_index() -> None:
    draws = Draws(shares=(1,), accounts=7, seed=1)
    made = Schedule(draws, start_ns=START_NS, rate_per_s=10, first=40)
    slots = [made.take() for _ in range(2)]
    assert [(slot.index, slot.intended_ns - START_NS) for slot in slots] == [(40, 0), (41, 100_000_000)]


RISE = Demand.of([(0, 10), (2, 10), (4, 30), (4, 0), (5, 0)])  # 20 + 40 requests


def taken(part: int, parts: int) -> list[Slot]:
    draws = Draws(shares=(1, 1), accounts=7, seed=part)
    made = EventSchedule(draws, RISE, start_ns=START_NS, part=part, parts=parts)
    return list(iter(made.take, None))


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_parts_of_an_event_together_send_each_number_once_when_it_is_due(parts: int) -> None:
    slots = sorted((slot for part in range(parts) for slot in taken(part, parts)), key=lambda slot: slot.index)
    assert [slot.index for slot in slots] == list(range(60))
    due = [(slot.intended_ns - START_NS) / 1e9 for slot in slots]
    assert due == sorted(due)
    assert due[:21] == pytest.approx([number / 10 for number in range(21)])
    assert sum(3 <= t_s < 4 for t_s in due) == pytest.approx(25, abs=1)
    assert due[-1] < 4


def test_there_is_no_part_beyond_the_last() -> None:
    with pytest.raises(ValueError, match="no part 2 of 2"):
        taken(2, 2)
