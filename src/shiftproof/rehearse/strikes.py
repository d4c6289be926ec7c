"""Experiments in the middle of an event: those of its rise as the load begins, the others while it is highest."""

from __future__ import annotations

from collections.abc import Sequence

from shiftproof.errors import FaultError, ShiftproofError
from shiftproof.gate.clock import RunClock
from shiftproof.judge.elasticity.case import Strike
from shiftproof.ports import Experiment
from shiftproof.rehearse.parts import EventParts
from shiftproof.rehearse.settings import Plateau, RehearsalSettings
from shiftproof.report.event_live import EventView

LOOK_S = 1.0
TOO_LATE = "the load was no longer at its highest when its turn came, so it was not tried (choose fewer at a time)"


class Strikes:
    """One rehearsal's; `struck` is how each ended. Making it raises UserError or ConfigError for a bad file."""

    def __init__(self, settings: RehearsalSettings, parts: EventParts, clock: RunClock, view: EventView) -> None:
        self.struck: list[Strike] = []
        self._settings = settings
        self._parts = parts
        self._clock = clock
        self._view = view
        asked = [parts.faults.experiment(name) for name in settings.experiments]
        self._on_rise = [one for one in asked if one.on_rise]
        self._on_peak = [one for one in asked if not one.on_rise]
        self._of_workers = [parts.faults.experiment(name) for name in settings.of_workers]

    def strike_all(self, start_ns: int, plateau: Plateau) -> list[dict[str, object]]:
        """One after the other, those of workers once their machines are there, or too late for it; for phase facts."""
        done = [self._strike(experiment) for experiment in self._on_rise]
        self._clock.sleep(max(0.0, plateau.strike_s - (self._clock.now_ns() - start_ns) / 1e9))
        until_ns = start_ns + int(plateau.end_s * 1e9)
        done += [self._strike(experiment, until_ns) for experiment in self._on_peak]
        if self._of_workers:
            self._wait_for_spot(until_ns)
        return [*done, *(self._strike(experiment) for experiment in self._of_workers)]

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

    def _strike(self, experiment: Experiment, until_ns: int | None = None) -> dict[str, object]:
        """until_ns: when the load falls, after which it is not run."""
        now_ns = self._clock.now_ns()
        if until_ns is not None and now_ns >= until_ns:
            struck = Strike(experiment.name, now_ns, now_ns, experiment.kind, experiment.budget, problem=TOO_LATE)
        else:
            self._view.note(f"{experiment.name} begins")
            struck = self._run(experiment)
        self.struck.append(struck)
        said = struck.problem or struck.service_problem or ", ".join(struck.victims) or "nothing was hit"
        self._view.note(f"{experiment.name} has ended: {said}")
        return {"experiment": experiment.name, "victims": list(struck.victims), "problem": struck.problem}

    def _run(self, experiment: Experiment) -> Strike:
        began_ns = self._clock.now_ns()
        victims: Sequence[str] = ()
        facts, service_problem = {}, None
        try:
            result = self._parts.faults.run(experiment.name, self._settings.run_dir, 1)
        except FaultError as error:
            problem: str | None = str(error)
        else:
            began_ns, victims, facts = result.action_start_ns, result.victims, dict(result.facts)
            problem, service_problem = result.problem, result.service_problem
        return Strike(
            experiment=experiment.name,
            began_ns=began_ns,
            ended_ns=self._clock.now_ns(),
            kind=experiment.kind,
            budget=experiment.budget,
            victims=victims,
            facts=facts,
            problem=problem,
            service_problem=service_problem,
        )
