"""Latency for the judge that looks on: the same bounded value a second as the latency claim's, as seconds close.

A second closes once requests of `CLOSED_AFTER_S` later are seen; what then still comes of it is not waited for, so that
a value never changes after it was used (an e-process over values that change would prove nothing).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from shiftproof.judge.sequential import Crossing, mean_above

#: Longer than requests may take in all (2 s by default): their time-out is the last that can come of a second.
CLOSED_AFTER_S = 3
#: A second with fewer pairs than this is no share worth the name.
MIN_PAIRS_A_SECOND = 10
_S = 1_000_000_000


@dataclass(slots=True)
class _Second:
    """Counts of one second: complete pairs, and how many of each were over the threshold (or failed)."""

    pairs: int = 0
    treatment: int = 0
    legacy: int = 0
    cluster: int = 0


@dataclass(slots=True)
class SlowSeconds:
    """The seconds of one phase. triple: the control is the better of the two pinned sides, as for failures."""

    start_ns: int
    triple: bool
    treatment: list[float] = field(default_factory=list)
    control: list[float] = field(default_factory=list)
    _open: dict[int, _Second] = field(default_factory=dict)
    _closed: int = 0

    def count(self, intended_ns: int, *, treatment: bool, legacy: bool, cluster: bool) -> None:
        """One complete pair: which of its sides were over the threshold."""
        number = (intended_ns - self.start_ns) // _S
        if number < self._closed:
            return
        second = self._open.setdefault(number, _Second())
        second.pairs += 1
        second.treatment += treatment
        second.legacy += legacy
        second.cluster += cluster

    def close(self, seen_ns: int) -> bool:
        """Take in the seconds that are over for good, now that requests intended at `seen_ns` came; True if any."""
        until = (seen_ns - self.start_ns) // _S - CLOSED_AFTER_S
        due = sorted(number for number in self._open if number < until)
        self._closed = max(self._closed, until)
        enough = [second for number in due if (second := self._open.pop(number)).pairs >= MIN_PAIRS_A_SECOND]
        for second in enough:
            control = min(second.legacy, second.cluster) if self.triple else second.legacy
            self.treatment.append(second.treatment / second.pairs)
            self.control.append(control / second.pairs)
        return bool(enough)


@dataclass(frozen=True, slots=True)
class SlowShares:
    """Phases of one name taken together, or all of them."""

    treatment: float
    control: float
    seconds: int
    crossing: Crossing


def shares_of(parts: list[SlowSeconds], margin: float, alpha: float) -> SlowShares:
    """Mean shares over the threshold, and the evidence that they differ by more than `margin`."""
    treatment = np.array([value for part in parts for value in part.treatment])
    control = np.array([value for part in parts for value in part.control])
    crossing = mean_above(treatment - control, margin, alpha)
    if not len(treatment):
        return SlowShares(0.0, 0.0, 0, crossing)
    return SlowShares(float(treatment.mean()), float(control.mean()), len(treatment), crossing)
