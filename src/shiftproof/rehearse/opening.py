"""Opening a rehearsal: read what was asked, take the lock, undo what an earlier run left, connect."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from shiftproof.adapters.targets import INFRA_ENV
from shiftproof.gate.clock import RunClock, take_anchor
from shiftproof.gate.opening import make_folder, put_back, take_up, tidy
from shiftproof.rehearse.parts import EventParts
from shiftproof.rehearse.request import EventRequest
from shiftproof.rehearse.session import RehearsalSession
from shiftproof.rehearse.settings import RehearsalSettings, settings_for
from shiftproof.rehearse.wiring import connect
from shiftproof.report.event_live import EventView
from shiftproof.safety.journal import Journal
from shiftproof.safety.lock import exclusive
from shiftproof.safety.windows import refuse_in_peak


@dataclass(frozen=True, slots=True)
class Opened:
    """A rehearsal that may begin."""

    settings: RehearsalSettings
    parts: EventParts
    journal: Journal
    session: RehearsalSession


@contextmanager
def open_rehearsal(request: EventRequest, view: EventView) -> Iterator[Opened]:
    """Everything from the lock to the first check; puts all back in the end, whatever happens in between.

    What is to be undone stands in the journal, and is undone from there: what works after a kill is what works every
    time.
    """
    settings = settings_for(request)
    # Undo handlers find the same files by this, from whatever folder they are run.
    os.environ[INFRA_ENV] = str(request.infra_dir.resolve())
    refuse_in_peak(settings.platform, settings.target, datetime.now(UTC))
    make_folder(settings.run_dir)
    with tidy(settings.run_dir), exclusive(request.command):
        journal = take_up(settings.target, settings.run_id, view.note)
        anchor_ns = take_anchor()
        clock = RunClock(anchor_ns)
        parts = connect(settings, journal, clock, anchor_ns)
        with put_back(settings.target), RehearsalSession(settings, parts, clock, journal, view) as session:
            yield Opened(settings, parts, journal, session)
