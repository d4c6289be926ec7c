"""Pre-provisioning: the event met the service as an ordinary day leaves it, and not scaled up beforehand.

What is scaled by hand before the rehearsal shows that the peak fits, and nothing of whether supply follows demand.
"""

from __future__ import annotations

from collections.abc import Iterable

from shiftproof.judge.elasticity.case import EventCase
from shiftproof.judge.elasticity.claims.common import supply_of
from shiftproof.judge.elasticity.need import pods_needed
from shiftproof.judge.elasticity.registry import event_claim
from shiftproof.judge.words import count
from shiftproof.model.verdict import Finding, Verdict

_NAME = "pre-provisioning"
_HINT = "begin from the base: let the autoscaler scale in first, and take back what raised the least number of pods"


@event_claim(_NAME)
def judge(case: EventCase) -> Iterable[Finding]:
    """Pods, and nodes where the session knows how many the base load needs (facts["base_nodes"]), at the start."""
    supply = supply_of(case)
    ready, wanted = supply.ready.at(case.start_ns), supply.wanted.at(case.start_ns)
    nodes, needed = supply.nodes.at(case.start_ns), pods_needed(case).at(case.start_ns)
    base_nodes, spare = case.facts.get("base_nodes"), case.scaling.limits.spare_before_pods
    data = {"ready": ready, "wanted": wanted, "needed": needed, "spare_pods": spare, "nodes": nodes}
    said = (
        f"{count(ready, 'pod')} ready on {count(nodes, 'node')} when the event began; its base load needs {needed},"
        f" and {spare} more may be there"
    )
    if ready > needed + spare:
        yield Finding(_NAME, "run", Verdict.FAIL, f"{said}: it was scaled up beforehand.", {**data, "hint": _HINT})
    elif isinstance(base_nodes, int) and nodes > base_nodes:
        reason = f"{said}; but {count(nodes - base_nodes, 'node')} beyond the base's {base_nodes} were there already."
        yield Finding(_NAME, "run", Verdict.FAIL, reason, {**data, "base_nodes": base_nodes, "hint": _HINT})
    elif ready < min(needed, case.scaling.least_pods):
        reason = f"{said}: it was not at its base, so nobody knows what an ordinary day is like."
        yield Finding(_NAME, "run", Verdict.INCONCLUSIVE, reason, data)
    else:
        yield Finding(_NAME, "run", Verdict.PASS, f"{said}.", data)
