"""What the page of a rehearsal is drawn from, as the judges computed it."""

from __future__ import annotations

import numpy as np

from shiftproof.judge.elasticity import EventCase, EventFigures, Provisioning, figures, provisioning
from shiftproof.judge.elasticity.claims.common import shortfall_of, supply_of
from shiftproof.judge.elasticity.claims.cost import spent
from shiftproof.model.event import Failure
from shiftproof.rehearse.underway import of_event
from shiftproof.report.event_evidence import EventEvidence, Variant


def evidence_of(case: EventCase, variants: tuple[Variant, ...] = ()) -> EventEvidence:
    """variants: the same event with other supplies, for the table beside the figure."""
    return EventEvidence(
        start_ns=case.start_ns,
        demand=case.demand,
        curves=figures(case),
        timeline=case.history.timeline,
        threshold_ms=case.objectives.latency.threshold_ms,
        variants=variants,
    )


def variant_of(name: str, case: EventCase) -> Variant:
    """One run of several, in figures; each is measured as it was, nothing here is simulated.

    pods: the fewest and the most that were ready from the event's start until we ceased to look.
    """
    ready = supply_of(case).ready.on_grid(case.start_ns, case.looked_until_ns, 1.0)
    least, most = (int(ready.min()), int(ready.max())) if len(ready) else (0, 0)
    account, missed, found = spent(case), shortfall_of(case), _provisioned(figures(case))
    mine = of_event(case.history.events)
    latency_ms = ((mine["ended_ns"] - mine["intended_ns"]) / 1e6)[mine["failure"] == Failure.NONE]
    return Variant(
        name=name,
        pods=f"{most}" if least == most else f"{least} to {most}",
        sent=missed.n,
        bad=missed.bad,
        p99_ms=float(np.quantile(latency_ms, 0.99)) if len(latency_ms) else None,
        cost=None if account is None else account.cost,
        hindsight_cost=None if account is None else account.foresight,
        machine_s=None if account is None else account.machine_s,
        under_share=found.under_share,
        over_share=found.over_share,
    )


def _provisioned(curves: EventFigures) -> Provisioning:
    """Pods that were missing and idle, from the event's start on."""
    since = curves.seconds >= 0
    return provisioning(curves.pods_needed[since], curves.pods_ready[since], 1.0)
