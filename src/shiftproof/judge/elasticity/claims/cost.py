"""Cost: what the pods cost against what perfect foresight would have paid for the same load.

Never alone: beside it stands what was not served. Supply that is cheaper than foresight was too small for a while, and
when requests were lost over it, what was saved is no merit but the fault.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from shiftproof.judge.elasticity.case import EventCase
from shiftproof.judge.elasticity.claims.common import shortfall_of, supply_of
from shiftproof.judge.elasticity.figures import without_boot
from shiftproof.judge.elasticity.hindsight import cost_of, optimum
from shiftproof.judge.elasticity.need import pods_needed, rises_to_its_end
from shiftproof.judge.elasticity.provisioning import Provisioning, provisioning
from shiftproof.judge.elasticity.registry import event_claim
from shiftproof.judge.words import percent
from shiftproof.model.verdict import Finding, Verdict

_NAME = "cost"
_HINT = "scale in sooner (behavior.scaleDown), aim at fuller pods, or let what a pod carries be measured again"


@dataclass(frozen=True, slots=True)
class Spent:
    """cost: of the pods that were there, foresight: of the cheapest that would have been enough; pod_s: pods x s.

    machine_s: machines on demand x s, from launch to end: what a cloud bills. A share of nodes that are there anyway
    has no price here, so they are a figure beside the cost and no part of it.
    """

    cost: float
    foresight: float
    pod_s: float
    machine_s: float
    provisioning: Provisioning

    @property
    def ratio(self) -> float:
        return self.cost / self.foresight


def wanted_for(case: EventCase) -> bool:
    """A ramp that goes on until the service breaks asks for what nobody would pay for."""
    return not rises_to_its_end(case.demand)


def spent(case: EventCase) -> Spent | None:
    """From the event's start until we ceased to look, by the second; None where no pod was seen or nothing costs.

    Foresight starts from the least number of pods, and pays a start with the time to boot. A pod that was there is
    paid from its placing or from the launch of the machine that it waited for, so that its boot is paid as well.
    """
    supply = supply_of(case)
    paid = supply.paid.on_grid(case.start_ns, case.looked_until_ns, 1.0)
    needed = pods_needed(case).on_grid(case.start_ns, case.looked_until_ns, 1.0)
    ready = supply.ready.on_grid(case.start_ns, case.looked_until_ns, 1.0)
    if not len(paid) or not paid.sum():
        return None
    plan = optimum(needed, 1.0, case.prices, case.scaling.least_pods)
    if plan.cost <= 0:
        return None
    cost = cost_of(paid, 1.0, without_boot(case.prices), int(paid[0]))
    rented = supply.rented.on_grid(case.start_ns, case.looked_until_ns, 1.0)
    return Spent(cost, plan.cost, float(paid.sum()), float(rented.sum()), provisioning(needed, ready, 1.0))


@event_claim(_NAME, wanted_for=wanted_for)
def judge(case: EventCase) -> Iterable[Finding]:
    """The ratio, with under- and over-provisioning and what was not served beside it."""
    account = spent(case)
    if account is None:
        reason = "no pod of the service was seen, or pods have no price, so nobody knows what the supply cost."
        yield Finding(_NAME, "run", Verdict.INCONCLUSIVE, reason)
        return
    missed, limit = shortfall_of(case), case.scaling.limits.cost_ratio
    figures = account.provisioning
    data: dict[str, Any] = {
        "cost": account.cost,
        "hindsight_cost": account.foresight,
        "ratio": round(account.ratio, 3),
        "limit": limit,
        "pod_seconds": account.pod_s,
        "machine_seconds": account.machine_s,
        "requests": missed.n,
        "bad": missed.bad,
        **asdict(figures),
    }
    said = (
        f"{account.ratio:.2g} times what perfect foresight would have paid (at most {limit:g}), beside"
        f" {account.machine_s / 60:.1f} machine-minutes on demand; {missed.words};"
        f" too few pods ready {percent(figures.under_share)} of the time, too many {percent(figures.over_share)}"
    )
    if account.ratio > limit:
        yield Finding(_NAME, "run", Verdict.FAIL, f"{said}: too dear.", {**data, "hint": _HINT})
    elif account.ratio < 1 and missed.least > case.scaling.limits.shortfall_pct / 100:
        reason = f"{said}: cheaper than foresight since it was under-provisioned, which is no saving."
        yield Finding(_NAME, "run", Verdict.INCONCLUSIVE, reason, data)
    elif account.ratio < 1:
        reason = f"{said}: cheaper than foresight, as it was under-provisioned for a while."
        yield Finding(_NAME, "run", Verdict.PASS, reason, data)
    else:
        yield Finding(_NAME, "run", Verdict.PASS, f"{said}.", data)
