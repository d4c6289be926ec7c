"""Sufficiency: was enough measured, and measured well, for the other claims to mean anything? Never a FAIL.

A run that measured nothing, or not what it meant to, is INCONCLUSIVE with the reason; silence is never success.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from shiftproof.judge.case import Case
from shiftproof.judge.claims.common import effect_problem
from shiftproof.judge.claims.soundness import LATE_NS, of_a_phase, of_the_run
from shiftproof.judge.claims.traffic import followed
from shiftproof.judge.registry import claim
from shiftproof.judge.watched import unwatched
from shiftproof.judge.words import count, length, percent
from shiftproof.model.event import Failure, Side
from shiftproof.model.history import LoadReport, Phase, PhaseKind
from shiftproof.model.verdict import Finding, Verdict

_NAME = "sufficiency"
#: At most this share of the requests may leave late.
LATE_SHARE = 0.01
#: Triples are switched on and off by the load child a moment after the phase's mark.
_EDGE_NS = 1_000_000_000
#: No stretch of a phase may be without pairs for longer than this (or than 20 times their distance).
_HOLE_NS = 1_000_000_000
#: A pause this much shorter than it was meant to be is none.
QUIET_SHARE = 0.95
#: Share of pairs that neither side could send, above which the load was not delivered.
_UNSENT_SHARE = 0.001


@claim(_NAME)
def judge(case: Case) -> Iterable[Finding]:
    """What is missing, one finding each; one PASS for the run, and one for each phase, where nothing is."""
    problems = [*_load(case), *_lateness(case), *of_the_run(case), *_watchers(case), *_extent(case)]
    if problems:
        yield from (Finding(_NAME, "run", Verdict.INCONCLUSIVE, f"{problem}.") for problem in problems)
    else:
        reason = f"{count(len(case.history.events), 'request')}, all recorded and on time; the watchers saw it all."
        yield Finding(_NAME, "run", Verdict.PASS, reason, {"events": len(case.history.events)})
    for name, phases in case.groups().items():
        yield _phases(case, name, phases)


def _load(case: Case) -> Iterator[str]:
    """The load child's own account, Locust's, and the file have to agree."""
    load, events = case.history.load, case.history.events
    if not len(events):
        yield "no request was recorded, so nothing was measured"
    if load is None:
        yield "the load left no account of itself"
        return
    if load.problem is not None:
        yield f"the load: {load.problem}"
    if not load.finished:
        yield "the load ended before it was told to"
    yield from _totals(case, load)
    if case.pairs.duplicates:
        yield f"{count(case.pairs.duplicates, 'request')} recorded twice"
    unsent = ~case.pairs.legacy.sent & ~case.pairs.cluster.sent & case.pairs.complete
    if unsent.sum() > _UNSENT_SHARE * max(1, len(case.pairs)):
        yield f"{int(unsent.sum()):,} of {count(len(case.pairs), 'pair')} could be sent to neither side"


def _totals(case: Case, load: LoadReport) -> Iterator[str]:
    events = case.history.events
    of_load = events["side"] != Side.CUSTOMER
    ours = int(of_load.sum())
    failed = int(((events["failure"] != Failure.NONE) & of_load).sum())
    if load.recorded != load.scheduled:
        yield f"{load.scheduled:,} requests were planned, {load.recorded:,} recorded"
    if ours != load.recorded:
        yield f"the load recorded {load.recorded:,} requests, {ours:,} are in its file"
    if load.locust_requests != load.recorded:
        yield f"Locust counted {load.locust_requests:,} requests, {load.recorded:,} were recorded"
    if load.locust_failures != failed:
        yield f"Locust counted {load.locust_failures:,} failures, {failed:,} were recorded"


def _lateness(case: Case) -> Iterator[str]:
    """A load generator that lags measures itself."""
    events, load = case.history.events, case.history.load
    late = int((events["sent_ns"] - events["intended_ns"] > LATE_NS).sum()) if len(events) else 0
    late = max(late, load.late if load is not None else 0)
    if len(events) and late > LATE_SHARE * len(events):
        share = percent(late / len(events))
        yield f"{share} of the requests left more than 20 ms late: this machine cannot hold the load (at most 1% may)"


def _watchers(case: Case) -> Iterator[str]:
    yield from unwatched(case.history.timeline, case.watchers)


def _extent(case: Case) -> Iterator[str]:
    """Every part that a gate needs, for long enough."""
    names = {phase.name for phase in case.history.phases}
    for name in case.required_phases:
        if name not in names:
            yield f"the phase {name} was not run"
    seconds = sum(max(0, phase.end_ns - phase.start_ns) for phase in case.history.phases) / 1e9
    seconds -= sum(float(phase.facts.get("quiet_s", 0.0)) for phase in case.history.phases)
    if seconds < case.soak_s:
        yield f"{seconds:.0f} s of load, at least {case.soak_s:.0f} s are needed"


def _phases(case: Case, name: str, phases: list[tuple[int, Phase]]) -> Finding:
    for index, phase in phases:
        problem = next(_missing(case, index, phase), None)
        if problem is not None:
            where = f" (repeat {phase.repeat})" if len(phases) > 1 else ""
            return Finding(_NAME, name, Verdict.INCONCLUSIVE, f"{problem}{where}.")
    pairs = sum(int(case.pairs.complete[case.pairs.rows(index)].sum()) for index, _ in phases)
    return Finding(_NAME, name, Verdict.PASS, f"{count(pairs, 'complete pair')}.", {"pairs": pairs})


def _missing(case: Case, index: int, phase: Phase) -> Iterator[str]:
    """What this phase lacks, the gravest first."""
    pairs, rows = case.pairs, case.pairs.rows(index)
    complete = int(pairs.complete[rows].sum())
    problem = effect_problem(phase)
    if problem is not None:
        yield problem
    if not complete:
        yield "no complete pair was recorded"
    need = case.min_pairs // 3 if phase.kind in (PhaseKind.CRASH, PhaseKind.LOAD) else case.min_pairs
    if complete < need:
        yield f"{count(complete, 'complete pair')}, {need:,} are needed"
    lost = _incomplete(case, index, phase)
    if lost:
        yield f"{count(lost, 'pair')} without one of its sides: a failure may hide there"
    quiet_s = phase.facts.get("quiet_s")
    hole_ns = _hole_ns(case, index, phase)
    if quiet_s is not None:
        yield from _not_quiet(case, index, phase, float(quiet_s))
    elif hole_ns is not None:
        yield f"no pair was sent for {length(hole_ns / 1e6)}"
    yield from of_a_phase(case, index, phase)
    if phase.kind is PhaseKind.SHIFT:
        yield from _without_effect(case, index, phase)


def _incomplete(case: Case, index: int, phase: Phase) -> int:
    """Rows that lack a side; near the ends of a phase a triple may lack its weighted one."""
    pairs, rows = case.pairs, case.pairs.rows(index)
    missing = ~pairs.complete[rows]
    pinned = pairs.legacy.there[rows] & pairs.cluster.there[rows]
    intended = pairs.intended_ns[rows]
    edge = (intended < phase.start_ns + _EDGE_NS) | (intended >= phase.end_ns - _EDGE_NS)
    return int((missing & ~(pinned & edge)).sum())


def _hole_ns(case: Case, index: int, phase: Phase) -> int | None:
    """The longest stretch without a pair, if it is too long."""
    intended = case.pairs.intended_ns[case.pairs.rows(index)]
    marks = np.concatenate([[phase.start_ns], intended, [phase.end_ns]])
    gaps = np.diff(marks)
    longest = int(gaps.max())
    return longest if longest > max(_HOLE_NS, 20 * int(np.median(gaps))) else None


def _not_quiet(case: Case, index: int, phase: Phase, quiet_s: float) -> Iterator[str]:
    """A pause has to be one, of the length that was meant, and the only hole."""
    intended = case.pairs.intended_ns[case.pairs.rows(index)]
    gaps = np.sort(np.diff(np.concatenate([[phase.start_ns], intended, [phase.end_ns]])))
    longest_s = float(gaps[-1]) / 1e9
    if longest_s < QUIET_SHARE * quiet_s:
        yield f"the load was to pause for {quiet_s:g} s, and was silent for {longest_s:.1f} s at most"
    elif len(gaps) > 1 and gaps[-2] > _HOLE_NS:
        yield f"no pair was sent for {length(float(gaps[-2]) / 1e6)}, beside the pause that was meant"


def _without_effect(case: Case, index: int, phase: Phase) -> Iterator[str]:
    """A shift that nobody saw moved nothing. Whether it moved what it should, the claim `stickiness` says."""
    to_pct = phase.facts.get("to_pct")
    if not isinstance(to_pct, int | float):
        yield "the shift left no record of its weight"
        return
    seen = followed(case, index, phase)
    if not seen.after.any():
        yield "no weighted request after the shift names its server, so nobody saw the traffic move"
