"""The metrics that an autoscaler follows, gone for a while: what it does not see it must not take for no load."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from shiftproof.adapters.kubernetes import paths
from shiftproof.adapters.kubernetes.pods import condition
from shiftproof.chaos.scene import Report, Scene, confirmed, scene, wait_for
from shiftproof.chaos.undo import undo_kind
from shiftproof.errors import FaultError, RefusedError
from shiftproof.lab.control import LabControl

Json = Mapping[str, Any]

PART = "part"
SOURCES = ("prometheus", "metrics-server", "keda-operator", "keda-adapter")
"""Parts of the lab without which an autoscaler is blind, by what it follows."""


def hide_metrics(part: str = "prometheus", for_s: float = 120, within_s: float = 90) -> Report:
    """Let the source of the autoscaler's metrics stand still; it goes on by itself after `for_s`. Lab only.

    Ends when the autoscaler is seen to be blind: its HPA's ScalingActive is False, or its ScaledObject (KEDA) has
    fallen back to what it does without a metric. Raises FaultError when there is no autoscaler, when it is blind
    already, or when it still sees after `within_s`.
    """
    return hide_one(scene(), LabControl(), part, for_s, within_s)


def show_metrics(within_s: float = 90) -> Report:
    """Let what this run let stand still go on; ends when the autoscaler sees again. Does nothing when there is none.

    Raises FaultError when it is still blind after `within_s`.
    """
    return show_all(scene(), within_s)


def hide_one(at: Scene, lab: LabControl, part: str, for_s: float, within_s: float) -> Report:
    at.may_break()
    if at.target.kind != "lab":
        raise RefusedError(f"a part can be made to stand still in the lab only, not on {at.target.name}")
    if part not in SOURCES:
        raise FaultError(f"no autoscaler is blind without {part!r}: there are {', '.join(SOURCES)}")
    if for_s <= within_s:
        raise FaultError(f"{part} goes on after {for_s:g} s, before anybody need have missed it ({within_s:g} s)")
    before = blindness(at)
    if before is not None:
        raise FaultError(f"the autoscaler of {at.service.name} is blind already: {before}")
    undo = {"target": at.target.name, "part": part}
    at.journal.record(kind=PART, subject=f"part/{part}", undo=undo, lease_s=for_s)
    began_ns = time.monotonic_ns()
    lab.pause_part(part, for_s)
    if not wait_for(lambda: blindness(at) is not None, within_s):
        raise FaultError(f"{part} stands still, and the autoscaler of {at.service.name} still sees its metric")
    seen_s = round((time.monotonic_ns() - began_ns) / 1e9, 3)
    return confirmed({f"part/{part}": began_ns}, part=part, blind_after_s=seen_s, blind=blindness(at), lease_s=for_s)


def show_all(at: Scene, within_s: float) -> Report:
    ended = undo_kind(at, PART)
    if ended and not wait_for(lambda: blindness(at) is None, within_s):
        raise FaultError(f"the metrics are back, and the autoscaler is blind after {within_s:g} s: {blindness(at)}")
    return {"ended": ended}


def blindness(at: Scene) -> str | None:
    """Why the service's autoscaler does not see its metric, in words; None while it does.

    Raises FaultError when the service has none.
    """
    namespace, deployment = at.service.namespace, at.service.deployment
    scalers = at.api.items(paths.grouped("autoscaling/v2", namespace, "horizontalpodautoscalers"))
    mine = [one for one in scalers if one["spec"]["scaleTargetRef"]["name"] == deployment]
    if not mine:
        raise FaultError(f"{at.service.name} has no autoscaler, so none can be made blind")
    for scaler in mine:
        said = condition(scaler, "ScalingActive")
        if said.get("status") != "True":
            return f"{said.get('reason') or 'it has not looked yet'}: {said.get('message', '')}".rstrip(": ")
        owner = scaled_object_of(scaler)
        if owner is not None and (why := _fallen_back(at, namespace, owner)) is not None:
            return why
    return None


def scaled_object_of(scaler: Json) -> str | None:
    """The ScaledObject that KEDA made this HPA from; None for one that a person made."""
    owners = scaler["metadata"].get("ownerReferences") or ()
    return next((str(owner["name"]) for owner in owners if owner["kind"] == "ScaledObject"), None)


def _fallen_back(at: Scene, namespace: str, name: str) -> str | None:
    """With a `fallback` KEDA tells the HPA what makes it stay, so the HPA itself sees nothing amiss."""
    found = at.api.find(f"{paths.grouped('keda.sh/v1alpha1', namespace, 'scaledobjects')}/{name}")
    said = condition(found or {}, "Fallback")
    return f"{said.get('reason', 'Fallback')}: {said.get('message', '')}" if said.get("status") == "True" else None
