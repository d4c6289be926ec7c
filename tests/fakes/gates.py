"""What tests say of how a gate ended."""

from __future__ import annotations

from collections.abc import Callable

from shiftproof.gate.outcome import Outcome
from shiftproof.model.verdict import Verdict

Gate = Callable[..., Outcome]
"""Runs one gate; see tests/gate/conftest.py."""


def reasons(outcome: Outcome) -> str:
    """All that keeps the gate shut, a line each; empty for one that passed."""
    if outcome.error is not None:
        return outcome.error.one_line()
    assert outcome.result is not None
    bad = [finding for finding in outcome.result.findings if finding.verdict is not Verdict.PASS]
    return "\n".join(f"{finding.claim} {finding.phase} {finding.verdict}: {finding.reason}" for finding in bad)


def shut(outcome: Outcome, because: str) -> None:
    """The gate is INCONCLUSIVE or could not run, and says why."""
    assert outcome.exit_code in (2, 3), f"exit {outcome.exit_code}: {reasons(outcome)}"
    assert because in reasons(outcome)
