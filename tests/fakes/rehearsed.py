"""What tests say of how a rehearsal ended."""

from __future__ import annotations

from collections.abc import Callable

from fakes.rehearsals import EventWorld
from shiftproof.model.verdict import Verdict
from shiftproof.rehearse.run import Done
from shiftproof.safety.journal import Journal, journal_dir

Rehearse = Callable[..., Done]
"""Runs one rehearsal; see tests/rehearse/conftest.py."""


def reasons(done: Done) -> str:
    """All that keeps it from a PASS, a line each; empty for one that passed."""
    bad = [finding for finding in done.result.findings if finding.verdict is not Verdict.PASS]
    return "\n".join(f"{finding.claim} {finding.phase} {finding.verdict}: {finding.reason}" for finding in bad)


def is_put_back(world: EventWorld) -> None:
    """Nothing is left in the undo journal, and no load of ours goes on."""
    assert not Journal(journal_dir()).pending()
    assert world.pairs.ended
    assert world.event_load.event is None or world.event_load.event.stopped
