"""Availability: no graceful action costs a request, and elsewhere the new side fails no more often than the old.

Graceful actions: FAIL when two of the three repeats lose a request, when a lost one was on a pod or node that was then
leaving, or when one repeat alone is decisive (McNemar at its share of alpha). One other failure: INCONCLUSIVE, and so
is whatever is counted beside a control that fails beyond its own objective.
Elsewhere, less the budget windows of crashes: McNemar, at least two errors; where our own load changed, also the rate
of the losses against the unacceptable one. Both sides failing: a shared cause, which is INCONCLUSIVE above the steady
rate and FAIL when it comes back with the action.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from shiftproof.judge.case import Case
from shiftproof.judge.claims.common import (
    GRACEFUL,
    Repeat,
    beside_noise,
    beside_sick,
    between_phases,
    beyond_objective,
    budget_window,
    by_change,
    culprits_of,
    effect_problem,
    in_window,
    losing,
    noise,
    pinned_failures,
    recurs,
    repeat_of,
    sick,
    told,
)
from shiftproof.judge.claims.soundness import stalled
from shiftproof.judge.counting import recurring_loss
from shiftproof.judge.pairing import Bools, Ints
from shiftproof.judge.registry import claim
from shiftproof.judge.sequential import (
    MIN_ERRORS,
    binomial_at_least,
    excess_p,
    least_rate,
    mcnemar,
    ruled_out_rate,
    samples_to_rule_out,
)
from shiftproof.judge.words import bound, count, percent
from shiftproof.model.history import PhaseKind
from shiftproof.model.verdict import Finding, Verdict

_NAME = "availability"
#: Fewer than this share of a rule's chance counts as "more than chance", which is a doubt and no FAIL.
_DOUBT = 0.05


@claim(_NAME)
def judge(case: Case) -> Iterable[Finding]:
    """One finding for each graceful action, each other phase, shared causes, the control, and all pooled."""
    for name, phases in case.groups(*GRACEFUL).items():
        repeats = [repeat_of(case, index, phase) for index, phase in phases]
        yield _graceful(case, name, repeats)
        yield from _shared_cause(case, name, repeats)
        yield from _pinned(case, name, repeats)
    for index, phase in case.phases(PhaseKind.STEADY, PhaseKind.LOAD, PhaseKind.CRASH):
        outside = ~in_window(case, case.pairs.rows(index), budget_window(case, phase))
        rows = np.flatnonzero(outside) + case.pairs.rows(index).start
        yield _elsewhere(case, phase.name, rows, in_budget=int((~outside).sum()), kind=phase.kind)
        if phase.kind is not PhaseKind.STEADY:
            yield from _shared_cause(case, phase.name, [repeat_of(case, index, phase)])
    between = between_phases(case)
    if case.pairs.attributed[between].any():
        yield _elsewhere(case, "between phases", between, in_budget=0, kind=PhaseKind.STEADY)
    yield from _control(case)
    yield _pooled(case)


def _graceful(case: Case, name: str, repeats: list[Repeat]) -> Finding:
    lost = losing(repeats)
    culprits = culprits_of(case, np.concatenate([repeat.rows for repeat in repeats]))
    noisy = beside_noise(case, repeats)
    on_leaving = 0 if noisy else sum(culprit.requests for culprit in culprits if culprit.leaving)
    data = {
        "repeats": [{"pairs": r.pairs, "attributed": r.attributed, "control_only": r.control_only} for r in repeats],
        "on_leaving": on_leaving,
        **told(culprits),
    }
    decisive = any(repeat.crossing.reached for repeat in lost)
    if recurs(case, repeats) or on_leaving or decisive:
        return Finding(_NAME, name, Verdict.FAIL, _lost(repeats, on_leaving), data)
    missing = _missing(case, repeats)
    if lost:
        more = f"; {missing}" if missing else ""
        reason = f"{_lost(repeats, 0)[:-1]}, {_no_proof(repeats, beside_sick=beside_sick(case, repeats))}{more}."
        return Finding(_NAME, name, Verdict.INCONCLUSIVE, reason, data)
    if missing:
        return Finding(_NAME, name, Verdict.INCONCLUSIVE, f"{missing}.", data)
    total = sum(repeat.pairs for repeat in repeats)
    reason = f"{count(len(repeats), 'repeat')}, none lost a request: {bound(total, 0, case.confidence)}."
    return Finding(_NAME, name, Verdict.PASS, reason, data)


def _no_proof(repeats: list[Repeat], *, beside_sick: bool) -> str:
    """Why what these repeats lost is no FAIL."""
    if beside_sick:
        return beyond_objective(sum(repeat.control_failed for repeat in repeats))
    if len(losing(repeats)) == 1:
        return "once and on nothing that was leaving: it may be chance"
    return "no more than noise: the control alone lost some too"


def _lost(repeats: list[Repeat], on_leaving: int) -> str:
    """As in "3 of 3 repeats lost requests (14, 12, 14 of 2,250 each; the control alone lost none)."""
    sizes = sorted({repeat.pairs for repeat in repeats})
    each = f"of {sizes[0]:,} each" if len(sizes) == 1 else f"of {sizes[0]:,} to {sizes[-1]:,} each"
    lost = ", ".join(f"{repeat.attributed:,}" for repeat in repeats)
    control = sum(repeat.control_only for repeat in repeats)
    alone = f"the control alone lost {control:,}" if control else "the control lost none"
    where = f"; {on_leaving:,} on what was then leaving" if on_leaving else ""
    return f"{len(losing(repeats))} of {count(len(repeats), 'repeat')} lost requests ({lost} {each}; {alone}){where}."


def _missing(case: Case, repeats: list[Repeat]) -> str | None:
    """What keeps the repeats from proving anything, None when nothing does."""
    problems = [f"repeat {r.phase.repeat}: {why}" for r in repeats if (why := effect_problem(r.phase))]
    if problems:
        return problems[0]
    if len(repeats) < case.repeats:
        return f"tried {count(len(repeats), 'time')}, {case.repeats} are needed, as a defect does not show every time"
    few = min(repeats, key=lambda repeat: repeat.pairs)
    if few.pairs < case.min_pairs:
        return f"repeat {few.phase.repeat} has {count(few.pairs, 'complete pair')}, {case.min_pairs:,} are needed"
    return None


def _elsewhere(case: Case, name: str, rows: Ints, in_budget: int, kind: PhaseKind) -> Finding:
    """Phases (or the time between) where a failure may happen, but not more often on the new side than on the old."""
    pairs = case.pairs
    n = int(pairs.complete[rows].sum())
    treatment, control = pairs.attributed[rows], pairs.control_only[rows]
    t, c = int(treatment.sum()), int(control.sum())
    crossing = mcnemar(treatment, control, case.alpha_share)
    data = {"pairs": n, "attributed": t, "control_only": c, "log_e": crossing.log_e, "in_budget_window": in_budget}
    said = f"{t:,} of {n:,} failed on the new side alone, {c:,} on the control alone"
    outside = " outside the fault's budget window" if in_budget else ""
    legacy_failed, *_ = pinned_failures(case, rows)
    changed = kind is PhaseKind.LOAD and by_change(case, t, n, legacy_failed)
    if crossing.reached or changed:
        data |= told(culprits_of(case, rows[treatment]))
        reason = f"{said}{outside}: more than chance at {case.alpha:.0%} over all tests."
        return Finding(_NAME, name, Verdict.FAIL, reason, data)
    if n == 0:
        reason = f"no complete pair{outside}, so nothing is known."
        return Finding(_NAME, name, Verdict.INCONCLUSIVE, reason, data)
    if kind is PhaseKind.LOAD and t and sick(case, legacy_failed, n):
        data |= told(culprits_of(case, rows[treatment]))
        return Finding(_NAME, name, Verdict.INCONCLUSIVE, f"{said}{outside}, {beyond_objective(legacy_failed)}.", data)
    acceptable = case.objectives.availability.acceptable
    if t >= MIN_ERRORS and t > 2 * c and binomial_at_least(t, n, acceptable) < _DOUBT:
        data |= told(culprits_of(case, rows[treatment]))
        reason = f"{said}{outside}: more than {percent(acceptable)} would give, too few to be sure."
        return Finding(_NAME, name, Verdict.INCONCLUSIVE, reason, data)
    return Finding(_NAME, name, Verdict.PASS, f"{said}{outside}.", data)


def _pinned(case: Case, name: str, repeats: list[Repeat]) -> Iterator[Finding]:
    """In triples the two pinned sides are still a pair, and the weights may send little to the cluster: what fails
    there is held to the same rule, whether the weights chose it or not.
    """
    rows = [np.arange(s.start, s.stop)[case.pairs.triple[s]] for s in (case.pairs.rows(r.index) for r in repeats)]
    lost = [int(case.pairs.pinned_attributed[one].sum()) for one in rows]
    if not sum(lost):
        return
    together = np.concatenate(rows)
    treatment, control = case.pairs.pinned_attributed[together], case.pairs.pinned_control_only[together]
    legacy_failed, *_ = pinned_failures(case, together)
    recurring = not sick(case, legacy_failed, len(together)) and recurring_loss(lost, len(together), *noise(case))
    sure = recurring or mcnemar(treatment, control, case.alpha_share).reached
    each = f"in {count(sum(1 for one in lost if one), 'repeat')} of {len(lost)}"
    reason = (
        f"the cluster side by itself failed {sum(lost):,} of {len(together):,} while legacy did not, {each} (the other"
        f" way: {int(control.sum()):,})"
    )
    data = {"pairs": len(together), "pinned_attributed": sum(lost)}
    if sure:
        yield Finding(_NAME, name, Verdict.FAIL, f"{reason}.", data)
    else:
        yield Finding(_NAME, name, Verdict.INCONCLUSIVE, f"{reason}: it may be chance.", data)


def _shared_cause(case: Case, name: str, repeats: list[Repeat]) -> Iterator[Finding]:
    """Both failing at once: what they share broke. If it comes with our action, our action is why."""
    base_k, base_n = _steady_both(case)
    base_rate = case.objectives.availability.acceptable
    p = [excess_p(r.both_failed, r.pairs, base_k, base_n, base_rate) for r in repeats]
    above = [r for r, one in zip(repeats, p, strict=True) if r.both_failed >= MIN_ERRORS and one < _DOUBT]
    failed, total = sum(r.both_failed for r in repeats), sum(r.pairs for r in repeats)
    pooled = excess_p(failed, total, base_k, base_n, base_rate)
    if not above and not (failed >= MIN_ERRORS and pooled < _DOUBT):
        return
    data = {"both_failed": failed, "pairs": total, "steady_both_failed": base_k, "steady_pairs": base_n, "p": pooled}
    said = f"both sides failed together in {failed:,} of {total:,} pairs, against {base_k:,} of {base_n:,} in steady"
    late = next((said for repeat in repeats for said in stalled(case, repeat.index)), None)
    if late is not None:
        yield Finding(_NAME, name, Verdict.INCONCLUSIVE, f"{said}, and {late}.", data)
        return
    if len(above) >= MIN_ERRORS and pooled <= case.alpha_share:
        reason = f"{said}, in {len(above)} of {len(repeats)} repeats: what they share breaks with this action."
        hint = (
            "look at what both sides share (database connections, partner limits) while new pods start and old ones end"
        )
        yield Finding(_NAME, name, Verdict.FAIL, reason, data | {"hint": hint})
        return
    yield Finding(_NAME, name, Verdict.INCONCLUSIVE, f"{said}: something they share broke meanwhile.", data)


def _steady_both(case: Case) -> tuple[int, int]:
    both, n = 0, 0
    for index, _ in case.phases(PhaseKind.STEADY):
        rows = case.pairs.rows(index)
        both += int(case.pairs.both_failed[rows].sum())
        n += int(case.pairs.complete[rows].sum())
    return both, n


def _control(case: Case) -> Iterator[Finding]:
    """A control beyond its own objective is no measure of anything."""
    complete = case.pairs.complete
    n, k = int(complete.sum()), int((complete & ~case.pairs.legacy.ok).sum())
    least = least_rate(n, k, case.confidence)
    allowed = case.objectives.availability.unacceptable
    if least > allowed:
        reason = (
            f"the legacy side itself lost {k:,} of {n:,}, at least {percent(least)} at {case.confidence:.0%} confidence"
            f" (its objective is {percent(allowed)}): against such a control nothing can be proven."
        )
        yield Finding(_NAME, "run", Verdict.INCONCLUSIVE, reason, {"control_failed": k, "pairs": n})


def _pooled(case: Case) -> Finding:
    """The rate that this run rules out, over all graceful pairs; of a triple, a loss of either treatment counts."""
    in_graceful = np.array([phase.kind.graceful for phase in case.history.phases] + [False], dtype=np.bool_)
    rows: Bools = in_graceful[case.pairs.phase] & case.pairs.complete
    n, k = int(rows.sum()), int((rows & (case.pairs.attributed | case.pairs.pinned_attributed)).sum())
    upper = ruled_out_rate(n, k, case.confidence)
    data = {"graceful_pairs": n, "attributed": k, "ruled_out_rate": upper, "confidence": case.confidence}
    if upper <= case.ruled_out_rate:
        return Finding(_NAME, "run", Verdict.PASS, f"{bound(n, k, case.confidence)}, all graceful pairs.", data)
    need = samples_to_rule_out(case.ruled_out_rate, case.confidence)
    reason = (
        f"{bound(n, k, case.confidence)}, which does not rule out {percent(case.ruled_out_rate)}"
        f" (that takes {need:,} graceful pairs without a loss)."
    )
    return Finding(_NAME, "run", Verdict.INCONCLUSIVE, reason, data)
