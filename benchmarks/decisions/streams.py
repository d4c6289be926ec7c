"""Simulated streams of pairs, as long as the slowest rule needs: independent, bursty, drifting, healed.

A stream is two columns of one length: whether the treatment and whether its control failed. `truth_for` says
what a rule should have said of the migration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from shiftproof.judge.others import RULES

Bools = npt.NDArray[np.bool_]

#: As infra/platform.yaml has it for payments.
PAIRS_PER_S = 60
#: Flagger may need 19 checks of 60 s.
SECONDS = max(rule.most_checks * rule.interval_s for rule in RULES)
PAIRS = int(SECONDS * PAIRS_PER_S)
#: What a gate sends in its phases together, about; where something heals, it happens within it.
GATE_SECONDS = 170.0
GATE_PAIRS = int(GATE_SECONDS * PAIRS_PER_S)

GOOD, BAD = "good", "bad"


@dataclass(frozen=True, slots=True)
class Stream:
    """Equal-length columns; the n-th pair is sent n / PAIRS_PER_S seconds in."""

    treatment: Bools
    control: Bools

    def attributed(self, pairs: int) -> Bools:
        """Of the first `pairs`: the treatment failed while its control did not."""
        return self.treatment[:pairs] & ~self.control[:pairs]


@dataclass(frozen=True, slots=True)
class Scenario:
    """kind: the table it stands in. rate: the mean one, where that alone says what is right; else `truth` does.

    independent: each pair fails or not whatever the others do, so stated error rates must hold.
    """

    kind: str
    name: str
    make: Callable[[np.random.Generator], Stream]
    rate: float | None = None
    truth: str | None = None
    independent: bool = False

    def truth_for(self, p0: float, p1: float) -> str | None:
        """GOOD, BAD or None (either answer can be defended) for a rule that accepts p0 and refuses p1."""
        if self.rate is None:
            return self.truth
        return GOOD if self.rate <= p0 else BAD if self.rate >= p1 else None


def independent(rng: np.random.Generator, rate: float) -> Bools:
    """Each fails with chance `rate`."""
    failed: Bools = rng.random(PAIRS, dtype=np.float32) < rate
    return failed


def bursts(rng: np.random.Generator, rate: float, mean_length: float) -> Bools:
    """Runs of failures, geometric in length, at a mean rate of `rate`: between bursts nothing fails."""
    count = rng.poisson(PAIRS * rate / mean_length)
    starts = rng.integers(0, PAIRS, count)
    ends = np.minimum(starts + rng.geometric(1 / mean_length, count), PAIRS)
    edges = np.zeros(PAIRS + 1, dtype=np.int32)
    np.add.at(edges, starts, 1)
    np.add.at(edges, ends, -1)
    failed: Bools = np.cumsum(edges[:-1]) > 0
    return failed


def drift(rng: np.random.Generator, first: float, last: float, over_s: float) -> Bools:
    """The rate goes from `first` to `last` in a straight line, and stays there."""
    place = np.minimum(np.arange(PAIRS) / (over_s * PAIRS_PER_S), 1.0)
    failed: Bools = rng.random(PAIRS, dtype=np.float32) < first + (last - first) * place
    return failed


def outage(rng: np.random.Generator, seconds: float) -> Bools:
    """One total outage within what a gate sends, and nothing else."""
    length = max(1, round(seconds * PAIRS_PER_S))
    start = rng.integers(0, GATE_PAIRS - length)
    failed = np.zeros(PAIRS, dtype=np.bool_)
    failed[start : start + length] = True
    return failed


Column = Callable[[np.random.Generator], Bools]


def _alone(column: Column) -> Callable[[np.random.Generator], Stream]:
    """Only the treatment fails."""
    return lambda rng: Stream(column(rng), np.zeros(PAIRS, dtype=np.bool_))


def _each(column: Column) -> Callable[[np.random.Generator], Stream]:
    """Both sides fail, each for itself."""
    return lambda rng: Stream(column(rng), column(rng))


def _shared(column: Column) -> Callable[[np.random.Generator], Stream]:
    """Both sides fail at the same moments."""

    def both(rng: np.random.Generator) -> Stream:
        failed = column(rng)
        return Stream(failed, failed)

    return both


def scenarios() -> tuple[Scenario, ...]:
    """All of them, in the order of the tables."""
    return (*_rates(), *_bursts(), *_drifts(), *_outages(), *_noise())


def _rates() -> Iterator[Scenario]:
    for rate in (0.0, 0.0001, 0.0005, 0.001, 0.003, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0):
        yield Scenario("independent", f"{rate:.2%}", _alone(partial(independent, rate=rate)), rate, independent=True)


def _bursts() -> Iterator[Scenario]:
    for rate in (0.0001, 0.001, 0.01):
        for length in (3, 20):
            make = _alone(partial(bursts, rate=rate, mean_length=length))
            yield Scenario("bursts", f"{rate:.2%} in bursts of {length}", make, rate=rate)


def _drifts() -> Iterator[Scenario]:
    for first, last, over_s in ((0.0, 0.02, 600.0), (0.0, 0.02, 60.0), (0.02, 0.0, 60.0)):
        make = _alone(partial(drift, first=first, last=last, over_s=over_s))
        yield Scenario("drift", f"{first:.0%} to {last:.0%} in {over_s:.0f} s", make, truth=BAD)


def _outages() -> Iterator[Scenario]:
    for seconds in (0.05, 0.2, 1.0, 3.0, 10.0):
        yield Scenario("healed outage", f"{seconds:g} s", _alone(partial(outage, seconds=seconds)), truth=BAD)


def _noise() -> Iterator[Scenario]:
    makes = {
        "3% on both sides at the same moments": _shared(partial(independent, rate=0.03)),
        "1% on each side by itself": _each(partial(independent, rate=0.01)),
        "0.1% on each side by itself": _each(partial(independent, rate=0.001)),
        "0.1% on each side, in bursts of 3": _each(partial(bursts, rate=0.001, mean_length=3)),
        "0.1% on each side, in bursts of 20": _each(partial(bursts, rate=0.001, mean_length=20)),
        "0.01% on each side, in bursts of 20": _each(partial(bursts, rate=0.0001, mean_length=20)),
    }
    for name, make in makes.items():
        yield Scenario("noise of both sides", name, make, truth=GOOD, independent="bursts" not in name)
