"""The outside world as one rehearsal holds it: a port each. Real ones come from `wiring`, tests hand in their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shiftproof.judge.elasticity.case import EventCase
from shiftproof.model.history import Source
from shiftproof.model.verdict import Finding
from shiftproof.ports import (
    AccessLog,
    Cluster,
    Elastic,
    EventLoad,
    EventPlan,
    Faults,
    Jobs,
    Load,
    LoadPlan,
    Router,
    Watcher,
)

Judge = Callable[[EventCase], Sequence[Finding]]
"""Every scaling claim, over one event's history."""


@dataclass(frozen=True, slots=True)
class EventParts:
    """Everything that a rehearsal touches. cluster_pct: where customers are, who stay there.

    ours: why our own set-up, and not the service, kept capacity away at that time of the run's clock or later; None
    when it did not. heard: sources that must have been.
    """

    router: Router
    cluster: Cluster
    elastic: Elastic
    load: Load
    pairs_plan: LoadPlan
    event_load: EventLoad
    event_plan: EventPlan
    faults: Faults
    watchers: Sequence[Watcher]
    access_log: AccessLog
    jobs: Sequence[Jobs]
    judge: Judge
    cluster_pct: int = 0
    ours: Callable[[int], str | None] = lambda _: None
    heard: Sequence[Source] = (Source.KUBERNETES,)
