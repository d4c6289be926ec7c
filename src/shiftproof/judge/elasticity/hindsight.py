"""What the same demand would have cost somebody who knew it beforehand.

The problem: on each step hold at least as many ready units as are wanted; a unit is paid from its start to its end, its
boot included, and a start may have a price of its own. As a dynamic programme over the number of units, V_t(n) =
n * step * rate + min over m of V_{t+1}(m) + K * max(0, m - n), with K what a start costs, the boot that it pays before
it is of use included (foresight starts it just in time). Both costs are linear in units, so the programme falls apart
into one for each level: the i-th unit is wanted wherever demand is at least i, and in each gap between it is kept or
ended, whichever is cheaper. That is exact (tests hold it against the programme itself), and a week takes a moment.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Units = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Prices:
    """per_s: one unit for one second, from its start on. per_start: beside that. boot_s: paid before it is of use."""

    per_s: float
    per_start: float = 0.0
    boot_s: float = 0.0

    def __post_init__(self) -> None:
        if min(self.per_s, self.per_start, self.boot_s) < 0:
            raise ValueError("prices and the time to boot cannot be negative")

    @property
    def of_start(self) -> float:
        """All that a start costs before the unit is of use."""
        return self.per_start + self.per_s * self.boot_s


@dataclass(frozen=True, slots=True)
class Plan:
    """supply: ready units on each step. starts: how often one was added. cost: as `cost_of` has it."""

    supply: Units
    starts: int
    cost: float


def optimum(demand: Units, step_s: float, prices: Prices, base: int = 0) -> Plan:
    """The cheapest supply that is never below `demand`, nor below `base`, which is there before the first step.

    Raises ValueError for a demand below zero.
    """
    wanted = np.maximum(demand, base)
    if len(demand) and int(demand.min()) < 0:
        raise ValueError("demand cannot be negative")
    supply = np.full(len(wanted), base, dtype=np.int64)
    worth_keeping = prices.of_start / (prices.per_s * step_s) if prices.per_s else np.inf
    for level in range(base + 1, int(wanted.max(initial=base)) + 1):
        for begin, end in _kept(np.flatnonzero(wanted >= level), worth_keeping):
            supply[begin:end] += 1
    return Plan(supply, starts_of(supply, base), cost_of(supply, step_s, prices, base))


def cost_of(supply: Units, step_s: float, prices: Prices, base: int = 0) -> float:
    """What a supply costs; the first `base` units were there before, so their start is not paid here."""
    return float(supply.sum()) * step_s * prices.per_s + starts_of(supply, base) * prices.of_start


def starts_of(supply: Units, base: int = 0) -> int:
    """How many units were added, from `base` on."""
    return int(np.maximum(np.diff(supply, prepend=base), 0).sum())


def _kept(wanted_at: Units, worth_keeping: float) -> list[tuple[int, int]]:
    """[begin, end) of each time that a unit is held: steps at which it is wanted, gaps that are cheaper to bridge."""
    if not len(wanted_at):
        return []
    gaps = np.diff(wanted_at) - 1
    cuts = np.flatnonzero((gaps > 0) & (gaps >= worth_keeping))
    begins = wanted_at[np.concatenate([[0], cuts + 1])]
    ends = wanted_at[np.concatenate([cuts, [len(wanted_at) - 1]])] + 1
    return list(zip(begins.tolist(), ends.tolist(), strict=True))
