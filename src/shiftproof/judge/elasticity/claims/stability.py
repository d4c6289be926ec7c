"""Stability: what the autoscaler wants turns when the load does, and does not swing by itself.

Two sorts of swing: it changes its mind more often than the load changes direction (pods that are busy starting look
like load, more are wanted, all are idle once they are up, and so on), or it goes far beyond what the peak needs. The
latter stands here and not with cost, since a short swing costs little and still takes nodes and addresses from others.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from shiftproof.judge.elasticity.case import EventCase
from shiftproof.judge.elasticity.claims.common import since_start, supply_of
from shiftproof.judge.elasticity.need import asks_to_scale, pods_needed
from shiftproof.judge.elasticity.registry import event_claim
from shiftproof.judge.elasticity.steps import Steps
from shiftproof.judge.elasticity.supply import TOLERATED
from shiftproof.judge.words import count
from shiftproof.model.verdict import Finding, Verdict

_NAME = "stability"
_HINT = (
    "scale on a signal that starting up does not raise, or leave new pods out of it until they are ready"
    " (--horizontal-pod-autoscaler-cpu-initialization-period), and let scale-in wait (behavior.scaleDown)"
)


@event_claim(_NAME)
def judge(case: EventCase) -> Iterable[Finding]:
    """Over the event and until all was back: changes of direction, and the most that was ever wanted."""
    wanted = supply_of(case).wanted.between(case.start_ns, case.looked_until_ns)
    needed = pods_needed(case).between(case.start_ns, case.looked_until_ns)
    if not len(wanted.values):
        reason = "nothing is known of how many pods were wanted: no autoscaler was seen."
        yield Finding(_NAME, "run", Verdict.INCONCLUSIVE, reason)
        return
    turns, own = wanted.turns(), needed.turns()
    most, peak = int(wanted.values.max()), int(needed.values.max())
    data: dict[str, Any] = {
        "turns": turns,
        "demand_turns": own,
        "flaps": max(0, turns - own),
        "limit": case.scaling.limits.flaps,
        "most_wanted": most,
        "most_needed": peak,
        "wanted": [
            [since_start(case, t), v] for t, v in zip(wanted.at_ns.tolist(), wanted.values.tolist(), strict=True)
        ],
    }
    said = (
        f"the number of pods that were wanted changed direction {count(turns, 'time')}, the load {count(own, 'time')}"
        f" (and {case.scaling.limits.flaps} more may be); at most {most} were wanted, {peak} are needed at the peak"
    )
    if turns - own > case.scaling.limits.flaps:
        reason = f"{said}: it flaps ({_walk(wanted)})."
        yield Finding(_NAME, "run", Verdict.FAIL, reason, {**data, "hint": _HINT})
    elif most > _allowed(peak):
        yield Finding(_NAME, "run", Verdict.FAIL, f"{said}: it overshoots.", {**data, "hint": _HINT})
    elif len(wanted.values) == 1 and not asks_to_scale(case):
        reason = f"{count(most, 'pod')} were wanted all the time of a load that asks for no more: nothing moved."
        yield Finding(_NAME, "run", Verdict.PASS, reason, data)
    elif most <= int(wanted.values[0]):
        reason = f"{said}: it never wanted more than at the start, which shows nothing of how steady it is."
        yield Finding(_NAME, "run", Verdict.INCONCLUSIVE, reason, data)
    else:
        yield Finding(_NAME, "run", Verdict.PASS, f"{said}.", data)


def _allowed(peak: int) -> int:
    """One pod more than needed, or the 10% that an HPA tolerates where that is more."""
    return max(peak + 1, math.ceil(peak * TOLERATED - 1e-9))


def _walk(wanted: Steps) -> str:
    """As in "2, 6, 3, 6, 2", with what is beyond a dozen left out."""
    walk = [str(value) for value in wanted.values.tolist()]
    return ", ".join([*walk[:12], *(["…"] if len(walk) > 12 else [])])
