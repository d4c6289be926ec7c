"""The counting rule of graceful actions: what a defect has to cost to be caught, and what noise does to it.

A gate tries six graceful actions three times each, about 1,250 pairs a try. FAIL: two tries of one action lose a
request (and more than the control alone lost, at 1%); INCONCLUSIVE: one does; PASS: none does in the whole run.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from shiftproof.judge.live import recurring_loss

ACTIONS, REPEATS, PAIRS, ALL_PAIRS = 6, 3, 1_250, 28_500


def defect(rate: float, actions: int) -> dict[str, float]:
    """Exact: a defect that costs each pair of `actions` of the six actions with chance `rate`, no noise."""
    loses = -math.expm1(PAIRS * math.log1p(-rate))
    two = 3 * loses**2 * (1 - loses) + loses**3
    none = (1 - loses) ** (REPEATS * actions)
    fail = 1 - (1 - two) ** actions
    return {"rate": rate, "actions": actions, "fail": fail, "pass": none, "inconclusive": max(0.0, 1 - fail - none)}


def noise(rate: float, runs: int, rng: np.random.Generator) -> dict[str, float]:
    """Both sides fail alone at `rate`, independently: the shares of runs that FAIL, and that lose nothing."""
    treatment = rng.binomial(PAIRS, rate, (runs, ACTIONS, REPEATS))
    control = rng.binomial(ALL_PAIRS, rate, runs)
    fails = 0
    for lost, alone in zip(treatment, control.tolist(), strict=True):
        fails += any(_fails(tuple(sorted(one)), alone) for one in lost.tolist() if sum(one) > 1)
    clean = float((treatment.sum(axis=(1, 2)) == 0).mean())
    return {"rate": rate, "fail": fails / runs, "pass": clean, "inconclusive": 1 - clean - fails / runs}


@lru_cache(maxsize=100_000)
def _fails(lost: tuple[int, ...], alone: int) -> bool:
    return recurring_loss(lost, REPEATS * PAIRS, alone, ALL_PAIRS)


def table(runs: int, rng: np.random.Generator) -> dict[str, list[dict[str, Any]]]:
    """Both, over a grid."""
    rates = (0.0001, 0.0003, 0.001, 0.002, 0.005, 0.01)
    return {
        "defect": [defect(rate, actions) for actions in (1, ACTIONS) for rate in rates],
        "noise": [noise(rate, runs, rng) for rate in (0.000003, 0.00001, 0.00003, 0.0001, 0.0003, 0.001)],
    }
