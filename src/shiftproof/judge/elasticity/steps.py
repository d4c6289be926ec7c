"""Step functions of time: how many pods were ready, how many nodes there were, what the load wanted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Steps:
    """values[i] holds from at_ns[i] until at_ns[i + 1], the last for ever; before at_ns[0] the value is 0.

    at_ns rises strictly, and no two neighbours of values are equal.
    """

    at_ns: Ints
    values: Ints

    @classmethod
    def of(cls, changes: Iterable[tuple[int, int]]) -> Self:
        """From (t_ns, new value) in any order; of several at one moment the one that was given last holds."""
        last = dict(sorted(changes, key=lambda change: change[0]))
        kept: list[tuple[int, int]] = []
        for t_ns, value in last.items():
            if value != (kept[-1][1] if kept else 0):
                kept.append((t_ns, value))
        return cls(np.array([t for t, _ in kept], dtype=np.int64), np.array([v for _, v in kept], dtype=np.int64))

    @classmethod
    def counted(cls, moves: Iterable[tuple[int, int]]) -> Self:
        """From (t_ns, by how much more or less), in any order."""
        total, changes = 0, []
        for t_ns, by in sorted(moves, key=lambda move: move[0]):
            total += by
            changes.append((t_ns, total))
        return cls.of(changes)

    def at(self, t_ns: int) -> int:
        """The value that holds at t_ns."""
        index = int(np.searchsorted(self.at_ns, t_ns, side="right"))
        return int(self.values[index - 1]) if index else 0

    def first_at_least(self, value: int, from_ns: int) -> int | None:
        """The first moment, from_ns or later, at which it is that high; None: never."""
        if self.at(from_ns) >= value:
            return from_ns
        return next((int(t) for t, v in zip(self.at_ns, self.values, strict=True) if t > from_ns and v >= value), None)

    def between(self, start_ns: int, end_ns: int) -> Steps:
        """The same within [start_ns, end_ns), its first value at start_ns."""
        inside = (self.at_ns > start_ns) & (self.at_ns < end_ns)
        changes = zip(self.at_ns[inside].tolist(), self.values[inside].tolist(), strict=True)
        return Steps.of([(start_ns, self.at(start_ns)), *changes])

    def on_grid(self, start_ns: int, end_ns: int, step_s: float) -> Ints:
        """The value at the beginning of each step of [start_ns, end_ns), as `optimum` and `provisioning` want it."""
        times = np.arange(start_ns, end_ns, round(step_s * _S))
        index = np.searchsorted(self.at_ns, times, side="right")
        return np.concatenate([[0], self.values])[index].astype(np.int64)

    def turns(self) -> int:
        """How often it changed direction: a rise and a fall is one, whatever the number of steps in either."""
        ups = np.sign(np.diff(self.values))
        return int(np.count_nonzero(np.diff(ups))) if len(ups) else 0
