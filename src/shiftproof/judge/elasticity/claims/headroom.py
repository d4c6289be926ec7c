"""Headroom: how much more than the declared peak the service carries before it breaks. Of ramps to the break alone."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from shiftproof.judge.elasticity.case import EventCase
from shiftproof.judge.elasticity.claims.common import shortfall_of, sick_control
from shiftproof.judge.elasticity.knee import Knee, knee
from shiftproof.judge.elasticity.need import rates_at, rises_to_its_end
from shiftproof.judge.elasticity.registry import event_claim
from shiftproof.judge.elasticity.served import of_event
from shiftproof.model.verdict import Finding, Verdict

_NAME = "headroom"
#: A second with fewer requests than this is no share worth the name.
_MIN_REQUESTS = 5
_HINT = "more pods (most_pods), more that a pod carries, or what they all wait for: see where the time goes at the knee"


def wanted_for(case: EventCase) -> bool:
    """Only where the load rises until it ends: elsewhere there is no break to be looked for."""
    return rises_to_its_end(case.demand)


@event_claim(_NAME, wanted_for=wanted_for)
def judge(case: EventCase) -> Iterable[Finding]:
    """FAIL when it breaks below the declared peak, beyond the error of what it carried."""
    if not rises_to_its_end(case.demand):
        reason = "the load does not rise until it ends, so the service was not taken to where it breaks."
        yield Finding(_NAME, "run", Verdict.INCONCLUSIVE, reason)
        return
    found = _knee(case)
    if found is None:
        yield Finding(_NAME, "run", Verdict.INCONCLUSIVE, "no second of the ramp has enough requests to judge it by.")
        return
    peak = _declared(case)
    data: dict[str, Any] = {
        "carried_per_s": round(found.carried_per_s, 1),
        "error_per_s": round(found.error_per_s, 1),
        "broke": found.broke,
        "declared_peak_per_s": peak,
        "multiple": None if peak is None else round(found.carried_per_s / peak, 2),
    }
    said = f"it carried {found.carried_per_s:,.0f} ± {found.error_per_s:,.0f} requests/s"
    said += ", and broke above" if found.broke else ", all that was sent, and did not break"
    shared = sick_control(case, shortfall_of(case))
    if shared is not None:
        yield Finding(_NAME, "run", Verdict.INCONCLUSIVE, f"{said}; but {shared}: the cause is shared.", data)
    elif peak is None:
        yield Finding(_NAME, "run", Verdict.INCONCLUSIVE, f"{said}; no peak is declared to hold it against.", data)
    else:
        yield _against(found, peak, said, data)


def _against(found: Knee, peak: float, said: str, data: dict[str, Any]) -> Finding:
    said = f"{said}: {found.carried_per_s / peak:.2g} times the declared peak of {peak:,.0f}/s"
    if found.broke and found.carried_per_s + found.error_per_s < peak:
        return Finding(_NAME, "run", Verdict.FAIL, f"{said}, which it does not carry.", {**data, "hint": _HINT})
    if found.carried_per_s - (found.error_per_s if found.broke else 0) >= peak:
        return Finding(_NAME, "run", Verdict.PASS, f"{said}.", data)
    if not found.broke:
        return Finding(_NAME, "run", Verdict.INCONCLUSIVE, f"{said}, which the ramp did not reach.", data)
    return Finding(_NAME, "run", Verdict.INCONCLUSIVE, f"{said}: too close to it to be sure.", data)


def _knee(case: EventCase) -> Knee | None:
    """From the last time that the load fell on, by seconds that have requests enough."""
    mine = of_event(case)
    seconds = np.arange(math.ceil(case.demand.seconds))
    total, bad = mine.each_s(len(seconds)), mine.each_s(len(seconds), mine.bad)
    rates = rates_at(case.demand, seconds.astype(np.float64))
    enough = total >= _MIN_REQUESTS
    falls = np.flatnonzero(np.diff(rates) < 0)
    if len(falls):
        enough[: falls[-1] + 1] = False
    if not enough.any():
        return None
    shares = bad[enough] / total[enough]
    settle_s = math.ceil(case.objectives.latency.threshold_ms / 1000)
    return knee(rates[enough], shares, case.objectives.latency.margin, case.alpha, settle_s)


def _declared(case: EventCase) -> float | None:
    """The declared peak as this target sends it, in requests a second; None: none was declared."""
    peak, scale = case.facts.get("declared_peak_per_s"), case.facts.get("demand_scale", 1.0)
    if not isinstance(peak, int | float) or not isinstance(scale, int | float) or peak * scale <= 0:
        return None
    return float(peak * scale)
