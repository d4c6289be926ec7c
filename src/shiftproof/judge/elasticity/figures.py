"""An event on one time axis, for whoever draws it: load, answers, pods, nodes and cost, a value for each second.

It takes a case of an event that still goes on as well: what has not been seen yet is not there. Nothing here judges.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shiftproof.judge.elasticity.case import EventCase
from shiftproof.judge.elasticity.hindsight import Prices, optimum
from shiftproof.judge.elasticity.need import beside_per_s, pods_needed, rates_at
from shiftproof.judge.elasticity.served import Served, served
from shiftproof.judge.elasticity.supply import read_supply
from shiftproof.model.event import Side

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_S = 1_000_000_000
BEFORE_S = 60
"""Seconds before the event that are drawn too, as far as we had begun to look by then."""


@dataclass(frozen=True, slots=True)
class EventFigures:
    """All arrays have one entry a second; entry i is of [seconds[i], seconds[i] + 1), states as they were at its start.

    seconds: from the event's start, negative before it. demand_per_s: requests that the event was to send; sent_per_s:
    that were recorded, failed_per_s and bad_per_s of these failed, and failed or were over the objective's threshold.
    p50_ms, p99_ms: nearest-rank quantiles of the latency of those that succeeded, from when they were due; NaN where
    there is none. control_p99_ms: of the old side's.
    pods_needed: by the demand and what the pairs send beside it; pods_wanted: by the autoscaler; pods_ready and
    pods_pending (without a node): by Kubernetes. nodes_ready: of all pools, nodes_spot of them on Spot.
    hindsight_pods: what perfect foresight would have had. cost, hindsight_cost: of pods, from the event's start to the
    end of this second, in the unit of case.prices.
    beside_per_s: requests a second of the pairs on the same pods.
    """

    seconds: Ints
    demand_per_s: Floats
    sent_per_s: Ints
    failed_per_s: Ints
    bad_per_s: Ints
    p50_ms: Floats
    p99_ms: Floats
    control_p99_ms: Floats
    pods_needed: Ints
    pods_wanted: Ints
    pods_ready: Ints
    pods_pending: Ints
    nodes_ready: Ints
    nodes_spot: Ints
    hindsight_pods: Ints
    cost: Floats
    hindsight_cost: Floats
    beside_per_s: float

    def __len__(self) -> int:
        return len(self.seconds)


def figures(case: EventCase) -> EventFigures:
    """From a minute before the event until we ceased to look; linear in requests but for sorting their latencies."""
    count = max(0, -(-(case.looked_until_ns - case.start_ns) // _S))
    before = min(BEFORE_S, max(0, (case.start_ns - case.history.started_ns) // _S))
    seconds = np.arange(-before, count, dtype=np.int64)
    from_ns = case.start_ns - before * _S
    to_ns = from_ns + len(seconds) * _S
    supply = read_supply(case.history.timeline, case.deployment, case.namespace)
    needed = pods_needed(case).on_grid(from_ns, to_ns, 1.0)
    paid, there = supply.paid.on_grid(from_ns, to_ns, 1.0), supply.paid.at(case.start_ns)
    least = case.scaling.least_pods
    plan = optimum(needed[before:], 1.0, case.prices, least)
    nothing = np.zeros(before)
    mine, control = (served(case, side, from_ns, to_ns) for side in (Side.EXTRA_CLUSTER, Side.LEGACY))
    sent, failed, bad = (mine.each_s(len(seconds), which, -before) for which in (None, mine.failed, mine.bad))
    p50, p99 = _quantiles(mine, before, len(seconds), (0.5, 0.99))
    return EventFigures(
        seconds=seconds,
        demand_per_s=rates_at(case.demand, seconds.astype(np.float64)),
        sent_per_s=sent,
        failed_per_s=failed,
        bad_per_s=bad,
        p50_ms=p50,
        p99_ms=p99,
        control_p99_ms=_quantiles(control, before, len(seconds), (0.99,))[0],
        pods_needed=needed,
        pods_wanted=supply.wanted.on_grid(from_ns, to_ns, 1.0),
        pods_ready=supply.ready.on_grid(from_ns, to_ns, 1.0),
        pods_pending=supply.pending.on_grid(from_ns, to_ns, 1.0),
        nodes_ready=supply.nodes.on_grid(from_ns, to_ns, 1.0),
        nodes_spot=supply.spot.on_grid(from_ns, to_ns, 1.0),
        hindsight_pods=np.concatenate([needed[:before], plan.supply]),
        cost=np.concatenate([nothing, paid_so_far(paid[before:], there, without_boot(case.prices))]),
        hindsight_cost=np.concatenate([nothing, paid_so_far(plan.supply, least, case.prices)]),
        beside_per_s=beside_per_s(case),
    )


def without_boot(prices: Prices) -> Prices:
    """For a measured supply, whose pods are paid from the launch of their machine on: the boot is in their seconds."""
    return Prices(prices.per_s, prices.per_start)


def paid_so_far(supply: Ints, base: int, prices: Prices) -> Floats:
    """What a supply, by the second, had cost by the end of each second; its last is `cost_of` of it.

    base: pods that were there before, so that their start is not paid here.
    """
    added = np.maximum(np.diff(supply, prepend=base), 0)
    cost: Floats = np.cumsum(supply * prices.per_s + added * prices.of_start)
    return cost


def _quantiles(requests: Served, before: int, seconds: int, levels: tuple[float, ...]) -> list[Floats]:
    """Nearest-rank: of n sorted latencies of a second the ceil(level * n)-th; of those that succeeded."""
    ok = ~requests.failed
    at, latency_ms = requests.second[ok] + before, requests.latency_ms[ok]
    ordered = latency_ms[np.lexsort((latency_ms, at))]
    n = np.bincount(at, minlength=seconds)
    first, some = np.cumsum(n) - n, n > 0
    found = []
    for level in levels:
        column = np.full(seconds, np.nan)
        column[some] = ordered[(first + np.ceil(level * n).astype(np.int64) - 1)[some]]
        found.append(column)
    return found
