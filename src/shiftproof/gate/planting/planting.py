"""Making the steps of a defect, each at its time, and undoing them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from shiftproof.adapters.kubernetes import Api, connect
from shiftproof.adapters.kubernetes.objects import Objects
from shiftproof.errors import ConfigError, RefusedError, SetupError, ShiftproofError, UndoError, UserError
from shiftproof.gate.planting.site import Site
from shiftproof.gate.planting.verbs import VERBS
from shiftproof.gate.planting.verbs.network import DROPPING
from shiftproof.gate.sufficiency import insufficient
from shiftproof.gate.undo import handlers
from shiftproof.lab.control import LabControl
from shiftproof.model.defect import Defect, Step
from shiftproof.model.platform import Service
from shiftproof.model.target import Target
from shiftproof.model.verdict import Finding
from shiftproof.ports import UndoLog
from shiftproof.safety.recover import UndoHandler

NOT_KNOWN = "not known to be in effect"
"""How a step ends in `not_planted` when nobody can say whether it did anything."""


@contextmanager
def planted(
    defect: Defect | None, target: Target, journal: UndoLog, service: Service | None = None
) -> Iterator[Planting | None]:
    """Plant, and undo however the block ends; nothing at all for None. Tell it the phases that start.

    service: whose namespace objects are in unless they say so (else a namespace called like the defect's service).
    Raises RefusedError on any target but the lab, ConfigError when a step cannot be made (nothing is left of those
    before it), FaultError when a step had no effect, UndoError when something could not be put back.
    """
    if defect is None:
        yield None
        return
    refuse_elsewhere(target)
    namespace = service.namespace if service else defect.service
    objects = Objects(Api(connect(target)))
    site = Site(target, defect.service, namespace, journal, objects, LabControl(), of=service)
    planting = Planting(defect, site)
    try:
        planting.begin()
        yield planting
    finally:
        planting.unplant()


def refuse_elsewhere(target: Target) -> None:
    """Raises RefusedError: a defect is planted in the lab, and nowhere else, whatever flags are given."""
    if target.kind != "lab":
        raise RefusedError(
            f"defects are planted in the lab only, and {target.name} is not one", hint="leave out --defect"
        )


class Planting:
    """One defect on its way into the lab and out again."""

    def __init__(self, defect: Defect, site: Site, undo: Mapping[str, UndoHandler] | None = None) -> None:
        self.defect = defect
        self._site = site
        self._undo = undo or handlers()
        self._waiting = [step for step in defect.plant if step.when is not None]
        self._not_made: list[Step] = []
        self._phases: list[str] = []

    @property
    def notes(self) -> tuple[str, ...]:
        """What was seen while planting, for people."""
        return tuple(self._site.notes)

    def begin(self) -> None:
        """Check all steps, and only then make those that wait for no phase. Raises as `planted` does."""
        at_once = [step for step in self.defect.plant if step.when is None]
        self._check([*at_once, *self._waiting])
        for step in at_once:
            self._make(step)

    def phase_started(self, name: str) -> tuple[str, ...]:
        """Make the steps that wait for this phase, when it comes for the first time. Raises as `planted` does.

        Returns what was seen while planting, for people.
        """
        known = len(self._site.notes)
        if name not in self._phases:
            self._phases.append(name)
        due = [step for step in self._waiting if step.when == name]
        self._waiting = [step for step in self._waiting if step.when != name]
        self._not_made += due
        self._site.under_load = True
        try:
            for step in due:
                self._make(step)
                self._not_made.remove(step)  # not before: the run goes on with other drills when it was not
        finally:
            self._site.under_load = False
        return tuple(self._site.notes[known:])

    def findings(self) -> list[Finding]:
        """INCONCLUSIVE while a step was not made, or did nothing: a PASS would say nothing about the defect.

        `data["not_planted"]` names each such step; also beside a FAIL, which then is of something else, or may be: a
        step whose effect is not known is named too, and ends with NOT_KNOWN. Call it before `unplant`, and after the
        load.
        """
        return [*self._never_made(), *self._without_effect()]

    def _never_made(self) -> Iterator[Finding]:
        if self._not_made:
            steps = [f"{step.verb}: not made in phase {step.when}" for step in self._not_made]
            yield _unclear(f"defect {self.defect.id} was never wholly planted ({'; '.join(steps)})", steps)
        if not self._waiting:
            return
        missing = ", ".join(dict.fromkeys(str(step.when) for step in self._waiting))
        reason = f"defect {self.defect.id} was never wholly planted: no phase {missing} came"
        if self._phases:
            reason += f" (there were {', '.join(self._phases)})"
        yield _unclear(reason, [f"{step.verb}: no phase {step.when} came" for step in self._waiting])

    def _without_effect(self) -> Iterator[Finding]:
        try:
            idle = [f"{name}: {said}" for name, verb in VERBS.items() for said in verb.idle(self._site)]
        except SetupError as error:
            reason = f"whether defect {self.defect.id} had an effect is not known: {error}"
            yield _unclear(reason, list(self._not_known()))
            return
        if idle:
            yield _unclear(f"defect {self.defect.id} was planted, but dropped no packet ({'; '.join(idle)})", idle)

    def _not_known(self) -> Iterator[str]:
        """Steps whose effect only the lab can tell, and it does not: a FAIL beside them proves no catch."""
        for change in self._site.changes:
            if change.kind == "network" and change.undo["fault"] in DROPPING:
                yield f"network: {change.subject.removeprefix('network/')}: {NOT_KNOWN}"

    def unplant(self) -> None:
        """Undo in reverse and wait until all is back to normal. Raises UndoError that lists what is not."""
        site, left = self._site, []
        for change in reversed(site.changes):
            try:
                self._undo[change.kind](change.undo)
                site.journal.done(change.entry_id)
            except ShiftproofError as error:
                left.append(f"{change.subject}: {error}")
        for ref in dict.fromkeys(change.ref for change in site.changes if change.ref is not None):
            try:
                site.objects.wait_settled(ref)
            except UndoError as error:
                left.append(f"{ref}: {error}")
        site.changes.clear()
        if left:
            raise UndoError(
                f"defect {self.defect.id} is not wholly undone: {'; '.join(left)}", hint="run: shiftproof recover"
            )

    def _check(self, steps: list[Step]) -> None:
        """Everything that can be known of all steps before the first is made."""
        self._site.foreseen.clear()
        for step in steps:
            with _line_named(step):
                VERBS[step.verb].check(step, self._site)

    def _make(self, step: Step) -> None:
        with _line_named(step):
            VERBS[step.verb].plant(step, self._site)


def never_planted(defect: Defect, why: str) -> Finding:
    """Of a run that ended before its defect's turn came: none of it is to blame for what was found."""
    steps = [f"{step.verb}: {why}" for step in defect.plant]
    return _unclear(f"defect {defect.id} was not planted: {why}", steps)


def _unclear(reason: str, not_planted: list[str]) -> Finding:
    return insufficient(reason, data={"not_planted": not_planted})


@contextmanager
def _line_named(step: Step) -> Iterator[None]:
    """What the person who wrote the step can mend names its file and line."""
    try:
        yield
    except ConfigError:
        raise
    except UserError as error:
        if step.place is None:
            raise
        file, line = step.place
        raise ConfigError(f"{step.verb}: {error}", file=file, line=line, hint=error.hint) from error
