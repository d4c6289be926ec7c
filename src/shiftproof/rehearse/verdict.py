"""From findings to the one result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from shiftproof.gate.identity import run_info
from shiftproof.gate.sufficiency import insufficient
from shiftproof.gate.where import with_place
from shiftproof.judge import pair_up
from shiftproof.judge.elasticity.case import EventCase
from shiftproof.model.event import Failure
from shiftproof.model.rehearsed import Rehearsed
from shiftproof.model.result import CustomerCount, PairCount, PhaseRow, RunResult
from shiftproof.model.verdict import Finding, Verdict, merge
from shiftproof.ports import WorkloadState
from shiftproof.rehearse.judging import as_figure, is_of_base
from shiftproof.rehearse.preflight import CLAIM as PREFLIGHT
from shiftproof.rehearse.settings import RehearsalSettings
from shiftproof.rehearse.underway import of_event

FIXED = "fixed capacity: for comparison, it proves nothing about scaling"


def conclude(
    settings: RehearsalSettings,
    cluster_pct: int,
    began: datetime,
    findings: Sequence[Finding],
    case: EventCase | None,
    workload: WorkloadState | None,
) -> RunResult:
    """Merge all findings. Without a request that was judged the best there is is INCONCLUSIVE."""
    found = [with_place(finding, settings.service, settings.infra_dir) for finding in findings]
    if case is None and merge(finding.verdict for finding in found) is not Verdict.FAIL:
        found.append(insufficient("nothing was measured"))
    if settings.fixed_pods is not None:
        # What else preflight found has nothing to do with how many pods there are.
        found = [one if one.claim == PREFLIGHT and not is_of_base(one) else as_figure(one) for one in found]
        found.append(insufficient(FIXED))
    return RunResult(
        verdict=merge(finding.verdict for finding in found),
        service=settings.service.name,
        target=settings.target.name,
        from_pct=cluster_pct,
        to_pct=cluster_pct,
        started_at=began,
        seconds=(datetime.now(UTC) - began).total_seconds(),
        findings=tuple(found),
        requests=_pairs(case),
        customers=CustomerCount(),
        outages=(),
        run=run_info(settings, workload, _load_s(case)),
        run_dir=settings.run_dir,
        phases=_rows(case, found),
        event=rehearsed(settings, case),
        next_command=f"shiftproof {_command(settings)}" if settings.fixed_pods is not None else None,
    )


def rehearsed(settings: RehearsalSettings, case: EventCase | None) -> Rehearsed:
    """Which event, and what became of its requests."""
    peak_per_s = settings.service.load.peak_per_s
    assert peak_per_s is not None, "checked before it was opened"
    found = Rehearsed.of(settings.event, peak_per_s, settings.target.events.demand_scale)
    if case is None:
        return found
    mine = of_event(case.history.events)
    lost = mine["failure"] != Failure.NONE
    slow = mine["ended_ns"] - mine["intended_ns"] > settings.service.objectives.latency.threshold_ms * 1e6
    bad, failed = int(np.count_nonzero(lost | slow)), int(np.count_nonzero(lost))
    return replace(found, sent=len(mine), bad=bad, failed=failed)


def _command(settings: RehearsalSettings) -> str:
    return f"rehearse {settings.event.name} --service {settings.service.name}"


def _pairs(case: EventCase | None) -> PairCount:
    if case is None:
        return PairCount()
    pairs = pair_up(case.history.events, case.history.phases)
    return PairCount(
        pairs=int(pairs.complete.sum()),
        failed=int((pairs.complete & ~pairs.treatment_ok).sum()),
        attributed=int((pairs.complete & pairs.attributed).sum()),
    )


def _load_s(case: EventCase | None) -> float:
    return 0.0 if case is None else (case.looked_until_ns - case.start_ns) / 1e9


def _rows(case: EventCase | None, findings: Sequence[Finding]) -> tuple[PhaseRow, ...]:
    checks = [finding for finding in findings if finding.claim == PREFLIGHT and finding.phase != "base"]
    bad = [finding for finding in checks if finding.verdict is not Verdict.PASS]
    said = f"{bad[0].phase}: {bad[0].reason}" if bad else f"{len(checks)} checks"
    rows = [PhaseRow("preflight", merge(finding.verdict for finding in checks), said)]
    for phase in case.history.phases if case is not None else ():
        own = [finding for finding in findings if finding.phase == phase.name]
        seconds = (phase.end_ns - phase.start_ns) / 1e9
        verdict = merge(finding.verdict for finding in own) if own else None
        missing = phase.facts.get("missing")
        rows.append(PhaseRow(phase.name, verdict, f"{seconds:.0f} s" + (f", {missing}" if missing else ""), None))
    return tuple(rows)
