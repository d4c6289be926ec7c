"""The load balancer: what its rules weigh, and what its targets are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shiftproof.model.event import Side


@dataclass(frozen=True, slots=True)
class Weights:
    """Percent for each side of one rule; they add up to 100."""

    legacy_pct: int
    cluster_pct: int


@dataclass(frozen=True, slots=True)
class TargetState:
    """One target as the load balancer sees it. state: AWS's words (initial, healthy, unhealthy, draining, unused)."""

    address: str  # "ip:port"
    state: str
    reason: str = ""


class Router(Protocol):
    """The load balancer's rules of one service. `rule` is "customers", "legacy", "cluster" or "weighted"."""

    def weights(self, rule: str) -> Weights:
        """Read back from the load balancer's API, never from memory."""
        ...

    def set_weights(self, rule: str, weights: Weights) -> None:
        """Write, then read back; raises FaultError when the API does not hold what was written."""
        ...

    def targets(self, side: Side) -> Sequence[TargetState]: ...

    def other_writers(self) -> Sequence[str]:
        """Names of others that write the customers' rule (a mark that differs from ours); empty when none."""
        ...
