"""Sufficiency of a run: what ran all the while must be what is named, and customers must be where they were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shiftproof.errors import ShiftproofError
from shiftproof.gate.selfcheck import rules_moved
from shiftproof.model.verdict import Finding, Verdict
from shiftproof.ports import Cluster, Router, WorkloadState

CLAIM = "sufficiency"


def insufficient(reason: str, phase: str = "run", data: Mapping[str, Any] | None = None) -> Finding:
    """Why a run proves nothing."""
    return Finding(CLAIM, phase, Verdict.INCONCLUSIVE, reason, dict(data or {}))


def moved_rules(router: Router, from_pct: int) -> list[Finding]:
    """What somebody else did to the load balancer's rules, by which the run's requests went.

    Customers moved, a rehearsal rule changed, another writer, or not to be read: then nobody knows which side had the
    load, or what load came beside it. Empty: they stayed.
    """
    problem = rules_moved(router, from_pct)
    return [insufficient(problem)] if problem else []


def what_ran(cluster: Cluster, before: WorkloadState | None, run: str) -> tuple[WorkloadState | None, list[Finding]]:
    """What runs now, to be named in the verdict, and why it is not known or not what the run began with.

    before: what it began with; None: it began nothing. run: its kind, e.g. "gate".
    """
    try:
        now = cluster.workload()
    except ShiftproofError as error:
        return None, [insufficient(f"which images ran is not known: {error}")]
    if before is None or set(now.image_ids) == set(before.image_ids):
        return now, []
    if not now.image_ids or not before.image_ids:
        when = "at the end" if before.image_ids else "at the beginning"
        return now, [insufficient(f"no pod was ready {when} of the {run}, so which images ran is not known")]
    reason = f"somebody else deployed while the {run} ran: the images are not those that it began with"
    return now, [insufficient(reason)]
