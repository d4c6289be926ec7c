"""What a gate leaves behind: the verdict, the page, and everything that was measured, in the run's folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shiftproof.adapters.locust.events import EventTable, write_parquet
from shiftproof.errors import SetupError, ShiftproofError
from shiftproof.gate.notes import write_timeline
from shiftproof.gate.settings import GateSettings
from shiftproof.judge import Case
from shiftproof.model.history import History
from shiftproof.model.result import RunResult
from shiftproof.report.allure import write_environment
from shiftproof.report.page import write_page
from shiftproof.report.verdict_file import write_run

COULD_NOT_RUN = 3
ALLURE_FOLDER = "allure"


@dataclass(slots=True)
class Outcome:
    """How a gate ended: a result, or an error that kept it from one. Both None: nothing was opened."""

    result: RunResult | None = None
    case: Case | None = None
    error: ShiftproofError | None = None

    @property
    def exit_code(self) -> int:
        if self.error is not None or self.result is None:
            return COULD_NOT_RUN
        return self.result.verdict.exit_code


def write_outcome(outcome: Outcome, settings: GateSettings) -> None:
    """Write all files of the run. Raises SetupError when they cannot be written: such a verdict opens nothing."""
    with writing_to(settings.run_dir):
        case = outcome.case
        if case is not None or outcome.result is not None:
            settings.run_dir.mkdir(parents=True, exist_ok=True)
        if case is not None:
            write_history(settings.run_dir, case.history)
        if outcome.result is not None and outcome.error is None:
            if (settings.run_dir / ALLURE_FOLDER).is_dir():
                write_environment(settings.run_dir / ALLURE_FOLDER, outcome.result)
            write_page(
                outcome.result,
                case.history if case is not None else None,
                attributed=case.pairs.pair[case.pairs.attributed] if case is not None else None,
                threshold_ms=settings.service.objectives.latency.threshold_ms,
            )
            # Last: whoever finds a verdict finds all that it stands on.
            write_run(outcome.result)


@contextmanager
def writing_to(run_dir: Path) -> Iterator[None]:
    """Raises SetupError when the run's files cannot be written."""
    try:
        yield
    except OSError as error:
        raise SetupError(
            f"cannot write the run's files to {run_dir}: {error.strerror}", hint="free some disk space"
        ) from error


def write_history(run_dir: Path, history: History) -> None:
    """Everything that was measured."""
    table = EventTable(history.events, history.operations, history.servers)
    write_parquet(run_dir / "events.parquet", table)
    write_timeline(run_dir / "timeline.jsonl", history.timeline)
