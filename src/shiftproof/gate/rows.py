"""One line a phase, as people see it: how it went, in figures."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

from shiftproof.judge import Case
from shiftproof.judge.claims.common import outages_in
from shiftproof.model.history import Phase, PhaseKind
from shiftproof.model.result import PhaseRow
from shiftproof.model.verdict import Finding, Verdict, merge


def preflight_row(checks: Sequence[Finding]) -> PhaseRow:
    """All checks as one line."""
    bad = [finding for finding in checks if finding.verdict is not Verdict.PASS]
    detail = f"{bad[0].phase}: {bad[0].reason}" if bad else f"{len(checks)} checks"
    return PhaseRow("preflight", merge(finding.verdict for finding in checks), detail)


def phase_row(name: str, case: Case, findings: Sequence[Finding]) -> PhaseRow:
    """All repeats of the phase `name` as one line; unjudged when there are no findings."""
    numbered = [(index, phase) for index, phase in case.phases() if phase.name == name]
    phases = [phase for _, phase in numbered]
    rows = [case.pairs.rows(index) for index, _ in numbered]
    crash = bool(phases) and phases[0].kind is PhaseKind.CRASH
    return PhaseRow(
        name=name,
        verdict=merge(finding.verdict for finding in findings) if findings else None,
        detail=_crash_detail(case, [index for index, _ in numbered]) if crash else _detail(phases),
        # What a crash costs is held against its budget; only graceful pairs are counted as evidence.
        pairs=None if crash else sum(int(case.pairs.complete[part].sum()) for part in rows),
        attributed=sum(int(case.pairs.attributed[part].sum()) for part in rows),
        seconds=sum(phase.end_ns - phase.start_ns for phase in phases) / 1e9,
    )


def all_rows(case: Case, checks: Sequence[Finding], findings: Sequence[Finding]) -> tuple[PhaseRow, ...]:
    """Preflight and every phase, in the order they were first tried."""
    names = dict.fromkeys(phase.name for phase in case.history.phases)
    rows = [phase_row(name, case, [f for f in findings if f.phase == name]) for name in names]
    return (preflight_row(checks), *rows) if checks else tuple(rows)


def _detail(phases: Sequence[Phase]) -> str:
    times = len(phases)
    rollouts = [phase.facts["rollout_s"] for phase in phases if "rollout_s" in phase.facts]
    moves = [phase.facts["seconds"] for phase in phases if phase.facts.get("seconds") is not None]
    quiet_s = next((float(phase.facts["quiet_s"]) for phase in phases if "quiet_s" in phase.facts), None)
    peak = next((phase.facts["peak"] for phase in phases if "peak" in phase.facts), None)
    if quiet_s is not None:
        return f"{quiet_s:g} s without a request"
    if peak is not None:
        return f"{peak['required_per_s']:g}/s on {peak['side']}" + (", ended early" if peak["stopped"] else "")
    if rollouts:
        return f"{times} rollouts, {mean(rollouts):.1f} s each" if times > 1 else f"1 rollout, {rollouts[0]:.1f} s"
    if phases and phases[0].kind is PhaseKind.ROLLBACK and moves:
        return f"back in {max(moves):.1f} s, {len(moves)} of {times}"
    if moves:
        return f"traffic followed in {max(moves):.1f} s, {len(moves)} of {times}"
    return f"{times} times" if times > 1 else ""


def _crash_detail(case: Case, repeats: Sequence[int]) -> str:
    """By the phase's own failures, as its claim has it: one just before it must not carry them out of its line."""
    spans = [span for index in repeats for span in outages_in(case, case.pairs.attributed_rows(index))]
    lost = sum(span.requests for span in spans)
    if not spans:
        return "no outage"
    longest = max(spans, key=lambda span: span.duration_ms)
    return f"outage {longest.duration_ms / 1e3:.2f} s +- {longest.error_ms:.0f} ms, {lost} requests"
