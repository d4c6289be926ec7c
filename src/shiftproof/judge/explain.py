"""The whole verdict in one sentence, and the one thing to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shiftproof.judge.case import Case
from shiftproof.judge.words import percent
from shiftproof.model.verdict import Finding, Verdict, merge

#: Which finding a reader needs first when several have the same verdict: the cause before its symptoms.
_FIRST = ("customers", "deploy", "availability", "outage", "rollback", "recovery", "latency", "sufficiency")


@dataclass(frozen=True, slots=True)
class Explanation:
    """verdict: merged. sentence: why, in one. culprit: the timeline's sentence; hint: what to try. Both may be None.

    leading: the finding that the sentence is taken from, None when all passed or there is none.
    """

    verdict: Verdict
    sentence: str
    culprit: str | None
    hint: str | None
    leading: Finding | None


def explain(findings: Sequence[Finding], case: Case | None = None) -> Explanation:
    """Merge and explain. `case`: for the confidence that a PASS is stated with (99% without it)."""
    verdict = merge(finding.verdict for finding in findings)
    if not findings:
        return Explanation(verdict, "Nothing was judged, so nothing is proven.", None, None, None)
    if verdict is Verdict.PASS:
        return Explanation(verdict, _passed(findings, case), None, None, None)
    worst = sorted((f for f in findings if f.verdict is verdict), key=_order)
    leading = worst[0]
    same = [f for f in worst if f.data.get("culprit") and (f is leading or f.phase == leading.phase)]
    culprit = same[0].data["culprit"] if same else None
    hints = [f.data["hint"] for f in (*same[:1], leading) if f.data.get("hint")]
    others = sorted({f"{f.claim} ({f.phase})" for f in worst[1:]} - {f"{leading.claim} ({leading.phase})"})
    sentence = _with_phase(leading) + (
        f" Also: {', '.join(others[:4])}{' …' if len(others) > 4 else ''}." if others else ""
    )
    return Explanation(verdict, sentence, culprit, hints[0] if hints else None, leading)


def _passed(findings: Sequence[Finding], case: Case | None) -> str:
    pooled = [f.data for f in findings if f.claim == "availability" and f.phase == "run" and "graceful_pairs" in f.data]
    if not pooled:
        return f"All {len(findings)} findings pass."
    n, k, below = pooled[0]["graceful_pairs"], pooled[0]["attributed"], pooled[0]["ruled_out_rate"]
    confidence = case.confidence if case is not None else 0.99
    said = f"{k:,} of {n:,} graceful pairs attributed (below {percent(below)} at {confidence:.0%})"
    return f"Nothing a customer could notice: {said}."


def _with_phase(finding: Finding) -> str:
    said = finding.phase == "run" or finding.reason.startswith(f"{finding.phase}:")
    return finding.reason if said else f"{finding.phase}: {finding.reason}"


def _order(finding: Finding) -> tuple[int, int, str]:
    rank = _FIRST.index(finding.claim) if finding.claim in _FIRST else len(_FIRST)
    early = 0 if finding.data.get("culprit") else 1
    return rank, early, finding.phase
