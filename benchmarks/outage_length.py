"""Injected outages of 50 ms to 5 s, measured: is each found, and does its true length lie within the stated bound?

The streams are simulated: open loop with exponential lateness of sends, a way to the service that takes a little longer
for one request than for the next, answers in a log-normal time; while the service is out, what arrives fails.
Run: python -m benchmarks.outage_length
"""

from __future__ import annotations

import argparse
import platform
import sys

import numpy as np
import numpy.typing as npt

from shiftproof.judge import find_outages, pair_up
from shiftproof.model.event import EVENT_DTYPE, Events, Failure, Side
from shiftproof.model.history import Phase, PhaseKind

LENGTHS_MS = (50, 100, 200, 500, 1000, 2000, 5000)
_MS = 1_000_000


def stream(
    rng: np.random.Generator, rate_per_s: float, outage_ms: tuple[float, float], late_ms: float, path_ms: float
) -> Events:
    """Pairs for as long as the outage and 2 s on each side; outage_ms: (begin, length), at the service."""
    count = int((outage_ms[0] + outage_ms[1] + 2_000) / 1000 * rate_per_s)
    intended = (np.arange(count) * (1e9 / rate_per_s)).astype(np.int64)
    sides = [_side(rng, side, intended, outage_ms, late_ms, path_ms) for side in (Side.LEGACY, Side.CLUSTER)]
    return np.concatenate(sides)


def _side(
    rng: np.random.Generator,
    side: Side,
    intended: npt.NDArray[np.int64],
    outage_ms: tuple[float, float],
    late_ms: float,
    path_ms: float,
) -> Events:
    events = np.zeros(len(intended), dtype=EVENT_DTYPE)
    events["pair"], events["side"], events["intended_ns"] = np.arange(len(intended)), side, intended
    sent = intended + (rng.exponential(late_ms, len(intended)) * _MS).astype(np.int64)
    arrived_ms = (sent / _MS) + rng.uniform(0.1, 0.1 + path_ms, len(intended))
    out = (arrived_ms >= outage_ms[0]) & (arrived_ms < sum(outage_ms)) & (side is Side.CLUSTER)
    took_ms = np.where(out, 1.0, 55 * np.exp(rng.normal(0, 0.2, len(intended))))
    events["sent_ns"], events["ended_ns"] = sent, sent + (took_ms * _MS).astype(np.int64)
    events["failure"] = np.where(out, Failure.RESET, Failure.NONE)
    return events


def measure(
    rng: np.random.Generator, trials: int, rate_per_s: float, length_ms: float, late_ms: float, path_ms: float
) -> tuple[int, int, float, float]:
    """(found, length within the bound, mean stated error, largest true error), all of `trials`."""
    found = within = 0
    stated, worst = [], 0.0
    for _ in range(trials):
        begin = 2_000 + rng.uniform(0, 50)
        events = stream(rng, rate_per_s, (begin, length_ms), late_ms, path_ms)
        phase = Phase("steady", PhaseKind.STEADY, 1, 0, int(events["intended_ns"].max()) + 1, 0, 0)
        spans = find_outages(pair_up(events, (phase,)), started_ns=0)
        found += len(spans) == 1
        if len(spans) == 1:
            within += spans[0].least_ms <= length_ms <= spans[0].most_ms
            stated.append(spans[0].error_ms)
            worst = max(worst, abs(spans[0].duration_ms - length_ms))
    return found, within, float(np.mean(stated)) if stated else float("nan"), worst


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--rate", type=float, default=150.0, help="pairs a second")
    parser.add_argument("--late-ms", type=float, default=1.0, help="mean lateness of sends")
    parser.add_argument("--path-ms", type=float, default=0.5, help="spread of the time on the way")
    parser.add_argument("--seed", type=int, default=20_260_101)
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    print(f"{platform.platform()}, Python {platform.python_version()}, numpy {np.__version__}; {given.rate:g} pairs/s,")
    print(f"sends late by {given.late_ms:g} ms (exponential), way +- {given.path_ms:g} ms, {given.trials} outages each")
    print(f"{'true length':>12} {'found':>9} {'in bound':>9} {'stated error':>13} {'worst error':>12}")
    misses = 0
    for length_ms in LENGTHS_MS:
        found, within, stated, worst = measure(rng, given.trials, given.rate, length_ms, given.late_ms, given.path_ms)
        misses += given.trials - within
        print(
            f"{length_ms:>9} ms {found:>5}/{given.trials} {within:>5}/{given.trials}"
            f"  +-{stated:>7.1f} ms {worst:>9.1f} ms"
        )
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main())
