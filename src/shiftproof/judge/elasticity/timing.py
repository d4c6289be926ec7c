"""Time to capacity: from the moment the load asked for more until enough pods were ready, and where the time went.

The stages follow the pod that completed the supply, the last one that was needed: it could not have been ready before
its own node was, nor its node before somebody asked for it, nor that before the autoscaler knew. They touch, so their
seconds add up to the whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from shiftproof.judge.elasticity.steps import Steps

_S = 1_000_000_000


class Stage(StrEnum):
    """In the order in which they happen. NODE and BOOT take no time where the pod found a place at once."""

    METRIC = "metric lag"  # until the autoscaler saw a load above its target
    DECISION = "decision"  # until it wanted as many pods as it took
    SCHEDULING = "scheduling"  # until the last of them was refused for want of a node, or placed
    NODE = "node"  # until its node's machine was started
    BOOT = "boot"  # until the node was ready and the pod placed on it
    READY = "ready"  # until the pod was ready


@dataclass(frozen=True, slots=True)
class PodStart:
    """How the last pod that was needed came to be ready; times in ns, None where it did not happen or nobody saw it.

    refused_ns: no node had room for it. launched_ns: the machine of the node that it then ran on was started.
    """

    name: str
    ready_ns: int
    scheduled_ns: int | None = None
    refused_ns: int | None = None
    launched_ns: int | None = None


@dataclass(frozen=True, slots=True)
class TimeToCapacity:
    """One rise of the load. needed: pods. reached_ns: None when it never was. stages: seconds; empty then.

    last: the pod that completed the supply; None when the supply was there already.
    """

    crossed_ns: int
    needed: int
    reached_ns: int | None
    stages: Mapping[Stage, float]
    last: str | None = None

    @property
    def seconds(self) -> float | None:
        return None if self.reached_ns is None else (self.reached_ns - self.crossed_ns) / _S


def time_to_capacity(
    crossed_ns: int, needed: int, ready: Steps, wanted: Steps, observed_ns: int | None, starts: tuple[PodStart, ...]
) -> TimeToCapacity:
    """From `crossed_ns`, when the load began to want `needed` pods, until that many were ready.

    ready, wanted: pods, by what Kubernetes said. observed_ns: when the autoscaler first saw its metric above target
    after the crossing (None: not seen). starts: pods that became ready after the crossing, in any order.
    """
    reached_ns = ready.first_at_least(needed, crossed_ns)
    if reached_ns is None:
        return TimeToCapacity(crossed_ns, needed, None, {})
    last = max((one for one in starts if one.ready_ns <= reached_ns), key=lambda one: one.ready_ns, default=None)
    if reached_ns == crossed_ns or last is None:
        return TimeToCapacity(crossed_ns, needed, reached_ns, dict.fromkeys(Stage, 0.0))
    marks = _marks(last, observed_ns, wanted.first_at_least(needed, crossed_ns), reached_ns)
    return TimeToCapacity(crossed_ns, needed, reached_ns, _stages(crossed_ns, marks), last.name)


def _marks(
    last: PodStart, observed_ns: int | None, wanted_ns: int | None, reached_ns: int
) -> tuple[tuple[Stage, int | None], ...]:
    """When each stage ended. A pod that was never refused needed no node: its scheduling ended when it was placed."""
    refused = last.refused_ns is not None
    return (
        (Stage.METRIC, observed_ns),
        (Stage.DECISION, wanted_ns),
        (Stage.SCHEDULING, last.refused_ns if refused else last.scheduled_ns),
        (Stage.NODE, last.launched_ns if refused else None),
        (Stage.BOOT, last.scheduled_ns if refused else None),
        (Stage.READY, reached_ns),
    )


def _stages(crossed_ns: int, marks: tuple[tuple[Stage, int | None], ...]) -> dict[Stage, float]:
    """Seconds between neighbouring marks, never below 0. What nobody saw the end of counts to the next that was seen.

    A node may be started before this pod was refused, since another pod asked for it: then its stage took no time.
    """
    at_ns, stages = crossed_ns, dict.fromkeys(Stage, 0.0)
    end_ns = marks[-1][1]
    for stage, mark_ns in marks:
        if mark_ns is None or end_ns is None:
            continue
        until_ns = min(max(at_ns, mark_ns), end_ns)
        stages[stage] = (until_ns - at_ns) / _S
        at_ns = until_ns
    return stages
