"""What all anytime-valid tests share: when an e-process crosses, and how alpha is split."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Of this many errors one alone never makes a FAIL, however unlikely it was.
MIN_ERRORS = 2


@dataclass(frozen=True, slots=True)
class Crossing:
    """Whether and where an e-process reached ln(1/alpha). index: position in what was given; -1 when it never did."""

    index: int
    log_e: float  # the largest it ever reached: by Ville the evidence stays good after it

    @property
    def reached(self) -> bool:
        return self.index >= 0


def first_crossing(log_e: Floats, alpha: float, allowed: Bools, where: npt.NDArray[np.intp] | Ints) -> Crossing:
    """The first of `log_e` (not empty) at or above ln(1/alpha) where `allowed`, at its place in `where`."""
    crossed = (log_e >= math.log(1 / alpha)) & allowed
    best = float(max(log_e.max(), 0.0))
    at = int(np.argmax(crossed))
    return Crossing(int(where[at]) if crossed[at] else -1, best)


def split_alpha(alpha: float, tests: int) -> float:
    """Bonferroni: with alpha/tests each, the chance that any of `tests` errs is at most alpha, however they depend."""
    if tests < 1:
        raise ValueError(f"need at least one test, got {tests}")
    return alpha / tests
