"""What a rehearsal leaves behind: the verdict, the page, and everything that was measured, in the run's folder."""

from __future__ import annotations

from shiftproof.adapters.locust.events import EventTable, write_parquet
from shiftproof.errors import SetupError
from shiftproof.gate.notes import write_timeline
from shiftproof.judge.elasticity.case import EventCase
from shiftproof.model.result import RunResult
from shiftproof.rehearse.evidence import evidence_of
from shiftproof.rehearse.settings import RehearsalSettings
from shiftproof.report.event_page import write_event_page
from shiftproof.report.verdict_file import write_run


def write_outcome(result: RunResult, case: EventCase | None, settings: RehearsalSettings) -> None:
    """Write all files of the run. Raises SetupError when they cannot be written: such a verdict opens nothing."""
    try:
        settings.run_dir.mkdir(parents=True, exist_ok=True)
        if case is not None:
            history = case.history
            table = EventTable(history.events, history.operations, history.servers)
            write_parquet(settings.run_dir / "events.parquet", table)
            write_timeline(settings.run_dir / "timeline.jsonl", history.timeline)
        write_event_page(result, evidence_of(case) if case is not None else None)
        # Last: whoever finds a verdict finds all that it stands on.
        write_run(result)
    except OSError as error:
        raise SetupError(
            f"cannot write the run's files to {settings.run_dir}: {error.strerror}", hint="free some disk space"
        ) from error
