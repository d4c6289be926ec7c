"""Preflight of a rehearsal, before any load: seconds, or minutes where fixed capacity has to begin at the base.

ServiceFault is FAIL; UserError and SetupError exit with 3.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from shiftproof.errors import ServiceFault, UserError
from shiftproof.gate.preflight import one_writer, rules_pinned
from shiftproof.model.scaling import Signal
from shiftproof.model.verdict import Finding, Verdict
from shiftproof.ports import AutoscalerState, Clock
from shiftproof.rehearse.parts import EventParts
from shiftproof.rehearse.settings import PAIRS_PER_S, RehearsalSettings
from shiftproof.rehearse.waiting import BASE_WITHIN_S, wait_for_base

CLAIM = "preflight"
READS_WITHIN_S = 90.0  # a metric of a few requests needs a minute to be there at all
POLL_S = 1.0


def can_send(settings: RehearsalSettings, parts: EventParts) -> Finding:
    """This machine sends the event's highest rate on time. Raises UserError: nothing was changed yet.

    Raises LoadError when that could not be found out.
    """
    able = parts.event_load.sends_per_s(parts.event_plan)
    peak = settings.demand.peak_per_s
    if able < peak + PAIRS_PER_S:
        raise UserError(
            f"this machine can send about {able:.0f}/s; {settings.event.name} needs {peak:.0f}/s and"
            f" {PAIRS_PER_S:g} pairs/s beside it",
            hint=f"{_smaller(settings, able)}send from more machines (infra/load)",
        )
    return _passed("load", f"about {able:.0f}/s can be sent, {peak + PAIRS_PER_S:.0f}/s are needed")


def scales(settings: RehearsalSettings, parts: EventParts, clock: Clock) -> Finding:
    """There is an autoscaler, as the platform's file describes it, and it reads its metric.

    Raises UserError without one, or with other bounds; ServiceFault when it stays blind, or aims at other figures.
    """
    found = _autoscaler(settings, parts)
    scaling = settings.scaling
    if (found.least, found.most) != (scaling.least_pods, scaling.most_pods):
        raise UserError(
            f"the autoscaler {found.name} goes from {found.least} to {found.most} pods, and infra/platform.yaml says"
            f" {scaling.least_pods} to {scaling.most_pods}",
            hint=f"let least_pods and most_pods of {settings.service.name} say what its autoscaler has",
        )
    give_up_ns = clock.now_ns() + int(READS_WITHIN_S * 1e9)
    while found.problem is not None:
        if clock.now_ns() >= give_up_ns:
            raise ServiceFault(
                f"the autoscaler {found.name} cannot read what it scales on, after {READS_WITHIN_S:.0f} s:"
                f" {found.problem}",
                hint="look at its conditions: kubectl describe hpa",
            )
        clock.sleep(POLL_S)
        found = _autoscaler(settings, parts)
    _refuse_other_target(settings.scaling.signal, found)
    return _passed("autoscaler", f"{found.name}, {found.least} to {found.most} pods, reads its metric")


def _smaller(settings: RehearsalSettings, able: float) -> str:
    """The size of the event that can be sent, as the beginning of a hint; "" where that is no size at all."""
    scale = settings.target.events.demand_scale
    may_be = _floor(scale * max(0.0, able - PAIRS_PER_S) / settings.demand.peak_per_s)
    if may_be <= 0:
        return "let nothing else run on this machine, or "
    file = f"infra/targets/{settings.target.name}.yaml"
    return f"set events.demand_scale of {file} to {may_be:g} or less (it is {scale:g}), or "


def most_suffices(settings: RehearsalSettings) -> Finding:
    """Said and no more: whether the pods that it may have carry the event is what the event shows."""
    needed, most = settings.pods_needed, settings.scaling.most_pods
    said = f"the event asks for {needed} pods at its highest rate, and there may be {most}"
    return _passed("pods", said)


def fix_pods(settings: RehearsalSettings, parts: EventParts, clock: Clock, pods: int) -> Iterator[str]:
    """Take autoscaling away, from its base on; yields what is to be said.

    A machine that an earlier run brought, and a pod that is on it, would go half way.
    """
    least = settings.scaling.least_pods
    waited = wait_for_base(parts.elastic, clock, least, settings.worker_base, BASE_WITHIN_S)
    if waited.missing is not None:
        yield f"when autoscaling was taken away, the base was not reached: {waited.missing}"
    parts.elastic.fix(pods)
    yield f"autoscaling is off: {pods} pods"


def rules_lead(parts: EventParts) -> Finding:
    """The rehearsal rules lead to their own side, and nobody else writes the customers'.

    Raises ServiceFault for another writer, SetupError for a rule that leads elsewhere.
    """
    return _passed("rules", f"{one_writer(parts.router)}; {rules_pinned(parts.router)}")


def _refuse_other_target(signal: Signal, found: AutoscalerState) -> None:
    """How many pods an event asks for follows from platform.yaml: it must be what the autoscaler goes by, too."""
    if signal.kind == "cpu" or any(math.isclose(signal.per_pod, aim, rel_tol=1e-3) for aim in found.per_pod):
        return
    goes_by = " and ".join(f"{aim:g}" for aim in found.per_pod) or "nothing that is counted a pod"
    raise ServiceFault(
        f"platform.yaml says {signal.per_pod:g} a pod ({signal.kind}), the autoscaler {found.name} goes by {goes_by}",
        hint="let scaling.signal say what the autoscaler's own target is, or correct the target",
    )


def _autoscaler(settings: RehearsalSettings, parts: EventParts) -> AutoscalerState:
    found = parts.elastic.autoscaler()
    if found is None:
        service = settings.service
        raise UserError(
            f"no HorizontalPodAutoscaler scales the Deployment {service.namespace}/{service.deployment}",
            hint="an event rehearses autoscaling: apply one (autoscaling/v2), or KEDA's ScaledObject",
        )
    return found


def _passed(phase: str, reason: str) -> Finding:
    return Finding(CLAIM, phase, Verdict.PASS, reason)


def _floor(scale: float) -> float:
    """To two figures, and never above what it was."""
    return int(scale * 100) / 100
