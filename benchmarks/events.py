"""How many events a second are joined and judged, and whether that is linear. Run: python -m benchmarks.events"""

from __future__ import annotations

import argparse
import platform
import sys
import time

import numpy as np
import scipy

from shiftproof.judge import judge_all, make_case
from shiftproof.model.event import EVENT_DTYPE, Side
from shiftproof.model.history import History, PhaseKind
from shiftproof.model.platform import Objectives
from shiftproof.testing import RunBuilder


def history_of(events: int) -> History:
    """A gate of about that many events at 150 pairs/s with losses in each deploy and a crash."""
    seconds = events / 2.4 / 150 / 14  # 14 phases, of which six send triples
    run = RunBuilder(gap_s=0.0)
    run.phase("steady", PhaseKind.STEADY, seconds)
    run.repeats("deploy", PhaseKind.GRACEFUL, seconds, facts={"rollout_s": 6.0, "complete": True})
    run.repeats("pod-delete", PhaseKind.GRACEFUL, seconds, facts={"effect": "confirmed"})
    run.repeats("shift", PhaseKind.SHIFT, seconds, facts={"seconds": 0.4, "from_pct": 0, "to_pct": 25})
    run.repeats("rollback", PhaseKind.ROLLBACK, seconds, facts={"seconds": 0.4, "from_pct": 25, "to_pct": 0})
    run.phase("quiet", PhaseKind.STEADY, seconds)
    for repeat in (1, 2, 3):
        run.fail(Side.CLUSTER, "deploy", repeat=repeat, after_s=seconds / 2, seconds=0.1)
    run.fail(Side.CLUSTER, "steady", after_s=0, seconds=seconds, share=0.0005)
    return run.build()


def measure(events: int, rounds: int) -> tuple[int, float, float]:
    """(events, best seconds to join, best seconds to join and judge)."""
    history = history_of(events)
    joined = judged = float("inf")
    for _ in range(rounds):
        began = time.perf_counter()
        case = make_case(history, Objectives())
        joined = min(joined, time.perf_counter() - began)
        judge_all(case)
        judged = min(judged, time.perf_counter() - began)
    return len(history.events), joined, judged


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=[100_000, 1_000_000, 4_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(
        f"{platform.platform()}, {platform.machine()}, Python {platform.python_version()}, "
        f"numpy {np.__version__}, scipy {scipy.__version__}; {EVENT_DTYPE.itemsize} bytes an event"
    )
    print(f"{'events':>10} {'join':>9} {'join+judge':>11} {'events/s judged':>16} {'ns/event':>9}")
    for size in arguments.sizes:
        events, joined, judged = measure(size, arguments.rounds)
        rate = events / judged
        print(f"{events:>10,} {joined:>8.3f}s {judged:>10.3f}s {rate:>16,.0f} {1e9 / rate:>9.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
