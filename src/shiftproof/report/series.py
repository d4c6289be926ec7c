"""Events brought down to what a page can draw: figures a second and side, and single failed or slow requests.

Whatever is thinned out says so (`shown` of `total`): a drawing must not look like the whole evidence when it is not.
Nothing here judges; which failures are attributed is the judge's word and is handed in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shiftproof.model.event import Events, Failure, Side

BINS_MAX = 900  # more than a screen has pixels to tell apart
SINGLES_MAX = 1500
SLOW_MAX = 150

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SideSeries:
    """One side in bins of `bin_ns`; all arrays have one entry a bin.

    start_ns: each bin's start. sent, failed: requests by intended time. p50_ms, p99_ms: nearest-rank quantiles of the
    latency (from the intended start) of those that succeeded; NaN where there is none.
    """

    side: Side
    bin_ns: int
    start_ns: Ints
    sent: Ints
    failed: Ints
    p50_ms: Floats
    p99_ms: Floats


@dataclass(frozen=True, slots=True)
class Singles:
    """Single requests picked from `total`, by intended time."""

    events: Events
    total: int

    @property
    def thinned(self) -> bool:
        return len(self.events) < self.total


def bin_width_ns(span_ns: int, bins_max: int = BINS_MAX) -> int:
    """Whole seconds, as few as keep the bins within `bins_max`; 1 s for any run of up to 15 minutes."""
    seconds = -(-max(span_ns, 1) // (bins_max * 1_000_000_000))
    return int(max(seconds, 1)) * 1_000_000_000


def side_series(events: Events, side: Side, start_ns: int, end_ns: int, bin_ns: int) -> SideSeries:
    """Figures of `side` from `start_ns` to `end_ns`; O(n log n) in its events, those outside are left out."""
    mine = events[(events["side"] == side) & (events["intended_ns"] >= start_ns) & (events["intended_ns"] < end_ns)]
    bins = max(1, -(-(end_ns - start_ns) // bin_ns))
    at = ((mine["intended_ns"] - start_ns) // bin_ns).astype(np.int64)
    ok = mine["failure"] == Failure.NONE
    latency_ms = (mine["ended_ns"][ok] - mine["intended_ns"][ok]) / 1e6
    p50, p99 = _quantiles(at[ok], latency_ms, bins, (0.5, 0.99))
    return SideSeries(
        side=side,
        bin_ns=bin_ns,
        start_ns=start_ns + bin_ns * np.arange(bins, dtype=np.int64),
        sent=np.bincount(at, minlength=bins),
        failed=np.bincount(at[~ok], minlength=bins),
        p50_ms=p50,
        p99_ms=p99,
    )


def _quantiles(at: Ints, values: Floats, bins: int, levels: tuple[float, ...]) -> tuple[Floats, ...]:
    """Nearest-rank quantiles of `values` in each bin: of n sorted ones the ceil(level * n)-th."""
    order = np.lexsort((values, at))
    ordered = values[order]
    n = np.bincount(at, minlength=bins)
    first = np.concatenate(([0], np.cumsum(n)[:-1]))
    out = []
    for level in levels:
        column = np.full(bins, np.nan)
        some = n > 0
        column[some] = ordered[(first + np.ceil(level * n).astype(np.int64) - 1)[some]]
        out.append(column)
    return tuple(out)


def failed_singles(events: Events, side: Side, most: int = SINGLES_MAX) -> Singles:
    """The failed requests of `side`, thinned evenly to `most`, first and last kept."""
    failed = events[(events["side"] == side) & (events["failure"] != Failure.NONE)]
    if len(failed) <= most:
        return Singles(failed, len(failed))
    picked = np.linspace(0, len(failed) - 1, most).round().astype(np.int64)
    return Singles(failed[picked], len(failed))


def slow_singles(events: Events, side: Side, most: int = SLOW_MAX) -> Singles:
    """The `most` slowest successful requests of `side`, by time."""
    served = events[(events["side"] == side) & (events["failure"] == Failure.NONE)]
    if len(served) > most:
        latency = served["ended_ns"] - served["intended_ns"]
        slowest = np.argpartition(latency, -most)[-most:]
        return Singles(served[np.sort(slowest)], len(served))
    return Singles(served, len(served))
