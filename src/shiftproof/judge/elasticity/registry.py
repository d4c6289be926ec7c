"""The claims of a load event, and the one door through which all of them are judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from shiftproof.judge.elasticity.case import EventCase
from shiftproof.judge.open_registry import CaseJudge, Registry
from shiftproof.model.verdict import Finding

EventJudge = CaseJudge[EventCase]

EVENT_CLAIMS: Registry[EventCase] = Registry()


def event_claim(name: str, wanted_for: Callable[[EventCase], bool] | None = None) -> Callable[[EventJudge], EventJudge]:
    """Register a judge: a function from an EventCase to findings. A team's own claims are registered the same way.

        @event_claim("ready-before-nine")
        def judge(case: EventCase) -> Iterable[Finding]: ...

    wanted_for: of which events it can say anything (of all when left out); of others it is not judged, which is no
    PASS. Raises UserError when the name is taken by another function.
    """
    return EVENT_CLAIMS.claim(name, wanted_for)


def forget_event_claim(name: str) -> None:
    """Take a claim out again (for tests of a team's own claims); unknown names are fine."""
    EVENT_CLAIMS.forget(name)


def event_claim_names() -> tuple[str, ...]:
    """All registered claims, built-in ones first, in the order they were registered."""
    return EVENT_CLAIMS.names()


def judge_event(case: EventCase, claims: Sequence[str] | None = None) -> tuple[Finding, ...]:
    """Judge every claim named; when None, all registered ones that are wanted for such an event.

    A judge that raises, is not there, or finds nothing at all, becomes an INCONCLUSIVE finding with the reason. Raises
    UserError for an unknown claim.
    """
    return tuple(EVENT_CLAIMS.judge(case, claims))
