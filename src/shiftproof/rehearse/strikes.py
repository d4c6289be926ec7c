"""Experiments while the load is highest."""

from __future__ import annotations

from shiftproof.errors import FaultError, ShiftproofError
from shiftproof.gate.clock import RunClock
from shiftproof.model.verdict import Finding, Verdict
from shiftproof.rehearse.interruptions import Struck
from shiftproof.rehearse.parts import EventParts
from shiftproof.rehearse.settings import Plateau, RehearsalSettings
from shiftproof.report.event_live import EventView

LOOK_S = 1.0


class Strikes:
    """One rehearsal's; `struck` is how each ended."""

    def __init__(self, settings: RehearsalSettings, parts: EventParts, clock: RunClock, view: EventView) -> None:
        self.struck: list[Struck] = []
        self._settings = settings
        self._parts = parts
        self._clock = clock
        self._view = view

    def strike_all(self, start_ns: int, plateau: Plateau) -> list[dict[str, object]]:
        """One after the other, those of workers once their machines are there, or too late for it; for phase facts."""
        settings = self._settings
        self._clock.sleep(max(0.0, plateau.strike_s - (self._clock.now_ns() - start_ns) / 1e9))
        done = [self._strike(name) for name in settings.experiments]
        if settings.of_workers:
            self._wait_for_spot(start_ns + int(plateau.end_s * 1e9))
        return [*done, *(self._strike(name) for name in settings.of_workers)]

    def findings(self, phase: str) -> list[Finding]:
        """An experiment that did nothing proves nothing; one that the service did not bear is its fault."""
        without = [
            Finding("sufficiency", phase, Verdict.INCONCLUSIVE, f"{one.experiment}: {one.problem}")
            for one in self.struck
            if one.problem is not None
        ]
        not_borne = [
            Finding("recovery", phase, Verdict.FAIL, f"{one.experiment}: {one.service_problem}")
            for one in self.struck
            if one.service_problem is not None
        ]
        return [*without, *not_borne]

    def _wait_for_spot(self, until_ns: int) -> None:
        """Until a worker is at work on them: a pod that only has a place has nothing in hand that could be lost.

        Whether that ever came is the experiment's to say.
        """
        while self._clock.now_ns() < until_ns:
            try:
                state = self._parts.elastic.state()
                if state.spot_nodes and any(state.workers_ready.values()):
                    return
            except ShiftproofError:
                pass  # asked again: what is judged comes from the watchers
            self._clock.sleep(LOOK_S)

    def _strike(self, experiment: str) -> dict[str, object]:
        self._view.note(f"{experiment} begins")
        began_ns = self._clock.now_ns()
        try:
            result = self._parts.faults.run(experiment, self._settings.run_dir, 1)
            struck = Struck.of(experiment, result)
        except FaultError as error:
            struck = Struck(experiment, began_ns, problem=str(error))
        self.struck.append(struck)
        self._view.note(f"{experiment} has ended: {struck.problem or ', '.join(struck.victims) or 'nothing was hit'}")
        return {"experiment": experiment, "victims": list(struck.victims), "problem": struck.problem}
