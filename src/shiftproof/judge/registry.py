"""The open registry of claims, and the one door through which all of them are judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from shiftproof.errors import MeasureError, UserError
from shiftproof.judge.case import Case
from shiftproof.model.verdict import Finding, Verdict

Judge = Callable[[Case], Iterable[Finding]]

_REGISTRY: dict[str, Judge] = {}
_REQUIRED: list[str] = []
"""Claims without which nothing is proven, whoever took one out of the registry."""


def claim(name: str) -> Callable[[Judge], Judge]:
    """Register a judge: a function from a Case to findings. A team's own claims are registered the same way.

        @claim("no-legacy-reads")
        def judge(case: Case) -> Iterable[Finding]: ...

    Raises UserError when the name is taken by another function.
    """

    def register(judge: Judge) -> Judge:
        other = _REGISTRY.get(name)
        if other is not None and (other.__module__, other.__qualname__) != (judge.__module__, judge.__qualname__):
            raise UserError(f"a claim named {name!r} is registered already, by {other.__module__}.{other.__qualname__}")
        _REGISTRY[name] = judge
        return judge

    return register


def forget_claim(name: str) -> None:
    """Take a claim out again (for tests of a team's own claims); unknown names are fine."""
    _REGISTRY.pop(name, None)


def require_claims() -> None:
    """From now on all claims that are registered must be judged; called once, after the built-in ones."""
    _REQUIRED[:] = _REGISTRY


def claim_names() -> tuple[str, ...]:
    """All registered claims, built-in ones first, in the order they were registered."""
    return tuple(_REGISTRY)


def judge_all(case: Case, claims: Sequence[str] | None = None) -> tuple[Finding, ...]:
    """Judge every claim named (all registered ones when None).

    A judge that raises, is not there, or finds nothing at all, becomes an INCONCLUSIVE finding with the reason: hidden
    by neither a crash nor a PASS. What the live judge decided is kept in front. Raises UserError for an unknown claim.
    """
    names = tuple(dict.fromkeys([*_REQUIRED, *_REGISTRY])) if claims is None else tuple(claims)
    unknown = [name for name in names if name not in _REGISTRY and name not in _REQUIRED]
    if unknown:
        raise UserError(f"unknown claim {unknown[0]!r}", hint=f"known claims: {', '.join(claim_names())}")
    findings = [*case.decided]
    for name in names:
        findings.extend(_judged(name, case))
    return tuple(findings)


def _judged(name: str, case: Case) -> list[Finding]:
    if name not in _REGISTRY:
        return [Finding(name, "run", Verdict.INCONCLUSIVE, f"nobody judged {name}: the claim was taken out")]
    try:
        findings: list[Any] = list(_REGISTRY[name](case))
    except KeyboardInterrupt:
        raise
    except MeasureError as error:
        return [Finding(name, "run", Verdict.INCONCLUSIVE, str(error), {"hint": error.hint} if error.hint else {})]
    except BaseException as error:  # noqa: BLE001  any bug of any judge, even sys.exit(0), must end as "unknown"
        reason = f"the judge of {name} stopped with {type(error).__name__}: {error}"
        return [Finding(name, "run", Verdict.INCONCLUSIVE, reason, {"error": type(error).__name__})]
    strange = next((one for one in findings if not isinstance(one, Finding)), None)
    if strange is not None:
        reason = f"the judge of {name} gave {type(strange).__name__}, which is no finding"
        return [Finding(name, "run", Verdict.INCONCLUSIVE, reason)]
    return findings or [Finding(name, "run", Verdict.INCONCLUSIVE, f"the judge of {name} found nothing to judge")]
