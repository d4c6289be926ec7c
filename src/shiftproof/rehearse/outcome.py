"""What a rehearsal leaves behind: the verdict, the page, and everything that was measured, in the run's folder."""

from __future__ import annotations

from shiftproof.gate.outcome import write_history, writing_to
from shiftproof.judge.elasticity.case import EventCase
from shiftproof.model.result import RunResult
from shiftproof.rehearse.evidence import evidence_of
from shiftproof.rehearse.settings import RehearsalSettings
from shiftproof.report.event_page import write_event_page
from shiftproof.report.verdict_file import write_run


def write_outcome(result: RunResult, case: EventCase | None, settings: RehearsalSettings) -> None:
    """Write all files of the run. Raises SetupError when they cannot be written: such a verdict opens nothing."""
    with writing_to(settings.run_dir):
        settings.run_dir.mkdir(parents=True, exist_ok=True)
        if case is not None:
            write_history(settings.run_dir, case.history)
        write_event_page(result, evidence_of(case) if case is not None else None)
        # Last: whoever finds a verdict finds all that it stands on.
        write_run(result)
