"""Curves brought down to what a page can draw: a value a second, or for long events a value for several."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shiftproof.report.event_evidence import Curves, Numbers

POINTS_MAX = 3600  # an hour by the second

_HIGHEST = ("p99_ms", "control_p99_ms", "pods_needed", "pods_wanted", "pods_pending")
_MEAN = ("demand_per_s", "sent_per_s", "failed_per_s", "bad_per_s")
_LOWEST = ("pods_ready",)
_FIRST = ("seconds", "p50_ms", "nodes_ready", "nodes_spot", "hindsight_pods")
_LAST = ("cost", "hindsight_cost")


@dataclass(frozen=True, slots=True)
class Drawn:
    """As `Curves`, one entry for each step_s seconds. said: what the drawing leaves out."""

    step_s: int
    said: list[str]
    seconds: Numbers
    demand_per_s: Numbers
    sent_per_s: Numbers
    failed_per_s: Numbers
    bad_per_s: Numbers
    p50_ms: Numbers
    p99_ms: Numbers
    control_p99_ms: Numbers
    pods_needed: Numbers
    pods_wanted: Numbers
    pods_ready: Numbers
    pods_pending: Numbers
    nodes_ready: Numbers
    nodes_spot: Numbers
    hindsight_pods: Numbers
    cost: Numbers
    hindsight_cost: Numbers


def drawn(curves: Curves, most: int = POINTS_MAX) -> Drawn:
    """At most that many points. Where several seconds become one, it shows the worst of them: the slowest, the fewest
    pods ready, the most needed; rates are their mean, costs those at its end.
    """
    count = len(curves.seconds)
    step = max(1, -(-count // most))
    starts = np.arange(0, count, step)

    def joined(name: str) -> Numbers:
        values: Numbers = getattr(curves, name)
        if step == 1:
            return values
        if name in _FIRST:
            return values[starts]
        if name in _LAST:
            last: Numbers = values[np.minimum(starts + step, count) - 1]
            return last
        if name in _MEAN:
            sizes = np.diff(starts, append=count)
            return np.asarray(np.add.reduceat(values, starts) / sizes, dtype=np.float64)
        worst = np.fmax if name in _HIGHEST else np.minimum  # fmax: a second without an answer hides no other
        found: Numbers = worst.reduceat(values, starts)
        return found

    said = [f"each point of the figure stands for {step} seconds, the worst of them"] if step > 1 else []
    return Drawn(step, said, *(joined(name) for name in Drawn.__slots__[2:]))
