"""Outages: attributed failures less than 1 s apart, joined, each with a length and an honest bound of its error.

What is measured: the set of *sending* times at which a request to the treatment fails. We see it only where we sent,
so each end lies between two neighbours: the beginning between the last success sent before it and its first failure,
the end between its last failure and the first success sent after it. Length and error are the middle and half the
width of what these brackets allow, so that the true length is at least last - first failure and at most the distance
of the two successes (a prober every t ms brackets an outage within 2t; ours is about t = 1/rate at each end).

Where only a share q of the requests fails, a success near the end proves less: it may have been lucky. Then the bracket
reaches back over as many successes as are lucky together with 1% chance, ln(0.01)/ln(1-q), but never over more than
the second that separates two outages by definition.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shiftproof.judge.pairing import Ints, Pairs
from shiftproof.model.history import Phase
from shiftproof.model.verdict import Outage

#: Attributed failures closer than this are one outage.
JOIN_NS = 1_000_000_000

#: The way to the far side takes a little longer for one request than for the next; one such spread at each end.
PATH_JITTER_MS = 0.5

_LUCKY = 0.01


@dataclass(frozen=True, slots=True)
class OutageSpan:
    """One outage with what the judges need beyond model.Outage.

    phase: index of the phase of most of its failures, -1 outside all. rows: its attributed rows in Pairs, rising.
    first_ns, last_ns: when its first and last failed request were sent. start_ms (since the run began),
    duration_ms, error_ms: see the module. requests: attributed failures in it; failed_share: of the treatment's
    requests sent from first to last.
    """

    phase: int
    rows: tuple[int, ...]
    first_ns: int
    last_ns: int
    start_ms: float
    duration_ms: float
    error_ms: float
    requests: int
    failed_share: float

    @property
    def least_ms(self) -> float:
        """No shorter than this."""
        return max(0.0, self.duration_ms - self.error_ms)

    @property
    def most_ms(self) -> float:
        """No longer than this."""
        return self.duration_ms + self.error_ms

    def as_outage(self, phase: str) -> Outage:
        return Outage(phase, self.start_ms, self.duration_ms, self.error_ms, self.requests, self.failed_share)


def find_outages(pairs: Pairs, *, started_ns: int, rows: Ints | None = None) -> tuple[OutageSpan, ...]:
    """All outages by time. Linear, but for sorting by sending time (almost sorted already).

    rows: of the failures to join, all attributed ones by default. A claim about a phase joins those of the phase alone:
    a stray failure just before it must not carry what follows out of what the phase is held to.
    """
    failed = np.flatnonzero(pairs.attributed) if rows is None else rows
    if not len(failed):
        return ()
    failed = failed[np.argsort(pairs.treatment_sent_ns[failed], kind="stable")]
    sent = pairs.treatment_sent_ns[failed]
    good = np.sort(pairs.treatment_sent_ns[pairs.treatment_ok])
    return tuple(_span(pairs, rows, good, started_ns) for rows in np.split(failed, _cuts(sent)))


def worst_within(lost: Sequence[tuple[int, int]], window_ns: int) -> tuple[int, int]:
    """The most failures, and the longest outage in ns, that a window of this length may cover, wherever it begins.

    lost: when each failed request was sent and ended (ns), in any order. Covered is what ended after the window began
    and was sent before it ended, as `claims.common.in_window` has it; the length is from first to last, at the least.
    """
    if not lost:
        return 0, 0
    times = np.array(sorted(lost), dtype=np.int64)
    sent, ended = times[:, 0], times[:, 1]
    begins = np.sort(ended)
    most = int((np.searchsorted(sent, begins + window_ns) - np.arange(len(begins))).max())
    longest = 0
    for run in np.split(np.arange(len(sent)), _cuts(sent)):
        last = np.searchsorted(sent[run], ended[run] + window_ns) - 1
        longest = max(longest, int((sent[run][last] - sent[run]).max()))
    return most, longest


def _cuts(sent: Ints) -> Ints:
    """Where one outage ends and the next begins, among failures by when they were sent."""
    return np.flatnonzero(np.diff(sent) >= JOIN_NS) + 1


def outages_of(spans: Sequence[OutageSpan], phases: Sequence[Phase]) -> tuple[Outage, ...]:
    """As the verdict file names them."""
    return tuple(span.as_outage(phases[span.phase].name if span.phase >= 0 else "between phases") for span in spans)


@dataclass(frozen=True, slots=True)
class Stretch:
    """One outage, by when its failures and the successes around them were sent (ns). See the module.

    failures: how many, first_ns and last_ns of them; it began no earlier than earliest_ns and ended no later than
    latest_ns. share: of all that was sent from first to last.
    """

    first_ns: int
    last_ns: int
    earliest_ns: int
    latest_ns: int
    failures: int
    share: float

    @property
    def least_ms(self) -> float:
        return (self.last_ns - self.first_ns) / 1e6

    @property
    def most_ms(self) -> float:
        return (self.latest_ns - self.earliest_ns) / 1e6


def stretch_of(failed: Ints, good: Ints) -> Stretch:
    """failed: when the failures of one outage were sent, good: when all successes were; both rising."""
    first, last = int(failed[0]), int(failed[-1])
    before = int(np.searchsorted(good, first, side="left"))  # successes sent before the first failure
    after = int(np.searchsorted(good, last, side="right"))
    share = len(failed) / (len(failed) + after - before)
    lucky = 1 if share >= 1 else math.ceil(math.log(_LUCKY) / math.log1p(-share))
    earliest = first - _reach(first - good[max(0, before - lucky) : before][::-1], lucky)
    latest = last + _reach(good[after : after + lucky] - last, lucky)
    return Stretch(first, last, earliest, latest, len(failed), share)


def stretches(failed: Ints, good: Ints) -> tuple[Stretch, ...]:
    """Failures less than 1 s apart, joined. When each was sent, in ns, and when each success was; in any order."""
    sent, good = np.sort(failed), np.sort(good)
    return tuple(stretch_of(part, good) for part in np.split(sent, _cuts(sent))) if len(sent) else ()


def _span(pairs: Pairs, rows: Ints, good: Ints, started_ns: int) -> OutageSpan:
    found = stretch_of(pairs.treatment_sent_ns[rows], good)
    return OutageSpan(
        phase=_most_common(pairs.phase[rows]),
        rows=tuple(int(row) for row in rows),
        first_ns=found.first_ns,
        last_ns=found.last_ns,
        start_ms=((found.earliest_ns + found.first_ns) / 2 - started_ns) / 1e6,
        duration_ms=(found.least_ms + found.most_ms) / 2,
        error_ms=(found.most_ms - found.least_ms) / 2 + (2 * PATH_JITTER_MS),
        requests=len(rows),
        failed_share=found.share,
    )


def _most_common(phases: npt.NDArray[np.int32]) -> int:
    """A request that was on its way as the phase began is not to name an outage after what was before."""
    found, times = np.unique(phases, return_counts=True)
    return int(found[np.argmax(times)])


def _reach(distances: Ints, lucky: int) -> int:
    """How far an end may lie beyond its failure, from the distances of the successes there, nearest first.

    To the nearest success, if that one proves enough; else to the last of the lucky ones, at most a second on, unless
    the nearest is farther away than that.
    """
    if not len(distances):
        return JOIN_NS
    farthest = int(distances[-1]) if len(distances) == lucky else JOIN_NS
    return max(int(distances[0]), min(farthest, JOIN_NS))
