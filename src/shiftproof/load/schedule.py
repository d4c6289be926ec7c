"""What leaves when. The n-th pair is due at start + n / rate: an open loop, whatever the server does.

All random draws of the load happen here, the same number for each slot, so that one seed gives one sequence of
operations, accounts and amounts however the server answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

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


class Schedule:
    """The endless sequence of slots.

    shares: weights of the operations. jitter_share: each slot is moved later by a random share, at most this, of the
    interval; 1 at most, so that slots stay in order. first: the index of the first slot, which is due at start_ns.
    """

    def __init__(
        self,
        *,
        start_ns: int,
        rate_per_s: float,
        shares: Sequence[float],
        accounts: int,
        seed: int,
        jitter_share: float,
        first: int = 0,
    ) -> None:
        if rate_per_s <= 0 or accounts < 1 or not shares or min(shares) <= 0 or not 0 <= jitter_share <= 1:
            raise ValueError("a schedule needs a rate, accounts and shares above 0, and a jitter between 0 and 1")
        total = sum(shares)
        self._bounds = [bound / total for bound in accumulate(shares)]
        self._start_ns = start_ns
        self._interval_ns = 1e9 / rate_per_s
        self._accounts = accounts
        self._jitter_share = jitter_share
        self._random = Random(seed).random
        self._first = self._next = first
        self.delayed_ns = 0

    def delay(self, by_ns: int) -> None:
        """What is taken from now on is due later by that much, on top of earlier delays: a pause, seen from its end."""
        self.delayed_ns += by_ns

    def take(self) -> Slot:
        """The next slot. Its time comes from its index, so that no rounding adds up."""
        index, random = self._next, self._random
        self._next += 1
        operation = self._operation(random())
        jitter = random() * self._jitter_share
        return Slot(
            index=index,
            intended_ns=self._start_ns + self.delayed_ns + int((index - self._first + jitter) * self._interval_ns),
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
