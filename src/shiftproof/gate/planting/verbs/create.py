"""create: an object that is not there."""

from __future__ import annotations

from shiftproof.errors import UserError
from shiftproof.gate.planting.site import Site
from shiftproof.gate.planting.verbs import objects
from shiftproof.gate.planting.verbs.verb import Verb
from shiftproof.model.defect import Step
from shiftproof.model.defect_objects import Create


class CreateVerb(Verb):
    """Undone by deleting it."""

    def wrong(self, step: Step) -> str | None:
        return objects.WITHOUT_EFFECT.get(_create(step).object.kind)

    def check(self, step: Step, site: Site) -> None:
        create = _create(step)
        ref = objects.locate(site, create.object)
        there = site.foreseen.get(ref.path, site.objects.read(ref) is not None)
        if there:
            raise UserError(f"{ref} is there already", hint="use patch to change it")
        # Where a step before deletes the old one, or creates the namespace, it cannot be tried dry.
        waits_for_others = any(path in (ref.path, f"/api/v1/namespaces/{ref.namespace}") for path in site.foreseen)
        if not waits_for_others:
            site.objects.create(ref, create.body, dry_run=True)
        site.foreseen[ref.path] = True

    def plant(self, step: Step, site: Site) -> None:
        create = _create(step)
        ref = objects.locate(site, create.object)
        if site.objects.read(ref) is not None:
            raise UserError(f"{ref} is there already", hint="use patch to change it")
        objects.record(site, ref, None)
        site.objects.create(ref, create.body)
        objects.await_effect(site, ref)


def _create(step: Step) -> Create:
    assert step.create is not None
    return step.create
