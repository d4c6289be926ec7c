"""What one turn came to: the verdict of its gate or rehearsal, held against what was planted. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from shiftproof.gate.planting.planting import NOT_KNOWN
from shiftproof.gate.planting.reading import PREFLIGHT
from shiftproof.model.verdict import Verdict
from shiftproof.sensitivity.figures import EventFigures, figures_of
from shiftproof.sensitivity.plan import CLEAN, Turn

NO_RUN = 3  # the exit code of what could not run
DELIVERED = "load-delivered"
"""The claim of a rehearsal that its load was sent as planned: without it nothing is caught."""


class Outcome(StrEnum):
    """With a defect: all but PASSED. Clean: PASSED, FALSE_FAIL, INCONCLUSIVE. Either: COULD_NOT_RUN."""

    CAUGHT = "caught"  # FAIL, and the claim that the file expects is among those that failed
    OTHER_CLAIM = "caught by another claim"
    MISSED = "MISSED"  # PASS with a defect planted: the one thing that must never be
    TOO_EARLY = "FAIL before it was wholly planted"  # some of it was there, and perhaps that was why
    INCONCLUSIVE = "inconclusive"
    PASSED = "passed"
    FALSE_FAIL = "false FAIL"  # nothing was planted, or nothing yet
    COULD_NOT_RUN = "could not run"


_WITH_REASON = frozenset({Outcome.INCONCLUSIVE, Outcome.FALSE_FAIL, Outcome.OTHER_CLAIM, Outcome.TOO_EARLY})


@dataclass(frozen=True, slots=True)
class OtherRule:
    """What somebody else's rule would have said on the same traffic (judge.others.OtherVerdict)."""

    rule: str
    variant: str
    verdict: str
    decided_after_s: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A turn's process as it ended. verdict: the verdict file's content, None when there is none.

    said: its last words. wall_s: from its start to its end, planting and undoing included.
    """

    exit_code: int
    wall_s: float
    verdict: Mapping[str, Any] | None
    said: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One turn as it ended. claims: those that FAILed. load_s: seconds of load until decided, None when unknown, and
    of a rehearsal, whose verdict comes once it is over.

    run: the run's folder below reports/. problem: why it could not run, or why it said what it should not.
    unheard: what the verdict file of a turn that is no result says (its undo failed, say); it counts as nothing.
    figures: of a rehearsal.
    """

    name: str
    repeat: int
    outcome: Outcome
    verdict: str | None
    exit_code: int
    expects: str | None
    claims: tuple[str, ...]
    load_s: float | None
    process_s: float
    pairs: int
    attributed: int
    customers_failed: int
    run: str | None
    started_at: str
    problem: str | None = None
    others: tuple[OtherRule, ...] = ()
    unheard: str | None = None
    figures: EventFigures | None = None

    @property
    def key(self) -> str:
        return f"{self.name} {self.repeat}"

    @property
    def is_result(self) -> bool:
        """False: it says nothing about the verdict, and is to be tried again."""
        return self.outcome is not Outcome.COULD_NOT_RUN

    @property
    def passed_unheard(self) -> bool:
        """PASS with a defect planted, and no result: it would have been a miss."""
        return self.name != CLEAN and self.unheard == Verdict.PASS


def judged(turn: Turn, ended: Ended, started_at: str, run: str | None) -> Attempt:
    """Hold the verdict against what was planted.

    A verdict counts only when file and exit code agree, and the file says that just this defect was planted: otherwise
    we would measure our own mistake.
    """
    problem = _unsound(turn, ended)
    verdict: Mapping[str, Any] = {} if problem else ended.verdict or {}
    failed = tuple(dict.fromkeys(c["name"] for c in verdict.get("claims", ()) if c["verdict"] == Verdict.FAIL))
    missing = tuple(verdict.get("run", {}).get("not_planted", ()))
    unsent = _unsent(turn, verdict)
    outcome = Outcome.COULD_NOT_RUN if problem else _outcome(turn, Verdict(verdict["verdict"]), failed, missing, unsent)
    if outcome in _WITH_REASON:
        problem = _reason(verdict)
        problem += f" ({unsent})" if unsent and failed else ""
        problem += f" (not planted: {'; '.join(missing)})" if missing else ""
    unheard = _unheard(turn, ended) if outcome is Outcome.COULD_NOT_RUN else None
    requests = verdict.get("requests", {})
    return Attempt(
        name=turn.name,
        repeat=turn.repeat,
        outcome=outcome,
        verdict=verdict.get("verdict"),
        exit_code=ended.exit_code,
        expects=turn.defect.expects if turn.defect else None,
        claims=failed,
        load_s=verdict.get("run", {}).get("load_s") if turn.event is None else None,
        process_s=round(ended.wall_s, 2),
        pairs=requests.get("pairs", 0),
        attributed=requests.get("attributed", 0),
        customers_failed=verdict.get("customers", {}).get("failed", 0),
        run=run,
        started_at=started_at,
        problem=f"{problem} (its verdict file says {unheard})" if unheard else problem,
        unheard=unheard,
        figures=figures_of(verdict) if verdict and turn.event is not None else None,
    )


def _outcome(
    turn: Turn, verdict: Verdict, failed: tuple[str, ...], missing: Sequence[str], unsent: str | None
) -> Outcome:
    """missing: steps of the defect that were not made, or did nothing, or perhaps did: a FAIL then proves no catch.

    Only when none of them was there for certain is it a false alarm. unsent: why a rehearsal's load proves nothing.
    """
    if verdict is Verdict.INCONCLUSIVE:
        return Outcome.INCONCLUSIVE
    if turn.defect is None:
        return Outcome.PASSED if verdict is Verdict.PASS else Outcome.FALSE_FAIL
    if verdict is Verdict.PASS:
        return Outcome.MISSED
    if missing:
        absent = sum(not step.endswith(NOT_KNOWN) for step in missing)
        return Outcome.FALSE_FAIL if absent >= turn.defect.steps else Outcome.TOO_EARLY
    if unsent is not None and turn.defect.expects != PREFLIGHT:
        return Outcome.INCONCLUSIVE
    return Outcome.CAUGHT if turn.defect.expects in failed else Outcome.OTHER_CLAIM


def _unsound(turn: Turn, ended: Ended) -> str | None:
    """Why this verdict is none; None when it is one."""
    if ended.verdict is None or ended.exit_code == NO_RUN:
        return ended.said or f"it ended with {ended.exit_code} and left no verdict"
    try:
        verdict = Verdict(ended.verdict["verdict"])
        planted = ended.verdict["run"]["defect"]
    except (KeyError, TypeError, ValueError) as error:
        return f"its verdict file cannot be read: {type(error).__name__}: {error}"
    if verdict.exit_code != ended.exit_code:
        return f"its verdict file says {verdict} and its exit code {ended.exit_code}: {ended.said}"
    wanted = _wanted(turn)
    if planted != wanted:
        return f"its verdict file says that {planted or 'nothing'} was planted, and not {wanted or 'nothing'}"
    event = (ended.verdict.get("event") or {}).get("name")
    if event != turn.event:
        return f"its verdict file is one of {event or 'a gate'}, and not of {turn.event or 'a gate'}"
    return None


def _unsent(turn: Turn, verdict: Mapping[str, Any]) -> str | None:
    """Why the load of a rehearsal was not what it should have been; None when it was, and of a gate."""
    if turn.event is None or not verdict:
        return None
    said = [claim for claim in verdict["claims"] if claim["name"] == DELIVERED]
    short = [claim["reason"] for claim in said if claim["verdict"] != Verdict.PASS]
    if short:
        return f"the load was not as planned: {short[0]}"
    return None if said else "no load was sent to its end"


def _unheard(turn: Turn, ended: Ended) -> str | None:
    """What the file of a gate that is no result says of just what was to be planted; None when it says nothing."""
    try:
        verdict = ended.verdict or {}
        return Verdict(verdict["verdict"]).value if verdict["run"]["defect"] == _wanted(turn) else None
    except (KeyError, TypeError, ValueError):
        return None


def _wanted(turn: Turn) -> str | None:
    return turn.defect.stem if turn.defect else None


def _reason(verdict: Mapping[str, Any]) -> str:
    """The first reason of the run's own verdict."""
    deciding = [claim for claim in verdict["claims"] if claim["verdict"] == verdict["verdict"]]
    return (
        f"{deciding[0]['name']} {deciding[0]['phase']}: {deciding[0]['reason']}" if deciding else "no reason is given"
    )


def attempt_json(attempt: Attempt) -> dict[str, Any]:
    """As the state file and sensitivity.json hold it."""
    return {**asdict(attempt), "outcome": attempt.outcome.value}


def read_attempt(document: Mapping[str, Any]) -> Attempt:
    """The way back. Raises KeyError, TypeError or ValueError when it is no attempt."""
    fields = dict(document)
    fields["outcome"] = Outcome(fields["outcome"])
    fields["claims"] = tuple(fields["claims"])
    fields["others"] = read_others(fields["others"])
    if fields.get("figures") is not None:
        fields["figures"] = EventFigures(**fields["figures"])
    return Attempt(**fields)


def read_others(document: Sequence[Mapping[str, Any]]) -> tuple[OtherRule, ...]:
    """Raises TypeError when they are none."""
    return tuple(OtherRule(**one) for one in document)
