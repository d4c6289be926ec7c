"""The claims of a gate, and the one door through which all of them are judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from shiftproof.judge.case import Case
from shiftproof.judge.open_registry import CaseJudge, Registry
from shiftproof.model.verdict import Finding

Judge = CaseJudge[Case]

_CLAIMS: Registry[Case] = Registry()
_REGISTRY = _CLAIMS.judges


def claim(name: str) -> Callable[[Judge], Judge]:
    """Register a judge: a function from a Case to findings. A team's own claims are registered the same way.

        @claim("no-legacy-reads")
        def judge(case: Case) -> Iterable[Finding]: ...

    Raises UserError when the name is taken by another function.
    """
    return _CLAIMS.claim(name)


def forget_claim(name: str) -> None:
    """Take a claim out again (for tests of a team's own claims); unknown names are fine."""
    _CLAIMS.forget(name)


def require_claims() -> None:
    """From now on all claims that are registered must be judged; called once, after the built-in ones."""
    _CLAIMS.require_all()


def claim_names() -> tuple[str, ...]:
    """All registered claims, built-in ones first, in the order they were registered."""
    return _CLAIMS.names()


def judge_all(case: Case, claims: Sequence[str] | None = None) -> tuple[Finding, ...]:
    """Judge every claim named (all registered ones when None).

    A judge that raises, is not there, or finds nothing at all, becomes an INCONCLUSIVE finding with the reason: hidden
    by neither a crash nor a PASS. What the live judge decided is kept in front. Raises UserError for an unknown claim.
    """
    return (*case.decided, *_CLAIMS.judge(case, claims))
