"""Spot: nothing critical on machines that may be taken away, no job lost or done twice, and new machines soon.

Requests that are lost around an interruption are the shortfall's; without an interruption the first two are judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from shiftproof.judge.elasticity.case import EventCase, Interruption, JobsReport
from shiftproof.judge.elasticity.claims.common import S, since_start
from shiftproof.judge.elasticity.placement import placement
from shiftproof.judge.elasticity.registry import event_claim
from shiftproof.judge.words import clock, count, listed
from shiftproof.model.verdict import Finding, Verdict

_NAME = "spot"
REPLACED = "back_s"
"""Key of a finding on how soon workers had machines again; other findings of this claim are on placement or jobs."""
_ON_SPOT_HINT = (
    "keep critical pods off Spot: a nodeSelector or an affinity on the capacity type, and a taint on Spot nodes"
)
_JOBS_HINT = (
    "acknowledge a job only once its work is kept, make the work idempotent by the job's id, and drain Spot nodes on"
    " their notice (an interruption queue)"
)
_MOST_NAMED = 3


def wanted_for(case: EventCase) -> bool:
    """Where something may not be on Spot, or something is."""
    return bool(case.critical or case.jobs or case.interruptions)


@event_claim(_NAME, wanted_for=wanted_for)
def judge(case: EventCase) -> Iterable[Finding]:
    """One finding for where pods were, one for each worker's jobs, one for each interruption."""
    if case.critical:
        yield _placed(case)
    for jobs in case.jobs:
        yield _jobs(case, jobs)
    if case.interruptions and not case.jobs:
        reason = "a Spot machine was taken away, and nobody knows what became of the jobs of its workers."
        yield Finding(_NAME, "run", Verdict.INCONCLUSIVE, reason)
    for interruption in case.interruptions:
        yield _replaced(case, interruption)


def _placed(case: EventCase) -> Finding:
    found = placement(case.history.timeline, case.critical, case.deployment, case.namespace)
    on_spot = dict(found.on_spot)
    for one in case.interruptions:
        on_spot.update({pod.removeprefix("pod/"): one.node.removeprefix("node/") for pod in one.critical_pods})
    data: dict[str, Any] = {"critical_pods": len(found.critical), "on_spot": on_spot, "namespaces": list(case.critical)}
    where = listed(list(case.critical))
    if on_spot:
        named = listed([f"{pod} on {node}" for pod, node in sorted(on_spot.items())[:_MOST_NAMED]])
        more = f" and {len(on_spot) - _MOST_NAMED} more" if len(on_spot) > _MOST_NAMED else ""
        reason = f"{count(len(on_spot), 'pod')} of {where} ran on Spot: {named}{more}."
        return Finding(_NAME, "run", Verdict.FAIL, reason, {**data, "hint": _ON_SPOT_HINT})
    doubt = next(_doubts(found.strangers, len(found.critical), sorted(found.unsure_nodes), where), None)
    if doubt is not None:
        return Finding(_NAME, "run", Verdict.INCONCLUSIVE, f"{doubt}.", data)
    reason = f"0 of {count(len(found.critical), 'pod')} of {where} ran on Spot."
    return Finding(_NAME, "run", Verdict.PASS, reason, data)


def _doubts(strangers: int, critical: int, unsure: list[str], where: str) -> Iterator[str]:
    if not critical:
        yield f"no pod of {where} was seen on any node, so nobody knows where they ran"
    if strangers:
        yield f"of {count(strangers, 'pod')} nobody told the namespace, so they may be of {where}"
    if unsure:
        yield f"nobody told whether {listed(unsure[:_MOST_NAMED])} may be taken away, and pods of {where} ran there"


def _jobs(case: EventCase, jobs: JobsReport) -> Finding:
    data: dict[str, Any] = {
        "worker": jobs.worker,
        "planned": jobs.planned,
        "asked": jobs.asked,
        "produced": jobs.produced,
        "lost": jobs.lost,
        "twice": jobs.twice,
    }
    said = f"{jobs.worker}: {jobs.lost:,} lost and {jobs.twice:,} done twice of {count(jobs.asked, 'job')}"
    if jobs.problem is not None:
        return Finding(_NAME, "run", Verdict.INCONCLUSIVE, f"{jobs.worker}: {jobs.problem}.", data)
    if not jobs.asked:
        reason = f"{jobs.worker} was asked for no job, so none could be lost."
        return Finding(_NAME, "run", Verdict.INCONCLUSIVE, reason, data)
    if jobs.asked <= jobs.planned and (jobs.lost or jobs.twice):
        data |= {"hint": _JOBS_HINT}
        culprit = _culprit(case)
        if culprit is not None:
            data |= {"culprit": culprit}
        return Finding(_NAME, "run", Verdict.FAIL, f"{said}.", data)
    for doubt in _uncounted(jobs):
        return Finding(_NAME, "run", Verdict.INCONCLUSIVE, f"{said}, but {doubt}.", data)
    return Finding(_NAME, "run", Verdict.PASS, f"{said}.", data)


def _uncounted(jobs: JobsReport) -> Iterator[str]:
    """Why the counts are not those of what was asked for."""
    if jobs.asked > jobs.planned:
        yield f"only {jobs.planned:,} were to be asked for: some are of somebody else, or of an earlier run"
    if jobs.asked < jobs.planned:
        yield f"{jobs.planned:,} were to be asked for: it does not know of all"
    if jobs.produced < jobs.asked:
        yield f"{count(jobs.asked - jobs.produced, 'job')} had not been done when we looked"


def _culprit(case: EventCase) -> str | None:
    """The first machine that was taken away, those without a notice before others."""
    found = sorted(case.interruptions, key=lambda one: (one.noticed, one.t_ns))
    if not found:
        return None
    notice = "after its notice" if found[0].noticed else "without a notice or a drain"
    return f"{clock(found[0].t_ns)}  {found[0].node} was taken away {notice} ({found[0].experiment})"


def _replaced(case: EventCase, one: Interruption) -> Finding:
    limit_s = case.scaling.limits.replacement_within_s
    back_s = None if one.back_ns is None else (one.back_ns - one.t_ns) / S
    looked_s = (case.looked_until_ns - one.t_ns) / S
    data: dict[str, Any] = {
        "node": one.node,
        "experiment": one.experiment,
        "at_s": since_start(case, one.t_ns),
        "noticed": one.noticed,
        REPLACED: None if back_s is None else round(back_s, 1),
        "limit_s": limit_s,
    }
    what = f"{one.experiment}: {one.node} was taken away {'with' if one.noticed else 'without'} a notice"
    if one.moot is not None:
        return Finding(_NAME, "run", Verdict.INCONCLUSIVE, f"{what}; {one.moot}.", data)
    if back_s is None and looked_s < limit_s:
        reason = f"{what}, and we looked for {looked_s:.0f} s only to see its pods replaced (within {limit_s:g} s)."
        return Finding(_NAME, "run", Verdict.INCONCLUSIVE, reason, data)
    if back_s is None or back_s > limit_s:
        late = f"not within {looked_s:.0f} s" if back_s is None else f"{back_s:.0f} s later"
        reason = f"{what}; as many pods as before, or as were still wanted, were ready {late} (within {limit_s:g} s)."
        hint = "see what keeps new nodes or pods: capacity of other instance types and zones, pods' start-up"
        return Finding(_NAME, "run", Verdict.FAIL, reason, {**data, "hint": hint})
    reason = (
        f"{what}; as many pods as before, or as were still wanted, were ready {back_s:.0f} s later"
        f" (within {limit_s:g} s)."
    )
    return Finding(_NAME, "run", Verdict.PASS, reason, data)
