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

    deselected: required drills left out by -k or -m. stopped: why the rest was not run, when a FAIL ended it early.
    """

    passed: list[str] = field(default_factory=list)
    deselected: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def drill_passed(self, name: str) -> None:
        self.passed.append(name)

    def drill_skipped(self, name: str, why: str) -> None:
        """A skip or an expected failure: pytest exits 0 on both, we do not."""
        self._add(name, Verdict.INCONCLUSIVE, f"{name} did not run: {why}")

    def drill_broke(self, name: str, error: BaseException) -> None:
        """A drill ended with an exception; its type tells the service's fault from ours."""
        if isinstance(error, ClaimFailed | ClaimInconclusive):
            return  # the judges say it better, over the whole run
        if isinstance(error, ServiceFault):
            verdict = Verdict.FAIL
            reason = str(error) if isinstance(error, ClearFail) else f"{name}: {error}"
            self._add(name, verdict, reason)
        elif isinstance(error, MeasureError):
            self._add(name, Verdict.INCONCLUSIVE, f"{name}: {error}")
        else:
            self._add(name, Verdict.INCONCLUSIVE, f"{name} broke: {type(error).__name__}: {error}")

    def closing_findings(self, *, failed_early: bool) -> list[Finding]:
        """Findings of the suites as a whole. After an early FAIL what did not run needs no excuse."""
        findings = list(self.findings)
        if self.deselected and not failed_early:
            reason = f"left out: {', '.join(sorted(self.deselected))}; only the whole suite can pass"
            findings.append(Finding(CLAIM, "run", Verdict.INCONCLUSIVE, reason))
        if not findings and not self.passed:
            findings.append(Finding(CLAIM, "run", Verdict.INCONCLUSIVE, "no drill ran"))
        return findings

    def _add(self, phase: str, verdict: Verdict, reason: str) -> None:
        self.findings.append(Finding(CLAIM, phase, verdict, reason))
