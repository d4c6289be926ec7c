"""The counting rule of graceful actions: what a defect has to cost to be caught, and what noise does to it.

FAIL: two tries of one action lose a request (and more than the control alone lost, if it lost any; while the run goes
on, more than chance); INCONCLUSIVE: one does; PASS: none does in the whole run. Pairs a try are the least that the gate
waits for; an action that takes longer has more. Not played: a loss on what was then leaving, which is FAIL by itself,
and McNemar's test.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.decisions.simulated import is_beyond
from benchmarks.decisions.streams import PAIRS_PER_S
from shiftproof.gate.phases import AFTER_RECOVERY_S
from shiftproof.gate.settings import FULL, QUICK, Depth
from shiftproof.judge.counting import recurring_loss
from shiftproof.model.history import PhaseKind

#: As infra/platform.yaml has them for payments: its graceful actions, and how long its crashes may take.
BEFORE_LOAD, AFTER_CRASHES = ("deploy", "shift", "rollback", "quiet", "capacity", "pod-delete"), ("node-drain",)
RECOVER_S = {"pod-kill": 6.0, "node-loss": 8.0}
ACTIONS = ("deploy", "shift", "rollback", "pod-delete", "node-drain")
#: Where a weighted request goes along; the two pinned ones are still a pair, held to the same rule.
TRIPLES = ("shift", "rollback")
DEPTHS = {"full": FULL, "quick": QUICK}
#: Wrong FAILs of the counting rule at most, whatever independent noise each side has (docs/STATISTICS.md).
STATED_WRONG = 0.025


@dataclass(frozen=True, slots=True)
class Span:
    """Pairs [start, end) of one try of a graceful action, or of a phase whose losses are judged otherwise."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Wrong:
    """Of one run of nothing but noise. live: FAIL at the latest when it ended; once: by one look at its end alone."""

    live: bool
    once: bool
    clean: bool


def spans(depth: Depth) -> tuple[Span, ...]:
    """A gate's phases in the order in which the suites run them."""
    out: list[Span] = []
    for name, pairs in _phases(depth):
        start = out[-1].end if out else 0
        out.append(Span(name, start, start + pairs))
    return tuple(out)


def _phases(depth: Depth) -> Iterator[tuple[str, int]]:
    yield "steady", round(depth.steady_s * PAIRS_PER_S)
    for name in (*BEFORE_LOAD, *RECOVER_S, *AFTER_CRASHES):
        if name in ACTIONS:
            yield from [(name, depth.pairs_of(PhaseKind.GRACEFUL))] * depth.repeats
            continue
        least = depth.pairs_of(PhaseKind.CRASH if name in RECOVER_S else PhaseKind.LOAD)
        seconds = {"capacity": depth.peak_s}.get(name, 0.0)
        seconds = RECOVER_S[name] + AFTER_RECOVERY_S if name in RECOVER_S else seconds
        yield name, max(least, round(seconds * PAIRS_PER_S))


def defect(depth: Depth, rate: float, actions: int) -> dict[str, float]:
    """Exact: a defect that costs each pair of `actions` of the actions with chance `rate`, no noise."""
    loses = -math.expm1(depth.pairs_per_action * math.log1p(-rate))
    none_or_one = (1 - loses) ** depth.repeats + depth.repeats * loses * (1 - loses) ** (depth.repeats - 1)
    none = (1 - loses) ** (depth.repeats * actions)
    fail = 1 - none_or_one**actions
    return {"rate": rate, "actions": actions, "fail": fail, "pass": none, "inconclusive": max(0.0, 1 - fail - none)}


def noise(depth: Depth, rate: float, runs: int, rng: np.random.Generator) -> dict[str, float]:
    """Each side fails by itself at `rate`, independently: the shares of runs that FAIL, and that lose nothing.

    fail: as the gate judges, after each loss while the run goes on, and once more at its end; fail_once: had it looked
    at its end alone.
    """
    phases = spans(depth)
    total = phases[-1].end
    found = []
    for _ in range(runs):
        failed = (rng.choice(total, rng.binomial(total, rate), replace=False, shuffle=False) for _ in range(3))
        found.append(judged(phases, *(set(one.tolist()) for one in failed)))
    fail, once, clean = (float(np.mean([getattr(one, what) for one in found])) for what in ("live", "once", "clean"))
    return {"rate": rate, "fail": fail, "fail_once": once, "pass": clean, "inconclusive": 1 - clean - fail}


def judged(phases: tuple[Span, ...], legacy: set[int], cluster: set[int], weighted: set[int]) -> Wrong:
    """What the rule says of a run in which just these pairs failed on each side."""
    control = sorted(legacy - cluster)
    total, live, once, clean = phases[-1].end, False, False, True
    for name in ACTIONS:
        tries = [span for span in phases if span.name == name]
        triples = name in TRIPLES
        treatments = [weighted - (legacy & cluster), cluster - legacy] if triples else [cluster - legacy]
        for number, failed in enumerate(treatments):
            mine = sorted(at for at in failed if tries[0].start <= at < tries[-1].end)
            # Between two losses more pairs only make them less striking, so looks after each loss are all that matter.
            # The pinned pair within a triple is looked at between tries at the earliest.
            looks = [span.end for span in tries] if number else [at + 1 for at in mine]
            clean = clean and not mine
            live = live or any(_recurs(tries, mine, control, seen, under_way=True) for seen in looks)
            once = once or _recurs(tries, mine, control, total, under_way=False)
    return Wrong(live or once, once, clean)


def _recurs(tries: list[Span], mine: list[int], control: list[int], seen: int, *, under_way: bool) -> bool:
    """What the rule says of this action when the first `seen` pairs of the run are there."""
    losses = [sum(span.start <= at < min(span.end, seen) for at in mine) for span in tries]
    if sum(1 for one in losses if one) < 2:  # the rule says so too; this is the quick way for most runs
        return False
    pairs = min(seen, tries[-1].end) - tries[0].start
    return recurring_loss(losses, pairs, bisect_right(control, seen - 1), seen, under_way=under_way)


def broken(result: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Rates of noise at which the rule errs more often than stated, by more than chance."""
    return [
        f"the counting rule, {name}, noise of {row['rate']:.4%}: {row['fail']:.2%}, {STATED_WRONG:.1%} stated"
        for name, one in result.items()
        for row in one["noise"]
        if is_beyond(row["fail"], one["runs"], STATED_WRONG)
    ]


def table(runs: int, rng: np.random.Generator) -> dict[str, dict[str, Any]]:
    """Both, over a grid, for each depth."""
    rates = (0.0001, 0.0003, 0.001, 0.002, 0.005, 0.01)
    noises = (0.000003, 0.00001, 0.00003, 0.0001, 0.0002, 0.0003, 0.001)
    return {
        name: {
            "runs": runs,
            "pairs": depth.pairs_per_action,
            "repeats": depth.repeats,
            "all_pairs": spans(depth)[-1].end,
            "defect": [defect(depth, rate, actions) for actions in (1, len(ACTIONS)) for rate in rates],
            "noise": [noise(depth, rate, runs, rng) for rate in noises],
        }
        for name, depth in DEPTHS.items()
    }
