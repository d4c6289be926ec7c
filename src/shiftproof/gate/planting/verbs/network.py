"""network: packets between two ends that are dropped or late."""

from __future__ import annotations

import uuid

from shiftproof.errors import FaultError, LabError, UserError
from shiftproof.gate.planting.site import Site
from shiftproof.gate.planting.verbs.verb import Verb
from shiftproof.lab.network_rules import NetworkFault
from shiftproof.model.defect import Step

ENDS_AFTER_S = 1800.0
"""A fault's own end, whoever is left to undo it: as long as a gate's load may run at most."""

DROPPING = ("deny", "drop_idle")
"""Kinds whose packets the lab counts."""


class NetworkVerb(Verb):
    """Made by the lab on its bridge: acts on flows that exist already, and ends by itself."""

    def wrong(self, step: Step) -> str | None:
        try:
            _fault(step).ends()
        except UserError as error:
            return str(error)
        return None

    def check(self, step: Step, site: Site) -> None:
        try:
            site.control.check_network(_json(_fault(step)))
        except LabError as error:
            raise UserError(str(error), hint=error.hint) from error

    def plant(self, step: Step, site: Site) -> None:
        fault, fault_id = _fault(step), uuid.uuid4().hex
        _note_long_silence(fault, site)
        payload = {"id": fault_id, "fault": fault.kind}
        site.record("network", f"network/{fault}", payload, lease_s=ENDS_AFTER_S)
        site.control.add_network(fault_id, _json(fault), ENDS_AFTER_S)
        if fault_id not in {held["id"] for held in site.control.status()["network"]}:
            raise FaultError(f"the lab holds no network fault '{fault}' although it took it")

    def idle(self, site: Site) -> list[str]:
        """Those that drop packets, and had none to drop: nothing that was measured has anything to do with them."""
        dropping = [change for change in site.changes if change.kind == "network" and change.undo["fault"] in DROPPING]
        if not dropping:
            return []
        held = {fault["id"]: fault["dropped"] for fault in site.control.status()["network"]}
        return [
            f"{change.subject.removeprefix('network/')}: " + ("no longer in force" if known is None else "no packet")
            for change in dropping
            if not (known := held.get(change.undo["id"]))
        ]


def _note_long_silence(fault: NetworkFault, site: Site) -> None:
    """No error: a pool keeps connections idle for longer than our load is, and those are dropped all the same."""
    quiet_s = site.of.load.quiet_s if site.of is not None else None
    if fault.kind == "drop_idle" and quiet_s is not None and fault.after_s >= quiet_s:
        site.notes.append(
            f"after_s {fault.after_s:g} is not below quiet_s {quiet_s:g} of the service: our own pause lets no "
            "connection fall idle for so long, so perhaps nothing is dropped"
        )


def _fault(step: Step) -> NetworkFault:
    assert step.network is not None
    match step.network:
        case change if (deny := change.deny) is not None:
            return NetworkFault("deny", deny.source, deny.destination, port=deny.port)
        case change if (idle := change.drop_idle) is not None:
            return NetworkFault("drop_idle", idle.source, idle.destination, after_s=idle.after_s)
        case change:
            assert change.delay is not None
            return NetworkFault("delay", change.delay.source, change.delay.destination, delay_ms=change.delay.ms)


def _json(fault: NetworkFault) -> dict[str, object]:
    return {
        "kind": fault.kind,
        "source": fault.source,
        "destination": fault.destination,
        "port": fault.port,
        "after_s": fault.after_s,
        "delay_ms": fault.delay_ms,
    }
