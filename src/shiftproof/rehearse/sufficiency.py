"""Sufficiency: what ran all the while must be what is named, and customers must be where they were."""

from __future__ import annotations

from shiftproof.errors import ShiftproofError
from shiftproof.gate.selfcheck import rules_moved
from shiftproof.model.verdict import Finding, Verdict
from shiftproof.ports import WorkloadState
from shiftproof.rehearse.parts import EventParts

CLAIM = "sufficiency"


def insufficient(reason: str, phase: str = "run") -> Finding:
    """Why the rehearsal proves nothing."""
    return Finding(CLAIM, phase, Verdict.INCONCLUSIVE, reason)


def moved_rules(parts: EventParts) -> list[Finding]:
    """What somebody else did to the load balancer's rules, by one of which the event's requests went.

    Customers moved, a rehearsal rule changed, another writer, or not to be read: then nobody knows which side had the
    load, or what load came beside it. Empty: they stayed.
    """
    problem = rules_moved(parts.router, parts.cluster_pct)
    return [insufficient(problem)] if problem else []


def other_images(parts: EventParts, before: WorkloadState) -> list[Finding]:
    """Whether other images run than did before the event, or nobody knows. Empty: they are the same."""
    try:
        now = parts.cluster.workload()
    except ShiftproofError as error:
        return [insufficient(f"which images ran is not known: {error}")]
    if set(now.image_ids) == set(before.image_ids):
        return []
    return [insufficient("somebody else deployed meanwhile: the images are not those that the rehearsal began with")]
