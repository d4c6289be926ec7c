"""Jobs that workers are asked for in an event, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence

from shiftproof.errors import LoadError, MeasureError, ShiftproofError
from shiftproof.gate.notes import Notes
from shiftproof.judge.elasticity.case import JobsReport
from shiftproof.ports import Jobs
from shiftproof.rehearse.underway import EventUnderway
from shiftproof.report.event_live import EventView


class Errands:
    """One rehearsal's. A worker that cannot be asked keeps nothing from being judged but its own jobs."""

    def __init__(self, workers: Sequence[Jobs], notes: Notes, view: EventView) -> None:
        self._workers = workers
        self._notes = notes
        self._view = view
        self._not_asked: dict[str, str] = {}

    def promise_removal(self) -> None:
        """In the journal, before the first of them."""
        for jobs in self._workers:
            jobs.promise_removal()

    def ask(self, underway: EventUnderway) -> None:
        """Raises LoadError or MeasureError where it was the load, or who takes it in, that ended the asking."""
        for jobs in self._workers:
            try:
                jobs.ask()
                self._notes.add("jobs.asked", f"worker/{jobs.worker}")
            except LoadError:
                raise
            except MeasureError as error:
                underway.collector.checkpoint()  # what it found ends any sleep, that of an asking as well
                self._not_asked[jobs.worker] = str(error)
                self._view.note(f"{jobs.worker} could not be asked for jobs: {error}")

    def reports(self) -> tuple[JobsReport, ...]:
        """By the workers' own word."""
        return tuple(self._report(jobs) for jobs in self._workers)

    def _report(self, jobs: Jobs) -> JobsReport:
        problem = self._not_asked.get(jobs.worker)
        if problem is not None:
            return JobsReport(jobs.worker, jobs.planned, problem=problem)
        try:
            said = jobs.check()
            return JobsReport(jobs.worker, jobs.planned, said["asked"], said["produced"], said["twice"], said["lost"])
        except ShiftproofError as error:
            return JobsReport(jobs.worker, jobs.planned, problem=str(error))
