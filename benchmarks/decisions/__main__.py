"""Runs all of it and writes benchmarks/results/decisions.json and decisions.md.

Exits with 1, once they are written, when one of our own tests errs more often than it states on independent failures.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from benchmarks.decisions import exact, graceful, page, simulated
from benchmarks.decisions.recorded import recorded
from benchmarks.decisions.rules import contenders
from benchmarks.decisions.streams import PAIRS_PER_S, scenarios
from shiftproof.judge.case import PLANNED_TESTS

P0, P1 = 0.001, 0.01
RESULTS = Path(__file__).resolve().parents[1] / "results"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _machine() -> dict[str, str]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.0f} GiB",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=2_000, help="simulated streams of each scenario")
    parser.add_argument("--seed", type=int, default=20_260_101)
    parser.add_argument("--reports", type=Path, default=Path("reports"), help="where recorded runs lie")
    parser.add_argument("--runs", type=int, default=10, help="recorded runs at most, the newest")
    parser.add_argument("--recorded-only", action="store_true", help="keep all other figures that are in --out")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    if given.recorded_only:
        result = json.loads((given.out / "decisions.json").read_text(encoding="utf-8"))
    else:
        result = _measured(given.streams, given.seed)
    result["recorded"] = recorded(given.reports, P0, P1, given.runs)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "decisions.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    text = page.written(result)
    (given.out / "decisions.md").write_text(text, encoding="utf-8")
    print(text)
    wrong = simulated.broken(result["simulated"]) + graceful.broken(result["graceful"])
    for cell in wrong:
        _say(f"beyond the stated error rate: {cell}")
    return 1 if wrong else 0


def _measured(streams: int, seed: int) -> dict[str, Any]:
    began = time.monotonic()
    rng = np.random.default_rng(seed)
    _say("exact: independent failures by dynamic programming")
    result: dict[str, Any] = {
        "machine": _machine(),
        "seed": seed,
        "p0": P0,
        "p1": P1,
        "planned_tests": PLANNED_TESTS,
        "pairs_per_s": PAIRS_PER_S,
        "exact": list(exact.two_rates()),
        "pairs": list(exact.pairs()),
    }
    _say("the counting rule of graceful actions")
    result["graceful"] = graceful.table(20 * streams, rng)
    result["simulated"] = simulated.run(scenarios(), contenders(P0, P1), streams, rng, _say)
    result["seconds"] = round(time.monotonic() - began, 1)
    return result


if __name__ == "__main__":
    sys.exit(main())
