"""Recovery: after a crash the objective is met again within its budget. Replicas that are back are not asked for.

What an experiment says that the service did not bear (never whole again, a drain that its own budget refuses to the
end) is a FAIL too, whatever the requests say.

Met again: the first moment after the losses that the budget covers, from which for two seconds nothing attributed is
lost and latency is within its margin. What is lost later, the availability claim judges.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from shiftproof.judge.case import Case
from shiftproof.judge.claims.common import budget_window, effect_problem, repeat_of, unless_noise
from shiftproof.judge.claims.latency import seconds_of
from shiftproof.judge.registry import claim
from shiftproof.model.history import Phase, PhaseKind
from shiftproof.model.verdict import Finding, Verdict

_NAME = "recovery"
_QUIET_NS = 2_000_000_000
_STEP_NS = 250_000_000


@claim(_NAME)
def judge(case: Case) -> Iterable[Finding]:
    """One finding for each crash; a run without crashes has nothing to recover from, and says so."""
    for _, phase in case.phases():
        if phase.facts.get("not_borne"):
            reason = f"repeat {phase.repeat}: {phase.facts['not_borne']}."
            yield Finding(_NAME, phase.name, Verdict.FAIL, reason, {"repeat": phase.repeat})
    crashes = list(case.phases(PhaseKind.CRASH))
    if not case.history.phases:
        yield Finding(_NAME, "run", Verdict.INCONCLUSIVE, "nothing was run.")
    elif not crashes:
        yield Finding(_NAME, "run", Verdict.PASS, "no crash was tried, so there was nothing to recover from.")
    for index, phase in crashes:
        yield _one(case, index, phase)


def _one(case: Case, index: int, phase: Phase) -> Finding:
    window, budget = budget_window(case, phase), phase.budget
    problem = effect_problem(phase)
    if budget is None or window is None:
        return Finding(_NAME, phase.name, Verdict.INCONCLUSIVE, "the experiment's file has no budget to hold it to.")
    begin_ns, deadline_ns = window
    data: dict[str, object] = {"budget_s": budget.recover_s}
    if phase.end_ns < deadline_ns + _QUIET_NS and _met_again(case, index, window) is None:
        reason = f"the phase ended before {budget.recover_s:g} s and two quiet seconds had passed since the fault."
        return Finding(_NAME, phase.name, Verdict.INCONCLUSIVE, reason, data)
    met_ns = _met_again(case, index, window)
    if met_ns is None and not _measured(case, index, begin_ns):
        reason = "too few pairs after the fault to say whether the objective was met again."
        return Finding(_NAME, phase.name, Verdict.INCONCLUSIVE, reason, data)
    if met_ns is None or met_ns > deadline_ns:
        when = "until the phase ended" if met_ns is None else f"for {(met_ns - begin_ns) / 1e9:.1f} s"
        reason = f"the objective was not met again {when}; it may take {budget.recover_s:g} s."
        # At random failures of either side two seconds without a loss are rare, with the crash and without.
        return unless_noise(case, repeat_of(case, index, phase), Finding(_NAME, phase.name, Verdict.FAIL, reason, data))
    if problem is not None:
        return Finding(_NAME, phase.name, Verdict.INCONCLUSIVE, f"{problem}.", data)
    recovered_s = max(0.0, (met_ns - begin_ns) / 1e9)
    data["recovered_s"] = recovered_s
    reason = f"objective met again after {recovered_s:.1f} s (may take {budget.recover_s:g} s)."
    return Finding(_NAME, phase.name, Verdict.PASS, reason, data)


def _measured(case: Case, index: int, begin_ns: int) -> bool:
    """Whether the load that shows a recovery was there at the phase's end: its last two whole seconds have pairs."""
    rows = case.pairs.rows(index)
    last_ns = max(begin_ns, case.history.phases[index].end_ns - _QUIET_NS)
    return len(seconds_of(case, rows, case.pairs.treatment_sent_ns[rows] >= last_ns)) > 0


def _met_again(case: Case, index: int, window: tuple[int, int]) -> int | None:
    """The first quiet moment, in ns; None when there is none before the phase ends."""
    pairs, rows = case.pairs, case.pairs.rows(index)
    sent = pairs.treatment_sent_ns[rows]
    lost = np.sort(sent[pairs.attributed[rows]])
    covered = lost[lost < window[1]]
    at = max(window[0], int(covered[-1]) + 1) if len(covered) else window[0]
    end_ns = case.history.phases[index].end_ns
    while at + _QUIET_NS <= end_ns:
        inside = (sent >= at) & (sent < at + _QUIET_NS)
        failed = lost[(lost >= at) & (lost < at + _QUIET_NS)]
        if len(failed):
            at = int(failed[-1]) + 1
            continue
        seconds = seconds_of(case, rows, inside)
        if len(seconds) and float(seconds.difference.mean()) <= case.objectives.latency.margin:
            return at
        at += _STEP_NS
    return None
