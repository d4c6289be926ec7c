"""A week of load, in steps of 10 s, through the optimum with hindsight: what it costs, and how long that takes.

The load is made up (benchmarks/data/README.md), as a payments service might see it: days and nights, a quiet weekend,
bursts of a minute or two, and salaries that land on Friday morning. `--make` writes it anew.
Run: python -m benchmarks.hindsight_week
"""

from __future__ import annotations

import argparse
import gzip
import platform
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from shiftproof.judge.elasticity import Plan, Prices, optimum

Ints = npt.NDArray[np.int64]
DATA = Path(__file__).resolve().parent / "data" / "week_demand.csv.gz"
STEP_S = 10
STEPS = 7 * 24 * 3600 // STEP_S
REQUESTS_PER_POD = 30
LEAST_PODS = 2
PRICES = Prices(per_s=0.05 / 3600, boot_s=50)
WITHIN_S = 10.0
_DAY = 24 * 3600 // STEP_S


def make(seed: int = 7) -> Ints:
    """Requests a second, a value for each step from Monday 00:00 on; the same seed gives the same week."""
    rng = np.random.default_rng(seed)
    hour = np.arange(STEPS) * STEP_S / 3600 % 24
    day = np.arange(STEPS) // _DAY
    noon = np.exp(-(((hour - 12.5) / 2.8) ** 2))
    evening = np.exp(-(((hour - 19.5) / 2.2) ** 2))
    rate = 25 + 330 * noon + 260 * evening
    rate *= np.array([1.0, 0.96, 0.98, 1.02, 1.15, 0.7, 0.6])[day]
    # Bursts: something is sent to everybody, and a minute or two later it is over.
    for at in rng.integers(0, STEPS, 40):
        length = int(rng.integers(6, 18))
        rate[at : at + length] *= rng.uniform(1.3, 2.2)
    payday = 4 * _DAY + 9 * 3600 // STEP_S
    after = np.arange(STEPS - payday) * STEP_S
    rate[payday:] += 1_400 * np.minimum(after / 45, 1) * np.exp(-np.maximum(after - 2_700, 0) / 1_800)
    rates: Ints = rng.poisson(rate * STEP_S).astype(np.int64) // STEP_S
    return rates


def read() -> Ints:
    """The week that is kept here."""
    with gzip.open(DATA, "rt", encoding="ascii") as file:
        rates: Ints = np.loadtxt(file, dtype=np.int64, skiprows=1)
    return rates


def write(rates: Ints) -> None:
    """One column, requests_per_s; without a time in the file, so that the same week is the same bytes."""
    text = "requests_per_s\n" + "".join(f"{rate}\n" for rate in rates.tolist())
    DATA.write_bytes(gzip.compress(text.encode("ascii"), compresslevel=9, mtime=0))


def pods(rates: Ints) -> Ints:
    """Pods that these rates ask for."""
    return np.maximum(LEAST_PODS, -(-rates // REQUESTS_PER_POD))


def planned(rates: Ints) -> Plan:
    """What foresight would have had."""
    return optimum(pods(rates), STEP_S, PRICES, LEAST_PODS)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--make", action="store_true", help="write the week anew")
    if parser.parse_args().make:
        write(make())
    rates = read()
    begin_s = time.perf_counter()
    plan = planned(rates)
    seconds = time.perf_counter() - begin_s
    needed = pods(rates)
    fixed = int(needed.max()) * STEP_S * len(rates) * PRICES.per_s
    print(f"{len(rates):,} steps of {STEP_S} s, made up; {needed.min()} to {needed.max()} pods are needed")
    print(f"optimum: {plan.cost:.2f}, {plan.starts:,} starts")
    print(f"fixed for the peak: {fixed:.2f}, {fixed / plan.cost:.1f} times that")
    print(f"{seconds:.2f} s (within {WITHIN_S:g} s) on {platform.machine()}, Python {platform.python_version()}")
    return 0 if seconds < WITHIN_S else 1


if __name__ == "__main__":
    sys.exit(main())
