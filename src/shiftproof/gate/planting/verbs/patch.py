"""patch: change an object that is there."""

from __future__ import annotations

from shiftproof.adapters.kubernetes.objects import cleaned
from shiftproof.errors import UserError
from shiftproof.gate.planting.site import Site
from shiftproof.gate.planting.verbs import objects
from shiftproof.gate.planting.verbs.verb import Verb
from shiftproof.model.defect import Step
from shiftproof.model.defect_objects import Patch


class PatchVerb(Verb):
    """One that changes nothing is refused: no defect would be planted."""

    def wrong(self, step: Step) -> str | None:
        return objects.WITHOUT_EFFECT.get(_patch(step).kind)

    def check(self, step: Step, site: Site) -> None:
        patch = _patch(step)
        ref = objects.locate(site, patch)
        if site.foreseen.get(ref.path):
            return  # a step before makes or changes it: what it will be then cannot be known now
        if ref.path in site.foreseen:
            raise UserError(f"a step before this one deletes {ref}")
        before = objects.must_read(site, ref)
        _refuse_nothing(before, site.objects.patch(ref, patch.type, patch.body, dry_run=True), str(ref))
        site.foreseen[ref.path] = True

    def plant(self, step: Step, site: Site) -> None:
        patch = _patch(step)
        ref = objects.locate(site, patch)
        before = objects.must_read(site, ref)
        objects.record(site, ref, before)
        _refuse_nothing(before, site.objects.patch(ref, patch.type, patch.body), str(ref))
        objects.await_effect(site, ref)


def _patch(step: Step) -> Patch:
    assert step.patch is not None
    return step.patch


def _refuse_nothing(before: object, after: object, name: str) -> None:
    if cleaned(after) == cleaned(before):  # type: ignore[arg-type]
        raise UserError(f"the patch of {name} changes nothing, so no defect would be planted")
