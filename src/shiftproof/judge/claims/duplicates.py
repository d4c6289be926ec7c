"""Duplicates: one idempotent request, sent twice by ways that cross the sides, takes effect once and is answered alike.

Beside each goes a control, sent to legacy twice. Applied twice is money: one is FAIL, unless legacy does it too. The
two answers, and the account read afterwards, are compared as parity compares. While weights move, requests go by the
weights as a customer's second try does. Only those of which it is known how often they took effect count for PASS.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from shiftproof.judge.case import Case
from shiftproof.judge.claims.probing import EACH, Held, at_phase, held, shortfall
from shiftproof.judge.doubled import HINT, decisive, doubled_sentence, legacy_too, twice_applied
from shiftproof.judge.probe_words import differs, figures, hint
from shiftproof.judge.probes import Field, FieldTally
from shiftproof.judge.registry import claim
from shiftproof.judge.words import count
from shiftproof.model.history import PhaseKind
from shiftproof.model.probe import ProbeKind, ProbeRecord
from shiftproof.model.verdict import Finding, Verdict

_NAME = "duplicates"
BY_THE_WEIGHTS = "by the weights"
#: Phases in which a request sent twice may go by weights that move.
_MOVING = (PhaseKind.SHIFT, PhaseKind.ROLLBACK)


@claim(_NAME)
def judge(case: Case) -> Iterable[Finding]:
    """What was applied twice or answered otherwise, if anything; else one finding for each phase that needs one."""
    names = list(case.groups(PhaseKind.STEADY, *_MOVING))
    if case.duplicates_not_applicable is not None:
        reason = f"does not apply, says platform.yaml: {case.duplicates_not_applicable}"
        yield from (Finding(_NAME, name, Verdict.PASS, reason) for name in (*names, "run"))
        return
    talks = held(case, ProbeKind.DUPLICATE)
    doubled = twice_applied(talks.good)
    if doubled:
        yield _doubled(case, talks, doubled)
        return
    if legacy_too(talks.good):
        yield _sick_control(talks)
    findings = list(_fields(case, talks))
    yield from findings
    if any(finding.verdict is Verdict.FAIL for finding in findings):
        return
    in_doubt = {finding.phase for finding in findings}
    yield from (_phase(case, talks, name) for name in names if name not in in_doubt)
    yield from _run(case, talks)


def _doubled(case: Case, talks: Held, doubled: list[ProbeRecord]) -> Finding:
    phase = at_phase(case, doubled[0].start_ns)
    said = doubled_sentence(talks.good, doubled)
    data: dict[str, Any] = {
        "conversations": len(talks.good),
        "applied_twice": len(doubled),
        "legacy_itself": legacy_too(talks.good),
        "ways": dict(Counter(one.way for one in doubled)),
        "hint": HINT,
    }
    if decisive(case.alpha_share, talks.good, doubled):
        return Finding(_NAME, phase, Verdict.FAIL, said, data)
    return Finding(_NAME, phase, Verdict.INCONCLUSIVE, f"{said[:-1]}: a fault that both sides have.", data)


def _sick_control(talks: Held) -> Finding:
    """Both sides alike, and wrong: no fault of the migration, and nothing is proven against such a control."""
    often, tried = legacy_too(talks.good), count(len(talks.good), "key")
    reason = (
        f"legacy by itself let one key take effect more than once, {often:,} of {tried}: a fault that both sides have."
    )
    return Finding(_NAME, "run", Verdict.INCONCLUSIVE, reason, {"legacy_itself": often, "hint": HINT})


def _fields(case: Case, talks: Held) -> Iterator[Finding]:
    """Answers and accounts that differ, but for what parity FAILs already."""
    tally = FieldTally(case.alpha_share, case.parity_ignore, replays=True)
    told = _faults_of_parity(case)
    for place, record in talks.placed:
        if record.void is None:
            kept = tuple(one for one in record.treatment if (one.operation, one.path) not in told)
            tally.add(replace(record, treatment=kept), place)
    for keys, verdict in ((tally.failing(), Verdict.FAIL), (tally.doubtful(), Verdict.INCONCLUSIVE)):
        if keys:
            yield _finding(tally, keys, verdict)
            return


def _faults_of_parity(case: Case) -> set[tuple[str, str]]:
    """(operation, path) that parity FAILs, so the run fails anyway. What is only noise there has its control here."""
    tally = FieldTally(case.alpha_share, case.parity_ignore)
    for record in held(case, ProbeKind.PARITY).good:
        tally.add(record)
    return {(key.operation, key.path) for key in tally.failing()}


def _finding(tally: FieldTally, keys: list[Field], verdict: Verdict) -> Finding:
    said = differs(tally, keys, "sent to legacy twice")
    tail = ": too little to tell it from noise." if verdict is Verdict.INCONCLUSIVE else "."
    data = {**figures(tally, keys), "hint": hint(keys)}
    return Finding(_NAME, tally.phase_of(keys), verdict, f"{said}{tail}", data)


def _telling(talks: Held) -> Held:
    """Void ones, and those of which it is known how often they took effect."""
    return Held(tuple(one for one in talks.placed if one[1].void is not None or one[1].applied is not None))


def _shortfall(talks: Held, telling: Held, need: int) -> str | None:
    missing = shortfall(telling, need, "sent one key twice and told how often it took effect")
    untold = len(talks.good) - len(telling.good)
    return f"{missing[:-1]}; {untold:,} more could not tell." if missing is not None and untold else missing


def _phase(case: Case, talks: Held, name: str) -> Finding:
    whole = talks.of_phase(name)
    here = _telling(whole)
    data = {"conversations": len(here.good), "ways": dict(Counter(one.way for one in here.good))}
    missing = _shortfall(whole, here, case.min_probes // 4)
    if missing is not None:
        return Finding(_NAME, name, Verdict.INCONCLUSIVE, missing, data)
    moving = any(phase.name == name for _, phase in case.phases(*_MOVING))
    by_weights = sum(BY_THE_WEIGHTS in one.way for one in here.good)
    if moving and by_weights < EACH:
        few = f"but {'only ' if by_weights else ''}{by_weights or 'none'} of them by the weights that moved"
        reason = f"{count(len(here.good), 'key')} sent twice, {few}."
        return Finding(_NAME, name, Verdict.INCONCLUSIVE, reason, data)
    where = f", {by_weights:,} of them by the weights" if moving else ""
    reason = f"{count(len(here.good), 'key')} sent twice{where}: each took effect once."
    return Finding(_NAME, name, Verdict.PASS, reason, data)


def _run(case: Case, talks: Held) -> Iterator[Finding]:
    telling = _telling(talks)
    ways = Counter(one.way for one in telling.good)
    data: dict[str, Any] = {"conversations": len(telling.good), "void": dict(talks.void), "ways": dict(ways)}
    missing = list(_missing(case, talks, telling))
    if missing and not talks.placed:
        missing = ["no request was sent twice: is there an operation that takes a {key}?"]
        data["hint"] = "name one in platform.yaml, or say there why none has: duplicates: {not_applicable: why}"
    if missing:
        yield Finding(_NAME, "run", Verdict.INCONCLUSIVE, missing[0], data)
        return
    reason = f"{count(len(telling.good), 'key')} sent twice, by {count(len(ways), 'way')}: each took effect once."
    yield Finding(_NAME, "run", Verdict.PASS, reason, data)


def _missing(case: Case, talks: Held, telling: Held) -> Iterator[str]:
    """Why the run proves nothing, the plainest first."""
    if talks.good and not telling.good:
        yield "nobody could tell how often a request took effect: no operation with a {key} remembers an id."
    missing = _shortfall(talks, telling, case.min_probes)
    if missing is not None:
        yield missing
    for operation in case.keyed:
        seen = sum(operation in record.operations for record in telling.good)
        if seen < EACH:
            yield f"{operation} was sent twice {count(seen, 'time')} only: nothing is known of its keys."
