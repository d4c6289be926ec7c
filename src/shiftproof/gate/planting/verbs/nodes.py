"""nodes: machines that take longer to boot."""

from __future__ import annotations

from shiftproof.errors import FaultError, UserError
from shiftproof.gate.planting.site import Site
from shiftproof.gate.planting.verbs.verb import Verb
from shiftproof.model.defect import Step
from shiftproof.model.defect_events import NodesChange

ENDS_AFTER_S = 3600.0
"""Its own end, whoever is left to undo it: longer than an event is rehearsed."""


class NodesVerb(Verb):
    """Made by the lab, which is what boots machines there; it ends by itself."""

    def check(self, step: Step, site: Site) -> None:
        ordinary_s = site.target.events.node_boot_s
        if _change(step).boot_s <= ordinary_s:
            raise UserError(f"machines take {ordinary_s:g} s to boot as it is, so no defect would be planted")

    def plant(self, step: Step, site: Site) -> None:
        boot_s = _change(step).boot_s
        site.record("boot-delay", "lab/boot-delay", {}, lease_s=ENDS_AFTER_S)
        site.control.set_boot_delay(boot_s, ENDS_AFTER_S)
        held_s = site.control.set_boot_delay(boot_s, ENDS_AFTER_S)
        if held_s != boot_s:
            raise FaultError(f"the lab's machines take {held_s:g} s to boot, not {boot_s:g} s: no defect was planted")


def _change(step: Step) -> NodesChange:
    assert step.nodes is not None
    return step.nodes
