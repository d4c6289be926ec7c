"""From findings to the one result."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from shiftproof.gate.preflight import CLAIM as PREFLIGHT
from shiftproof.gate.rows import all_rows, preflight_row
from shiftproof.gate.settings import GateSettings
from shiftproof.gate.sufficiency import insufficient
from shiftproof.gate.where import with_place
from shiftproof.judge import Case, outages_of
from shiftproof.model.result import CustomerCount, PairCount, RunInfo, RunResult
from shiftproof.model.verdict import Finding, Verdict, merge


def conclude(
    settings: GateSettings,
    from_pct: int,
    began: datetime,
    findings: Sequence[Finding],
    case: Case | None,
    info: RunInfo,
) -> RunResult:
    """Merge all findings. Without a single judged request the best there is is INCONCLUSIVE."""
    all_findings = [with_place(finding, settings.service, settings.infra_dir) for finding in findings]
    if case is None and merge(f.verdict for f in all_findings) is not Verdict.FAIL:
        all_findings.append(insufficient("no load was sent, nothing was measured"))
    verdict = merge(finding.verdict for finding in all_findings)
    checks = [finding for finding in all_findings if finding.claim == PREFLIGHT]
    customers = case.history.customers if case is not None else None
    return RunResult(
        verdict=verdict,
        service=settings.service.name,
        target=settings.target.name,
        from_pct=from_pct,
        to_pct=settings.to_pct,
        started_at=began,
        seconds=(datetime.now(UTC) - began).total_seconds(),
        findings=tuple(all_findings),
        requests=_pairs(case),
        customers=CustomerCount(customers.requests, customers.failed) if customers else CustomerCount(),
        outages=outages_of(case.outages, case.history.phases) if case is not None else (),
        run=info,
        run_dir=settings.run_dir,
        phases=all_rows(case, checks, all_findings) if case is not None else (preflight_row(checks),),
    )


def _pairs(case: Case | None) -> PairCount:
    if case is None:
        return PairCount()
    complete = case.pairs.complete
    return PairCount(
        pairs=int(complete.sum()),
        failed=int((complete & ~case.pairs.treatment_ok).sum()),
        attributed=int((complete & case.pairs.attributed).sum()),
    )
