"""By how much a worker's clock differs from ours, from a few questions and answers (Cristian, Probabilistic clock
synchronization, Distributed Computing 3, 1989).

The worker read its clock somewhere between question and answer: in the middle, give or take half the way there and
back. The quickest of several answers is the surest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reading:
    """One question: when it was sent and its answer came, on our clock, and what the worker's clock said."""

    sent_ns: int
    read_ns: int
    received_ns: int

    @property
    def error_ns(self) -> int:
        return (self.received_ns - self.sent_ns + 1) // 2


@dataclass(frozen=True, slots=True)
class Offset:
    """Add offset_ns to the worker's clock to have ours, within error_ns either way."""

    offset_ns: int
    error_ns: int


def offset_of(readings: Sequence[Reading]) -> Offset:
    """From the quickest. Raises ValueError when there is none, or an answer came before its question."""
    if not readings or any(one.received_ns < one.sent_ns for one in readings):
        raise ValueError("need readings whose answer came after the question")
    best = min(readings, key=lambda one: one.error_ns)
    return Offset((best.sent_ns + best.received_ns) // 2 - best.read_ns, best.error_ns)
