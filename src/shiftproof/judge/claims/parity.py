"""Parity: what the cluster answers is what legacy answers, field by field, writes and each other's writes included.

Each conversation compares cluster with legacy and legacy with itself (what Diffy calls candidate, primary and
secondary), so noise is measured where and when the difference is. FAIL when a field differs beyond it, by a sequential
test; for an amount, a currency or an account when it differs twice and legacy never does. Noise proposes rules for
platform.yaml, it does not make them: nothing is left out that no person accepted. Where legacy mostly differs from
itself there is nothing to compare with, and a PASS says that it does not cover that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from shiftproof.judge.case import Case
from shiftproof.judge.claims.probing import EACH, Held, held, shortfall
from shiftproof.judge.probe_words import differs, figures, hint
from shiftproof.judge.probes import Field, FieldTally
from shiftproof.judge.registry import claim
from shiftproof.judge.words import bound, count, listed
from shiftproof.model.history import PhaseKind
from shiftproof.model.probe import ProbeKind
from shiftproof.model.verdict import Finding, Verdict

_NAME = "parity"


@claim(_NAME)
def judge(case: Case) -> Iterable[Finding]:
    """What differs, if anything does; else one finding for the steady phase, and one for the run."""
    talks = held(case, ProbeKind.PARITY)
    tally = FieldTally(case.alpha_share, case.parity_ignore)
    for place, record in talks.placed:
        if record.void is None:
            tally.add(record, place)
    failing, doubtful = tally.failing(), tally.doubtful()
    if failing:
        yield _finding(tally, failing, Verdict.FAIL)
        return
    if doubtful:
        yield _finding(tally, doubtful, Verdict.INCONCLUSIVE)
    else:
        yield from (_phase(case, talks, tally, name) for name in case.groups(PhaseKind.STEADY))
    yield _run(case, talks, tally, doubtful)


def _finding(tally: FieldTally, keys: list[Field], verdict: Verdict) -> Finding:
    doubt = verdict is Verdict.INCONCLUSIVE
    said = differs(tally, keys)
    reason = f"{said}: too little to tell it from noise." if doubt else f"{said}."
    data = {**figures(tally, keys), "hint": hint(keys)}
    return Finding(_NAME, tally.phase_of(keys), verdict, reason, data)


def _phase(case: Case, talks: Held, tally: FieldTally, name: str) -> Finding:
    here = talks.of_phase(name)
    missing = shortfall(here, case.min_probes // 4, "compared both sides")
    if missing is not None:
        return Finding(_NAME, name, Verdict.INCONCLUSIVE, missing, {"conversations": len(here.good)})
    compared = sum(record.compared for record in here.good)
    differ = sum(tally.differs(record) for record in here.good)
    said = f"{differ:,} differ, as noise does" if differ else "alike"
    reason = f"{count(len(here.good), 'conversation')} with both sides, {compared:,} fields compared: {said}."
    return Finding(_NAME, name, Verdict.PASS, reason, {"conversations": len(here.good), "fields_compared": compared})


def _run(case: Case, talks: Held, tally: FieldTally, doubtful: list[Field]) -> Finding:
    data: dict[str, Any] = {"conversations": tally.good, "void": dict(talks.void), "fields_compared": tally.compared}
    missing = next(_missing(case, talks), None)
    if missing is not None:
        return Finding(_NAME, "run", Verdict.INCONCLUSIVE, missing, data)
    noisy = tally.noisy()
    data |= _proposal(noisy)
    unjudged = tally.unjudged()
    doubted = len({key.path for key in doubtful})
    also = f"; legacy does not agree with itself on {listed(noisy)}, and the cluster no less" if noisy else ""
    if unjudged:
        data["not_covered"] = unjudged
        also += f"; this does not cover {count(len(unjudged), 'field')} that legacy mostly answers otherwise itself"
    if seldom := tally.seldom():
        data["seldom"] = seldom
        also += f"; once, and never on legacy: {listed(seldom)}"
    if doubted:
        also += f"; in doubt: {count(doubted, 'field')}"
    said = bound(tally.good, tally.differing, case.confidence).replace("attributed", "conversations differ")
    return Finding(_NAME, "run", Verdict.PASS, f"{said}, {tally.compared:,} fields compared{also}.", data)


def _proposal(noisy: list[str]) -> dict[str, Any]:
    """A line for platform.yaml, for a person to accept."""
    return {"proposed_ignores": noisy, "propose": f"parity: {{ignore: [{', '.join(noisy)}]}}"} if noisy else {}


def _missing(case: Case, talks: Held) -> Iterator[str]:
    missing = shortfall(talks, case.min_probes, "compared both sides")
    if missing is not None:
        yield missing
    for operation in case.history.operations:
        seen = sum(operation in record.operations for record in talks.good)
        if seen < EACH:
            yield f"{operation} was compared {count(seen, 'time')} only: nothing is known of its answers."
