"""What a Chaos Toolkit journal proves. Pure.

`chaos run` exits 0 on runs that injected nothing, whose rollbacks were skipped, or that were cut short; so nothing is
taken from its own summary that is not borne out by each part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """How many parts the experiment's file has: what the journal must show, no more and no less."""

    probes: int
    method: int
    rollbacks: int


@dataclass(frozen=True, slots=True)
class Audit:
    """problem: why the run proves nothing. service_problem: the fault took effect and the service did not bear it.

    begun, ended: when each victim's fault did, in ns of CLOCK_MONOTONIC.
    """

    problem: str | None
    service_problem: str | None
    victims: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    begun: Mapping[str, int] = field(default_factory=dict)
    ended: Mapping[str, int] = field(default_factory=dict)


def audit(journal: Json, plan: Plan) -> Audit:
    """Judge one journal against its plan."""
    victims, facts, effect, service_problem = _outputs(journal.get("run") or ())
    problem = (
        _steady_before(journal, plan)
        or _method(journal, plan)
        or _rollbacks(journal, plan)
        or _ending(journal)
        or _effect(victims, effect)
    )
    after_problem, not_back = _steady_after(journal, plan)
    problem = problem or after_problem
    if problem is None:
        service_problem = service_problem or not_back
        problem = _contradiction(journal, service_problem)
    return Audit(
        problem,
        service_problem if problem is None else None,
        victims,
        facts,
        begun=_times(journal, "begun"),
        ended=_times(journal, "ended"),
    )


def _steady_before(journal: Json, plan: Plan) -> str | None:
    before = (journal.get("steady_states") or {}).get("before")
    if not before:
        return "no steady state was checked before the fault"
    if before.get("steady_state_met") is not True:
        return f"not steady before the fault: {_unmet(before)}"
    return _all_probes(before, plan, "before")


def _steady_after(journal: Json, plan: Plan) -> tuple[str | None, str | None]:
    """(problem, service problem): not checked, or checked and found wanting."""
    after = (journal.get("steady_states") or {}).get("after")
    if not after:
        return "no steady state was checked after the fault", None
    probes = after.get("probes") or ()
    if any(probe.get("status") != "succeeded" for probe in probes):
        return f"the steady state after the fault could not be checked: {_unmet(after)}", None
    if after.get("steady_state_met") is not True:
        return None, f"not steady again after the fault: {_unmet(after)}"
    return _all_probes(after, plan, "after"), None


def _all_probes(state: Json, plan: Plan, when: str) -> str | None:
    probes = state.get("probes") or ()
    good = [probe for probe in probes if probe.get("status") == "succeeded" and probe.get("tolerance_met") is True]
    if len(good) != plan.probes:
        return f"{len(good)} of {plan.probes} probes were met {when} the fault"
    return None


def _method(journal: Json, plan: Plan) -> str | None:
    return _all_succeeded(journal.get("run") or (), plan.method, "of the method")


def _rollbacks(journal: Json, plan: Plan) -> str | None:
    return _all_succeeded(journal.get("rollbacks") or (), plan.rollbacks, "of the rollbacks")


def _all_succeeded(runs: Sequence[Json], wanted: int, what: str) -> str | None:
    for run in runs:
        if run.get("status") != "succeeded":
            return f"{_name(run)!r} {what} {run.get('status') or 'did not end'}: {_exception(run)}"
    if len(runs) != wanted:
        return f"{len(runs)} of {wanted} {what} were run"
    return None


def _ending(journal: Json) -> str | None:
    """A run whose steady state was not met afterwards may say `failed`; that is looked at by itself."""
    status = journal.get("status")
    if status == "completed" or (status == "failed" and journal.get("deviated") is True):
        return None
    return f"the experiment ended as {status!r}"


def _effect(victims: Sequence[str], effect: bool) -> str | None:
    if not victims:
        return "no action named a victim: nothing was hit"
    return None if effect else "no action confirmed its effect"


def _contradiction(journal: Json, service_problem: str | None) -> str | None:
    if service_problem is None and (journal.get("deviated") is not False or journal.get("status") != "completed"):
        return f"the journal says deviated={journal.get('deviated')!r}, and no probe shows why"
    return None


def _outputs(runs: Sequence[Json]) -> tuple[tuple[str, ...], dict[str, Any], bool, str | None]:
    """Victims, facts, whether every action that names victims confirmed its effect, and the service's problem."""
    victims: list[str] = []
    facts: dict[str, Any] = {}
    effects: list[bool] = []
    service_problem: str | None = None
    for run in runs:
        output = run.get("output")
        if not isinstance(output, Mapping) or run.get("status") != "succeeded":
            continue
        facts.update(output.get("facts") or {})
        if output.get("victims"):
            victims += map(str, output["victims"])
            effects.append(output.get("effect") == "confirmed")
        service_problem = service_problem or output.get("service_problem")
    return tuple(victims), facts, bool(effects) and all(effects), service_problem


def _times(journal: Json, key: str) -> dict[str, int]:
    """By victim, of the method and the rollbacks; the first time counts, since a second undo finds nothing to do."""
    found: dict[str, int] = {}
    for run in [*(journal.get("run") or ()), *(journal.get("rollbacks") or ())]:
        output = run.get("output")
        times = output.get(key) if isinstance(output, Mapping) else None
        if isinstance(times, Mapping):
            found = {**{str(subject): int(t_ns) for subject, t_ns in times.items()}, **found}
    return found


def _unmet(state: Json) -> str:
    """The words of the last probe, which is the one that ended the check."""
    probes = state.get("probes") or ()
    if not probes:
        return "no probe was run"
    last = probes[-1]
    if last.get("status") != "succeeded":
        return _exception(last)
    return f"{_name(last)}: {last.get('output')}"


def _exception(run: Json) -> str:
    """The last line of its traceback: what was raised, with the wrappings of Chaos Toolkit taken off."""
    lines = [line.strip() for part in run.get("exception") or () for line in str(part).splitlines() if line.strip()]
    return lines[-1].removeprefix("chaoslib.exceptions.ActivityFailed: ") if lines else "no reason is given"


def _name(run: Json) -> str:
    return str((run.get("activity") or {}).get("name", "?"))
