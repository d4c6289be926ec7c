"""sql: statements on the service's database, as its owner."""

from __future__ import annotations

import uuid

from shiftproof.gate.planting.site import Site
from shiftproof.gate.planting.verbs.verb import Verb
from shiftproof.model.defect import Step


class SqlVerb(Verb):
    """Undone by the step's own `undo`, exactly once and only if the statements were made: the database knows."""

    def check(self, step: Step, site: Site) -> None:
        from shiftproof.adapters import postgres  # 0.2 s of imports that a gate without this verb need not wait for

        sql, undo = _statements(step)
        where = postgres.Place.of(site.control.database(site.service))
        postgres.check_syntax(where, sql)
        postgres.check_syntax(where, undo, what="its undo: ")

    def plant(self, step: Step, site: Site) -> None:
        from shiftproof.adapters import postgres

        sql, undo = _statements(step)
        mark = uuid.uuid4().hex
        where = postgres.Place.of(site.control.database(site.service))
        names = postgres.search_path(where)  # the statements may change it, and the undo is written for this one
        payload = {"service": site.service, "mark": mark, "sql": undo, "search_path": names}
        site.record("sql", f"sql/{site.service}", payload)
        postgres.make(where, sql, mark)


def _statements(step: Step) -> tuple[str, str]:
    assert step.sql is not None
    assert step.undo is not None
    return step.sql, step.undo
