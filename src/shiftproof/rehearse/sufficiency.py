"""Whether the load balancer's rules stayed put while an event was rehearsed: its requests went by one of them."""

from __future__ import annotations

from shiftproof.gate.selfcheck import rules_moved
from shiftproof.model.verdict import Finding, Verdict
from shiftproof.rehearse.parts import EventParts


def moved_rules(parts: EventParts) -> list[Finding]:
    """What somebody else did to them: customers moved, a rehearsal rule changed, another writer, or not to be read.

    Then nobody knows which side had the load, or what load came beside it, so it is INCONCLUSIVE. Empty: they stayed.
    """
    problem = rules_moved(parts.router, parts.cluster_pct)
    return [Finding("sufficiency", "run", Verdict.INCONCLUSIVE, problem)] if problem else []
