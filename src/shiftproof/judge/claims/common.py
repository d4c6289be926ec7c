"""What several claims share: repeats of an action, budget windows, and the rule of graceful actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shiftproof.judge.case import Case
from shiftproof.judge.change import loses_by_change
from shiftproof.judge.counting import control_failures, is_sick, recurring_loss
from shiftproof.judge.culprit import Culprit, find_culprits, main_culprit
from shiftproof.judge.lives import fault_begins
from shiftproof.judge.outages import OutageSpan, find_outages
from shiftproof.judge.pairing import Bools, Ints
from shiftproof.judge.sequential import Crossing, mcnemar
from shiftproof.judge.words import count
from shiftproof.model.history import Phase, PhaseKind
from shiftproof.model.verdict import Finding, Verdict

GRACEFUL = (PhaseKind.GRACEFUL, PhaseKind.SHIFT, PhaseKind.ROLLBACK)

#: Failures named in one finding at most; the rest are counted.
MAX_EXPLAINED = 2_000


@dataclass(frozen=True, slots=True)
class Repeat:
    """One try of an action. rows: of its attributed failures. crossing: McNemar over all its pairs.

    control_failed: all failures of the pinned control; control_alone: those in which the other side did not fail.
    """

    index: int
    phase: Phase
    pairs: int
    attributed: int
    control_only: int
    both_failed: int
    control_failed: int
    control_alone: int
    rows: Ints
    crossing: Crossing


def repeat_of(case: Case, index: int, phase: Phase) -> Repeat:
    """Count one phase; complete pairs only."""
    rows = case.pairs.rows(index)
    attributed = case.pairs.attributed[rows]
    control_only = case.pairs.control_only[rows]
    legacy, cluster, both = pinned_failures(case, np.arange(rows.start, rows.stop))
    return Repeat(
        index=index,
        phase=phase,
        pairs=int(case.pairs.complete[rows].sum()),
        attributed=int(attributed.sum()),
        control_only=int(control_only.sum()),
        both_failed=int(case.pairs.both_failed[rows].sum()),
        control_failed=control_failures(phase.kind, legacy, cluster),
        control_alone=control_failures(phase.kind, legacy - both, cluster - both),
        rows=case.pairs.attributed_rows(index),
        crossing=mcnemar(attributed, control_only, case.alpha_share),
    )


def pinned_failures(case: Case, rows: Ints) -> tuple[int, int, int]:
    """(on legacy, on the cluster, on both): complete pairs in which the pinned request failed."""
    complete = case.pairs.complete[rows]
    legacy, cluster = (complete & ~side.ok[rows] for side in (case.pairs.legacy, case.pairs.cluster))
    return int(legacy.sum()), int(cluster.sum()), int((legacy & cluster).sum())


def outages_in(case: Case, rows: Ints) -> tuple[OutageSpan, ...]:
    """The outages that the failures in `rows` make by themselves."""
    return find_outages(case.pairs, started_ns=case.history.started_ns, rows=rows)


def between_phases(case: Case) -> Ints:
    """Rows outside all phases. A decided FAIL closes its phase at once: what follows it is the same incident."""
    outside = case.pairs.phase < 0
    ends = [phase.end_ns for phase in case.history.phases if phase.name in {found.phase for found in case.decided}]
    if ends:
        outside &= case.pairs.intended_ns < max(ends)
    return np.flatnonzero(outside)


def losing(repeats: Sequence[Repeat]) -> list[Repeat]:
    """Those that lost a request."""
    return [repeat for repeat in repeats if repeat.attributed]


def recurs(case: Case, repeats: Sequence[Repeat]) -> bool:
    """Two of the three lost a request, beside a sound control, and more than the noise that legacy alone shows."""
    losses, pairs = [repeat.attributed for repeat in repeats], sum(repeat.pairs for repeat in repeats)
    return not beside_sick(case, repeats) and recurring_loss(losses, pairs, *noise(case))


def beside_sick(case: Case, repeats: Sequence[Repeat]) -> bool:
    """The control of these repeats fails beyond its own objective: counted against it nothing can be proven."""
    return sick(case, sum(repeat.control_failed for repeat in repeats), sum(repeat.pairs for repeat in repeats))


def beside_noise(case: Case, repeats: Sequence[Repeat]) -> bool:
    """The same of failures of the control alone: then each side fails at random, also on what happens to be leaving.

    What breaks both sides at once is none of it: an action that does so is not excused for what it costs beside.
    """
    return sick(case, sum(repeat.control_alone for repeat in repeats), sum(repeat.pairs for repeat in repeats))


def sick(case: Case, control_failed: int, pairs: int) -> bool:
    """Whether a control that failed so often is proven to be beyond its own objective (`counting.is_sick`)."""
    return is_sick(control_failed, pairs, case.objectives.availability.unacceptable)


def unless_noise(case: Case, crash: Repeat, finding: Finding) -> Finding:
    """A FAIL of a crash, or INCONCLUSIVE in its place beside a control that fails at random too."""
    if not beside_noise(case, [crash]):
        return finding
    reason = f"{finding.reason.removesuffix('.')}, {beyond_objective(crash.control_alone)}."
    return replace(finding, verdict=Verdict.INCONCLUSIVE, reason=reason)


def beyond_objective(failed: int) -> str:
    """Why a sick control proves nothing, as the end of a sentence."""
    return (
        f"and the control itself failed {count(failed, 'time')}, beyond its own objective: nothing can be counted by it"
    )


def noise(case: Case) -> tuple[int, int]:
    """(pairs in which legacy alone failed, of all complete ones): what chance does to a side that nothing is done to.

    In a triple, too: that the cluster fails where legacy does not is no noise, and must not weigh against itself.
    """
    return int(case.pairs.pinned_control_only.sum()), int(case.pairs.complete.sum())


def by_change(case: Case, lost: int, pairs: int, control_failed: int) -> bool:
    """What was lost where our own load changed is more than the unacceptable rate and more than noise."""
    rate = case.objectives.availability.unacceptable
    return not sick(case, control_failed, pairs) and loses_by_change(lost, pairs, *noise(case), rate, case.alpha_share)


def culprits_of(case: Case, rows: Sequence[int] | Ints) -> tuple[Culprit, ...]:
    """All explanations of the failures in `rows`."""
    return find_culprits(case.history, case.pairs, [int(row) for row in rows[:MAX_EXPLAINED]])


def told(culprits: Sequence[Culprit]) -> dict[str, Any]:
    """The culprit's sentence and hint as a finding carries them."""
    main = main_culprit(culprits)
    if main is None:
        return {}
    data: dict[str, Any] = {"culprit": main.sentence, "pattern": main.pattern, "culprit_ns": main.t_ns}
    if main.hint:
        data["hint"] = main.hint
    return data


def budget_window(case: Case, phase: Phase) -> tuple[int, int] | None:
    """[from, to) that a crash's budget covers: from its fault on, as long as it may take to recover."""
    if phase.budget is None:
        return None
    begin = fault_begins(case.history.timeline, phase)
    return begin, begin + round(phase.budget.recover_s * 1e9)


def in_window(case: Case, rows: slice, window: tuple[int, int] | None) -> Bools:
    """Which of `rows` were under way within the window; none when there is no window."""
    pairs = case.pairs
    if window is None:
        return np.zeros(rows.stop - rows.start, dtype=np.bool_)
    return (pairs.treatment_ended_ns[rows] >= window[0]) & (pairs.intended_ns[rows] < window[1])


def effect_problem(phase: Phase) -> str | None:
    """Why the phase's fault or action proves nothing, if so. A crash has to say that its effect was confirmed."""
    if phase.problem is not None:
        return phase.problem
    effect = phase.facts.get("effect")
    if phase.kind is PhaseKind.CRASH and effect != "confirmed":
        return "nothing confirms that its fault took effect"
    if effect not in (None, "confirmed"):
        return f"its effect was not confirmed ({effect})"
    return None
