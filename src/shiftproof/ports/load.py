"""Our load: pairs on the rehearsal rules, or single requests on the customers' rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from shiftproof.model.event import Events, Side
from shiftproof.model.history import LoadReport
from shiftproof.model.probe import ProbeRecord


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What the load child is to send. Made by shiftproof.adapters.locust.plan_for and customers_plan_for.

    base_url: the load balancer's entry, http or https. rate_per_s: pairs a second (customers: requests a second).
    timeout_s: for one request as a whole, connection and answer together. operations: model.platform.Operation,
    each as model_dump(mode="json"). seed: of operations, accounts, amounts and the order of sides. anchor_ns: the run
    clock's (added to CLOCK_MONOTONIC). max_seconds: the child ends itself after that, whatever happens.
    customers: single requests on the customers' rule instead of pairs on the rehearsal rules. jitter_share: each
    request is moved later by a random share of the interval, at most this (0: none, 1: the whole interval).
    probes_per_s: conversations of each kind (see model.probe) that start in a second beside the pairs; 0: none.
    """

    base_url: str
    rate_per_s: float
    timeout_s: float
    in_flight_per_side: int
    accounts_prefix: str
    accounts: int
    operations: Sequence[Mapping[str, Any]]
    seed: int
    max_seconds: float
    anchor_ns: int
    customers: bool = False
    jitter_share: float = 0.0
    probes_per_s: float = 0.0

    @property
    def keyed(self) -> tuple[str, ...]:
        """Names of the operations whose requests carry a key: what may be sent twice."""
        return tuple(str(one["name"]) for one in self.operations if "{key}" in str(one))


class RunningLoad(Protocol):
    """A load under way in its child process."""

    def new_events(self) -> Events:
        """Records since the last call, in the order written; never half a record."""
        ...

    def new_probes(self) -> Sequence[ProbeRecord]:
        """Conversations that ended since the last call, in the order they ended; never half a record."""
        ...

    def triples(self, on: bool) -> None:
        """Send a weighted request beside each pair from now on, or stop doing so."""
        ...

    def pause(self) -> None:
        """Send nothing from now on, extra load neither; raises LoadError when the child does not answer."""
        ...

    def resume(self) -> None:
        """Go on with the pairs where `pause` stopped them; raises LoadError when the child does not answer."""
        ...

    def boost(self, side: Side, rate_per_s: float) -> None:
        """That many single requests a second on one side (LEGACY or CLUSTER) beside the pairs; 0 ends it.

        Ends by itself after two minutes. Raises LoadError when the child does not answer.
        """
        ...

    def alive(self) -> bool: ...

    def stop(self) -> LoadReport:
        """Let what is in flight end, stop the child, account for it. Safe to call twice and after a crash."""
        ...

    def servers(self) -> tuple[str, ...]:
        """Names by the index `served_by` in events."""
        ...


class Load(Protocol):
    def start(self, plan: LoadPlan, run_dir: Path, name: str) -> RunningLoad:
        """Returns once the first requests were recorded; raises LoadError when none were within 20 s."""
        ...
