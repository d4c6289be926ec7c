"""Running a rehearsal as a command: all stages, one verdict, and everything back at its base."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from shiftproof.errors import MeasureError, ServiceFault, SetupError
from shiftproof.gate.planting import never_planted, planted, read_defect
from shiftproof.gate.signals import ends_as_interrupted, undisturbed
from shiftproof.judge.elasticity.case import EventCase
from shiftproof.model.result import RunResult
from shiftproof.rehearse.opening import Opened, open_rehearsal
from shiftproof.rehearse.outcome import write_outcome
from shiftproof.rehearse.request import EventRequest
from shiftproof.report.event_live import EventView

NOT_REACHED = "preflight ended the rehearsal before"
INTERRUPTED = "interrupted; the load was stopped and everything is back at its base"


@dataclass(frozen=True, slots=True)
class Done:
    """What one rehearsal came to."""

    result: RunResult
    case: EventCase | None


def run_rehearsal(request: EventRequest, view: EventView) -> Done:
    """All of it; the files of the run are written once everything is back.

    Raises what kept it from a verdict: UserError, SetupError (interrupted, or not all could be put back).
    """
    try:
        with ends_as_interrupted():
            done, opened = _rehearse(request, view)
        write_outcome(done.result, done.case, opened.settings)
        view.end(done.result)
        return done
    except KeyboardInterrupt:
        raise SetupError(INTERRUPTED) from None
    finally:
        view.end(None)


def _rehearse(request: EventRequest, view: EventView) -> tuple[Done, Opened]:
    with ExitStack() as stack:
        try:
            opened = stack.enter_context(open_rehearsal(request, view))
            done = _stages(opened, view)
        finally:
            # Whatever happened; a second Ctrl-C must not cut it short.
            with undisturbed():
                stack.close()
    return done, opened


def _stages(opened: Opened, view: EventView) -> Done:
    """Preflight, then the defect, then the event. A defect is planted after preflight: it is for a claim to catch."""
    session, settings = opened.session, opened.settings
    defect = read_defect(settings.defect) if settings.defect is not None else None
    try:
        session.prepare()
    except (ServiceFault, MeasureError) as error:
        session.failed(error)
        return Done(*session.finish(lambda: [never_planted(defect, NOT_REACHED)] if defect is not None else []))
    with planted(defect, settings.target, opened.journal, settings.service) as planting:
        if planting is not None:
            for note in planting.notes:
                view.note(f"planted {planting.defect.id}: {note}")
        try:
            session.rehearse(planting)
        except (ServiceFault, MeasureError) as error:
            session.failed(error)
        return Done(*session.finish(planting.findings if planting is not None else list))
