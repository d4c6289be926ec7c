"""delete: an object that is there, and can be put back with all that was in it."""

from __future__ import annotations

from shiftproof.adapters.kubernetes.objects import IRREPLACEABLE
from shiftproof.errors import UserError
from shiftproof.gate.planting.site import Site
from shiftproof.gate.planting.verbs import objects
from shiftproof.gate.planting.verbs.verb import Verb
from shiftproof.model.defect import Step
from shiftproof.model.defect_objects import ObjectName


class DeleteVerb(Verb):
    """Undone by creating it anew."""

    def wrong(self, step: Step) -> str | None:
        kind = _name(step).kind
        if kind in IRREPLACEABLE:
            return f"a {kind} cannot be put back with what was in it, so it is not deleted"
        return objects.WITHOUT_EFFECT.get(kind)

    def check(self, step: Step, site: Site) -> None:
        ref = objects.locate(site, _name(step))
        if site.foreseen.get(ref.path) is False:
            raise UserError(f"a step before this one deletes {ref}")
        if ref.path not in site.foreseen:
            objects.must_read(site, ref)
        site.foreseen[ref.path] = False

    def plant(self, step: Step, site: Site) -> None:
        ref = objects.locate(site, _name(step))
        objects.record(site, ref, objects.must_read(site, ref))
        site.objects.delete(ref)


def _name(step: Step) -> ObjectName:
    assert step.delete is not None
    return step.delete
