"""Return to base: once the event is over, pods and nodes go back to what they were before it, and stay there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from shiftproof.judge.elasticity.case import EventCase
from shiftproof.judge.elasticity.claims.common import S, since_start, supply_of
from shiftproof.judge.elasticity.need import asks_to_scale, rises_to_its_end
from shiftproof.judge.elasticity.registry import event_claim
from shiftproof.judge.elasticity.steps import Steps
from shiftproof.judge.words import count, length, listed
from shiftproof.model.verdict import Finding, Verdict

_NAME = "return-to-base"
_HINT = "look at what keeps them: behavior.scaleDown of the autoscaler, and what forbids nodes to be consolidated"


def wanted_for(case: EventCase) -> bool:
    """Not of a ramp that goes on until the service breaks: from there the way back is not that of a day."""
    return asks_to_scale(case) and not rises_to_its_end(case.demand)


@event_claim(_NAME, wanted_for=wanted_for)
def judge(case: EventCase) -> Iterable[Finding]:
    """From the end of the event until the last of the four was back for good.

    Machines beside nodes: one whose node never joined, or is not ready, is paid for all the same.
    """
    supply = supply_of(case)
    curves = {
        "wanted pods": supply.wanted,
        "ready pods": supply.ready,
        "nodes": supply.nodes,
        "machines": supply.launched,
    }
    base = {name: curve.at(case.start_ns) for name, curve in curves.items()}
    left = {name: curve.at(case.looked_until_ns) for name, curve in curves.items()}
    back = {name: _back_ns(curve, base[name], case) for name, curve in curves.items()}
    limit_s, looked_s = case.scaling.limits.return_within_s, (case.looked_until_ns - case.end_ns) / S
    data: dict[str, Any] = {
        "base": base,
        "left": left,
        "back_s": {
            name: None if t is None else since_start(case, t) - since_start(case, case.end_ns)
            for name, t in back.items()
        },
        "limit_s": limit_s,
        "looked_s": round(looked_s, 1),
    }
    if not base["ready pods"]:
        reason = "nothing is known of the pods before the event, so there is no base to go back to."
        yield Finding(_NAME, "run", Verdict.INCONCLUSIVE, reason, data)
    elif not _rose(supply.ready, case) and not _rose(supply.wanted, case):
        reason = "no pod was added in the event, so nothing had to go back."
        yield Finding(_NAME, "run", Verdict.INCONCLUSIVE, reason, data)
    elif None in back.values():
        yield _not_back(case, data, looked_s)
    else:
        yield _back(case, data, max(t for t in back.values() if t is not None), looked_s)


def _back(case: EventCase, data: dict[str, Any], back_ns: int, looked_s: float) -> Finding:
    seconds, limit_s = max(0.0, (back_ns - case.end_ns) / S), case.scaling.limits.return_within_s
    base = data["base"]
    nodes, before = data["left"]["nodes"], base["nodes"]
    there = f"{count(before, 'node')}, as before" if nodes == before else f"{count(nodes, 'node')} ({before} before)"
    after = f"{length(seconds * 1e3)} after the event (within {limit_s:g} s)"
    said = f"{count(base['ready pods'], 'pod')} and {there}, {after}"
    if data["left"]["ready pods"] < base["ready pods"]:
        ready = data["left"]["ready pods"]
        reason = (
            f"only {count(ready, 'pod')} of {base['ready pods']} were ready {length(looked_s * 1e3)} after the event."
        )
        return Finding(_NAME, "run", Verdict.FAIL, reason, data)
    if seconds > limit_s:
        return Finding(_NAME, "run", Verdict.FAIL, f"{said}: too late.", {**data, "hint": _HINT})
    return Finding(_NAME, "run", Verdict.PASS, f"{said}.", data)


def _not_back(case: EventCase, data: dict[str, Any], looked_s: float) -> Finding:
    # A machine below a node that stays is no second fault.
    told = [name for name, at in data["back_s"].items() if at is None]
    told = [name for name in told if name != "machines" or "nodes" not in told]
    over = [f"{count(data['left'][name], name.removesuffix('s'))} instead of {data['base'][name]}" for name in told]
    limit_s = case.scaling.limits.return_within_s
    said = f"still there {length(looked_s * 1e3)} after the event (within {limit_s:g} s): {listed(over)}"
    if looked_s >= limit_s:
        return Finding(_NAME, "run", Verdict.FAIL, f"{said}.", {**data, "hint": _HINT})
    reason = f"{said}; nobody looked for long enough to know."
    return Finding(_NAME, "run", Verdict.INCONCLUSIVE, reason, data)


def _back_ns(curve: Steps, base: int, case: EventCase) -> int | None:
    """The first moment, at the event's end or later, from which on it was never above `base` again; None: none yet."""
    if curve.at(case.looked_until_ns) > base:
        return None
    after = (curve.at_ns > case.end_ns) & (curve.at_ns <= case.looked_until_ns)
    above = np.flatnonzero(curve.values[after] > base)
    if len(above):
        return int(curve.at_ns[after][above[-1] + 1])
    if curve.at(case.end_ns) <= base:
        return case.end_ns
    return int(curve.at_ns[after][0])


def _rose(curve: Steps, case: EventCase) -> bool:
    return curve.first_at_least(curve.at(case.start_ns) + 1, case.start_ns) is not None
