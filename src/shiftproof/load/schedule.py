"""What leaves when. The n-th pair is due at start + n / rate: an open loop, whatever the server does.

All random draws of the load happen here, the same number for each slot, so that one seed gives one sequence of
operations, accounts and amounts however the server answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from shiftproof.model.demand import Demand

AMOUNT_MAX = 9_999  # minor units: enough to tell payments apart, and no sum that a limit would stop


@dataclass(frozen=True, slots=True)
class Slot:
    """One pair (or triple, or customer's request) that is due. order and pick: in [0, 1), for who goes first and for
    which of the remembered ids is read."""

    index: int
    intended_ns: int
    operation: int
    account: int
    amount: int
    order: float
    pick: float


class Draws:
    """What is random of each slot, the same number of draws for each. shares: weights of the operations."""

    def __init__(self, *, shares: Sequence[float], accounts: int, seed: int) -> None:
        if accounts < 1 or not shares or min(shares) <= 0:
            raise ValueError("a schedule needs accounts and shares above 0")
        total = sum(shares)
        self._bounds = [bound / total for bound in accumulate(shares)]
        self._accounts = accounts
        self._random = Random(seed).random

    def slot(self, index: int, due_ns: Callable[[float], int]) -> Slot:
        """The next one. due_ns: from a draw in [0, 1), for who spreads them, when it is due."""
        random = self._random
        operation = self._operation(random())
        return Slot(
            index=index,
            intended_ns=due_ns(random()),
            operation=operation,
            account=int(random() * self._accounts),
            amount=1 + int(random() * AMOUNT_MAX),
            order=random(),
            pick=random(),
        )

    def _operation(self, draw: float) -> int:
        for index, bound in enumerate(self._bounds):
            if draw < bound:
                return index
        return len(self._bounds) - 1


class Schedule:
    """The endless sequence of slots at one rate.

    jitter_share: each slot is moved later by a random share, at most this, of the interval; 1 at most, so that slots
    stay in order. first: the index of the first slot, which is due at start_ns.
    """

    def __init__(
        self, draws: Draws, *, start_ns: int, rate_per_s: float, jitter_share: float = 0.0, first: int = 0
    ) -> None:
        if rate_per_s <= 0 or not 0 <= jitter_share <= 1:
            raise ValueError("a schedule needs a rate above 0, and a jitter between 0 and 1")
        self._draws = draws
        self._start_ns = start_ns
        self._interval_ns = 1e9 / rate_per_s
        self._jitter_share = jitter_share
        self._first = self._next = first
        self.delayed_ns = 0

    def delay(self, by_ns: int) -> None:
        """What is taken from now on is due later by that much, on top of earlier delays: a pause, seen from its end."""
        self.delayed_ns += by_ns

    def take(self) -> Slot:
        """The next slot. Its time comes from its index, so that no rounding adds up."""
        index = self._next
        self._next += 1

        def due_ns(draw: float) -> int:
            steps = index - self._first + draw * self._jitter_share
            return self._start_ns + self.delayed_ns + int(steps * self._interval_ns)

        return self._draws.slot(index, due_ns)


class EventSchedule:
    """The slots of a load event that fall to one of `parts` loads: numbers part, part + parts, … of the whole event.

    So whatever the number of loads, together they send just the event, each number once, on one clock.
    """

    def __init__(self, draws: Draws, demand: Demand, *, start_ns: int, part: int = 0, parts: int = 1) -> None:
        if not 0 <= part < parts:
            raise ValueError(f"there is no part {part} of {parts}")
        self._draws = draws
        self._demand = demand
        self._start_ns = start_ns
        self._next, self._step = part, parts

    def take(self) -> Slot | None:
        """The next slot; None: the event is over."""
        due_s = self._demand.due_s(self._next)
        if due_s is None:
            return None
        index = self._next
        self._next += self._step
        return self._draws.slot(index, lambda _: self._start_ns + round(due_s * 1e9))
