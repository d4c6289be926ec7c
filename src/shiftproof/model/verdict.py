"""Verdicts: an ordered set of three with a merge, in which the unknown never passes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """PASS < INCONCLUSIVE < FAIL: one FAIL outranks everything, one INCONCLUSIVE outranks every PASS."""

    PASS = "PASS"
    INCONCLUSIVE = "INCONCLUSIVE"
    FAIL = "FAIL"

    @property
    def rank(self) -> int:
        return _RANKS[self]

    @property
    def exit_code(self) -> int:
        """0 PASS, 1 FAIL, 2 INCONCLUSIVE (3, could not run, is no verdict: see errors)."""
        return {Verdict.PASS: 0, Verdict.FAIL: 1, Verdict.INCONCLUSIVE: 2}[self]


_RANKS = {Verdict.PASS: 0, Verdict.INCONCLUSIVE: 1, Verdict.FAIL: 2}


def merge(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of them; of none at all, INCONCLUSIVE: a gate that judged nothing proved nothing."""
    return max(verdicts, key=lambda v: v.rank, default=Verdict.INCONCLUSIVE)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one judge says of one claim in one phase.

    reason: one sentence that a tired engineer understands, figures with their sample size.
    data: the figures behind it, JSON-able. `data["hint"]`: what to try, `data["culprit"]`: a sentence of the timeline.
    phase: the phase's name (e.g. "deploy"), or "run" when the claim is about all of it.
    """

    claim: str
    phase: str
    verdict: Verdict
    reason: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outage:
    """Attributed failures less than 1 s apart, joined. Times in milliseconds since the run started."""

    phase: str
    start_ms: float
    duration_ms: float
    error_ms: float
    requests: int
    failed_share: float
