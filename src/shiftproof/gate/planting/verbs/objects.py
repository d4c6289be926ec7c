"""What patch, create and delete share: objects of the cluster, found, recorded, and waited for."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from shiftproof.adapters.kubernetes.kinds import ObjectRef
from shiftproof.adapters.kubernetes.objects import undo_payload
from shiftproof.errors import FaultError, UserError
from shiftproof.gate.planting.site import Site
from shiftproof.model.defect_objects import ObjectName

#: How long a patched workload may take to settle before its not settling is taken as what the defect does.
IN_EFFECT_WITHIN_S = 90.0
#: A change that no waiting mends is given this long to be mended after all (a Secret that is a moment late).
HOPELESS_AFTER_S = 5.0
POLL_S = 0.2

#: Kinds that the lab's API server takes and that nothing in the lab acts on: planted, they would be no defect.
WITHOUT_EFFECT: Mapping[str, str] = {
    "NetworkPolicy": (
        "the lab's network enforces no NetworkPolicy, so no defect would be planted: use network, "
        "e.g. network: {deny: {from: cluster, to: database}}"
    ),
    "Ingress": (
        "nothing in the lab follows an Ingress, so no defect would be planted: use router, or patch the Service"
    ),
}


def locate(site: Site, name: ObjectName) -> ObjectRef:
    """Raises UserError for a kind that the cluster does not know."""
    return site.objects.locate(name.kind, name.name, name.namespace or site.namespace, name.api_version)


def must_read(site: Site, ref: ObjectRef) -> Mapping[str, Any]:
    """The live object. Raises UserError when it is not there."""
    found = site.objects.read(ref)
    if found is None:
        where = f" in namespace {ref.namespace}" if ref.namespace else ""
        raise UserError(f"there is no {ref}{where} to plant a defect in")
    return found


def record(site: Site, ref: ObjectRef, before: Mapping[str, Any] | None) -> None:
    """To be put back as it was (None: not there)."""
    site.record("object", str(ref), undo_payload(site.target.name, ref, before), ref=ref)


def await_effect(site: Site, ref: ObjectRef) -> None:
    """Wait until a workload runs as it is now written. One that cannot is in effect too, and noted.

    Raises FaultError when its controller never saw the change.
    """
    start_s = time.monotonic()
    hopeless_since_s: float | None = None
    while (state := site.objects.unsettled(ref)) is not None:
        now_s = time.monotonic()
        hopeless_since_s = (hopeless_since_s or now_s) if state.seen and state.hopeless else None
        late = now_s - start_s >= IN_EFFECT_WITHIN_S
        if late and not state.seen:
            raise FaultError(f"{ref}: {state}, so no defect was planted")
        if late or (hopeless_since_s is not None and now_s - hopeless_since_s >= HOPELESS_AFTER_S):
            site.notes.append(f"{ref} does not settle: {state}")
            return
        time.sleep(POLL_S)
