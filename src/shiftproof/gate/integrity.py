"""What the run of the suites itself says: a drill skipped, left out or broken proved nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

from shiftproof.errors import ClearFail, MeasureError, ServiceFault
from shiftproof.gate.rehearsal import ClaimFailed, ClaimInconclusive
from shiftproof.model.verdict import Finding, Verdict

CLAIM = "suite"


@dataclass(slots=True)
class Integrity:
    """Kept by the pytest plugin while drills run.

    expected: required drills that were collected. deselected: those left out by -k or -m.
    """

    expected: list[str] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    deselected: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    _ended: set[str] = field(default_factory=set)

    def drill_passed(self, name: str) -> None:
        self.passed.append(name)
        self._ended.add(name)

    def drill_skipped(self, name: str, why: str) -> None:
        """A skip or an expected failure: pytest exits 0 on both, we do not."""
        self._ended.add(name)
        self._add(name, Verdict.INCONCLUSIVE, f"{name} did not run: {why}")

    def drill_broke(self, name: str, error: BaseException | None) -> None:
        """A drill failed; its exception tells the service's fault from ours (None: pytest itself failed it)."""
        self._ended.add(name)
        if isinstance(error, ClaimFailed | ClaimInconclusive):
            return  # the judges say it better, over the whole run
        if isinstance(error, ServiceFault):
            verdict = Verdict.FAIL
            reason = str(error) if isinstance(error, ClearFail) else f"{name}: {error}"
            self._add(name, verdict, reason)
        elif error is None:
            self._add(name, Verdict.INCONCLUSIVE, f"{name} was failed by pytest, not by a claim")
        elif isinstance(error, MeasureError):
            self._add(name, Verdict.INCONCLUSIVE, f"{name}: {error}")
        else:
            self._add(name, Verdict.INCONCLUSIVE, f"{name} broke: {type(error).__name__}: {error}")

    def closing_findings(self, *, failed_early: bool) -> list[Finding]:
        """Findings of the suites as a whole.

        After a FAIL of the judges what did not run needs no excuse, and the drill that it ended need not say it again.
        """
        findings = [f for f in self.findings if not (failed_early and f.verdict is Verdict.FAIL)]
        if self.deselected and not failed_early:
            reason = f"left out: {', '.join(sorted(self.deselected))}; only the whole suite can pass"
            findings.append(Finding(CLAIM, "run", Verdict.INCONCLUSIVE, reason))
        never_ended = sorted(set(self.expected) - self._ended)
        if never_ended and not failed_early:
            findings.append(Finding(CLAIM, "run", Verdict.INCONCLUSIVE, f"did not run: {', '.join(never_ended)}"))
        if not findings and not self.passed:
            findings.append(Finding(CLAIM, "run", Verdict.INCONCLUSIVE, "no drill ran"))
        return findings

    def _add(self, phase: str, verdict: Verdict, reason: str) -> None:
        self.findings.append(Finding(CLAIM, phase, verdict, reason))
