"""When a test of failures stops, by counts alone; and what that costs, exactly.

Every test of a rate here depends on two numbers, failures k and samples n, and only becomes surer of a low rate while
nothing fails. So it is two rising lists of sample numbers: the k-th failure rejects when it comes early enough, and k
failures accept when enough samples have passed. On them error rates and samples follow by dynamic programming over the
failures, with no simulation and no approximation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from shiftproof.judge.sequential.evidence import Bools, Floats, Ints

#: A chance of being undecided below this is not followed further.
_NOTHING = 1e-15
#: q^-n may grow this far within one block of a sum before a new one is begun.
_LOG_BLOCK = 230.0


class Decision(StrEnum):
    ACCEPT = "accept"  # the lower rate
    REJECT = "reject"  # the higher rate
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Stopped:
    """decision after `used` samples (of all given, when OPEN), with `failures` of them failed."""

    decision: Decision
    used: int
    failures: int


@dataclass(frozen=True, slots=True)
class Operating:
    """What a test does at one true rate of independent failures, exactly.

    reject, accept, open: chances that add up to 1; open is that it reached its cap undecided. mean_samples: expected
    sample, the cap where it stays open. rejected_at[n], accepted_at[n]: chance of ending so after just n samples.
    """

    reject: float
    accept: float
    open: float
    mean_samples: float
    rejected_at: Floats
    accepted_at: Floats

    def samples(self, share: float) -> int:
        """The sample within which that share of runs has ended (the cap when fewer do); 0.99: the 99th percentile."""
        ended = np.cumsum(self.rejected_at + self.accepted_at)
        return min(int(np.searchsorted(ended, share)), len(ended) - 1)


@dataclass(frozen=True, slots=True, eq=False)
class Stopping:
    """reject_by[k]: the k-th failure rejects when it is sample number reject_by[k] or an earlier one; 0 for never.
    accept_from[k]: with k failures it accepts at that sample number; above the cap for never.

    Both rise with k, are equally long, and end where any further failure rejects or the cap is reached. As they rise,
    a stream that fails wherever another one does never rejects later or accepts earlier than it: so error rates at p0
    and p1 hold for all rates below and above them too.
    """

    reject_by: Ints
    accept_from: Ints
    cap: int

    def decide(self, failed: Bools) -> Stopped:
        """Run the test over `failed`, in order."""
        return self.decide_at(np.flatnonzero(np.asarray(failed, dtype=np.bool_)) + 1, len(failed))

    def decide_at(self, failures_at: Ints, samples: int) -> Stopped:
        """The same from the rising sample numbers, 1 to `samples`, of those that failed."""
        samples = min(samples, self.cap)
        last = len(self.reject_by) - 1
        at = failures_at[: last + 1]  # by the next one at the latest it has ended
        at = at[at <= samples]
        k = np.arange(len(at) + 1)
        held = np.minimum(k, last)
        accepts = self.accept_from[held]
        next_at = np.append(at, samples + 1)
        # With k failures the test waits from failure k to the one after it; accepting comes before that one.
        accepted = accepts < next_at
        rejected = np.append(False, (at <= self.reject_by[held[1:]]) | (k[1:] > last))
        ended = np.flatnonzero(accepted | rejected)
        if not len(ended):
            return Stopped(Decision.OPEN, samples, len(at))
        first = int(ended[0])
        if rejected[first]:
            return Stopped(Decision.REJECT, int(at[first - 1]), first)
        return Stopped(Decision.ACCEPT, int(accepts[first]), first)

    def operating(self, rate: float) -> Operating:
        """Its exact characteristics when each sample fails with chance `rate`, 0 <= rate < 1, independently.

        Forward over failures: h(n), the chance of being undecided after n samples of which k failed, obeys
        h(n) = (1-rate) h(n-1) + g(n), with g(n) the chance that the k-th failure was sample n and did not end it.
        """
        if not 0 <= rate < 1:
            raise ValueError(f"need a rate in [0, 1), got {rate}")
        rejected, accepted = np.zeros(self.cap + 1), np.zeros(self.cap + 1)
        undecided = 0.0
        came, first = np.ones(1), 0  # g from sample number `first` on
        for by, accept in zip(np.append(self.reject_by[1:], self.cap), self.accept_from, strict=True):
            end = min(int(accept), self.cap + 1)  # undecided for n in [first, end)
            alive = _decayed(came, end - first, 1 - rate)
            if accept <= self.cap:
                accepted[end] += alive[-1] * (1 - rate)
            else:
                undecided += float(alive[-1])
                alive = alive[:-1]
            failing = alive * rate  # the next failure is sample first + 1 + i
            early = max(0, min(len(failing), int(by) - first))
            rejected[first + 1 : first + 1 + early] += failing[:early]
            came, first = failing[early:], first + 1 + early
            if came.sum() < _NOTHING:
                break
        reject, accept_all = float(rejected.sum()), float(accepted.sum())
        mean = float(((rejected + accepted) * np.arange(self.cap + 1)).sum()) + undecided * self.cap
        return Operating(reject, accept_all, undecided, mean, rejected, accepted)


def _decayed(came: Floats, length: int, keep: float) -> Floats:
    """h of h[i] = keep h[i-1] + came[i], for `length` values (`came` is 0 after its end), in blocks of sums."""
    given = np.zeros(length)
    given[: len(came)] = came[:length]
    if keep == 1.0:
        return np.cumsum(given)
    out = np.empty(length)
    block = max(1, int(_LOG_BLOCK / -math.log(keep)))
    carried = 0.0
    for start in range(0, length, block):
        part = given[start : start + block]
        powers = keep ** np.arange(len(part))
        out[start : start + block] = powers * (carried * keep + np.cumsum(part / powers))
        carried = float(out[start + len(part) - 1])
    return out


def by_counts(
    rejects: Callable[[Ints, Ints], Bools],
    accepts: Callable[[Ints, Ints], Bools] | None,
    cap: int,
    *,
    min_errors: int,
) -> Stopping:
    """The Stopping of a test given as predicates of (failures, samples), arrays of one length.

    For fixed failures `rejects` may only turn from True to False as samples grow, and `accepts` (None: it never does)
    only from False to True: both are found by halving. REJECT waits for `min_errors` failures.
    """
    size = 64
    while True:
        k = np.arange(min(size, cap + 1), dtype=np.int64)
        by = _last(rejects, k, cap)
        by[:min_errors] = 0
        enough = np.flatnonzero(by >= cap)
        if len(enough) or len(k) > cap:
            break
        size *= 2
    # From the first count on at which any failure rejects there is nothing more to wait for.
    count = int(enough[0]) if len(enough) else len(k)
    k, by = k[:count], by[:count]
    if accepts is None:
        return Stopping(by, np.full(count, cap + 1, dtype=np.int64), cap)
    undecided = _last(lambda failures, samples: ~accepts(failures, samples), k, cap)
    return Stopping(by, undecided + 1, cap)


def _last(holds: Callable[[Ints, Ints], Bools], k: Ints, cap: int) -> Ints:
    """For each of `k` failures the last sample number in [k, cap] that holds; 0 where not even n = k does."""
    low, high = k.copy(), np.full(len(k), cap + 1, dtype=np.int64)
    while np.any(high - low > 1):
        middle = (low + high) // 2
        good = holds(k, middle)
        low, high = np.where(good, middle, low), np.where(good, high, middle)
    result: Ints = np.where(holds(k, k), low, 0)
    return result
