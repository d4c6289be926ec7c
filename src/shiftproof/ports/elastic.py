"""What scales: the pods of one service, their autoscaler, and the nodes below them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SupplyState:
    """A scaling service's pods and the cluster's nodes, as the API server holds them now.

    pods: all of them, those that leave included; pending: without a node; nodes: names of ready ones, spot_nodes those
    of them that may be taken away; unready: names of the others. machines: nodes, ready or not, that autoscaling
    brought. workers: pods of each worker, by its name; workers_ready: those of them that are ready.
    """

    wanted: int
    ready: int
    pods: int
    pending: int
    nodes: frozenset[str]
    spot_nodes: frozenset[str] = frozenset()
    unready: frozenset[str] = frozenset()
    workers: Mapping[str, int] = field(default_factory=dict)
    machines: frozenset[str] = frozenset()
    workers_ready: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AutoscalerState:
    """An autoscaler of the service. problem: why it cannot read what it scales on; None: it can.

    per_pod: what it aims at for one pod, of each metric that is no pod's own resource (averageValue of External, Pods
    and Object metrics).
    """

    name: str
    least: int
    most: int
    problem: str | None = None
    per_pod: tuple[float, ...] = ()


class Elastic(Protocol):
    """What scales: one service's pods, its autoscaler, and the nodes below them."""

    def state(self) -> SupplyState: ...

    def autoscaler(self) -> AutoscalerState | None:
        """None: there is none for its Deployment."""
        ...

    def resize(self) -> Sequence[str]:
        """Put the target into the size that it rehearses in, journaled; what was done, for people."""
        ...

    def fix(self, pods: int) -> None:
        """Take autoscaling away, journaled, and let there be so many pods."""
        ...
