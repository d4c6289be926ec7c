"""An experiment's file: Chaos Toolkit's own format, with our part under `extensions`.

Checked here with file and line, more strictly than Chaos Toolkit does: it ignores a key that it does not know, so that
`rollback:` for `rollbacks:` leaves the fault behind without a word.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from shiftproof.adapters.documents import Document, Problem, read_document
from shiftproof.errors import UserError
from shiftproof.model.history import Budget, PhaseKind
from shiftproof.model.strict import Strict
from shiftproof.ports import Experiment


class BudgetPart(Strict):
    """What a crash may cost."""

    outage_ms: PositiveFloat
    lost_requests: NonNegativeInt
    recover_s: PositiveFloat


class ShiftproofPart(Strict):
    """Our part: how it is run and judged. Graceful work has no budget, since it may cost nothing.

    during: when a load event is struck by it, as its load rises or while it is highest.
    """

    name: Literal["shiftproof"]
    kind: Literal["graceful", "crash"]
    repeats: PositiveInt | None = None
    budget: BudgetPart | None = None
    during: Literal["rise", "peak"] = "peak"

    @model_validator(mode="after")
    def _budget_by_kind(self) -> Self:
        if self.kind == "crash" and self.budget is None:
            raise ValueError("a crash needs a budget: outage_ms, lost_requests, recover_s")
        if self.kind == "graceful" and self.budget is not None:
            raise ValueError("graceful work may cost no request, so it has no budget")
        return self


class Provider(Strict):
    """A Python function. Other providers of Chaos Toolkit report no victims, so nothing could be audited."""

    type: Literal["python"]
    module: str
    func: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class Activity(Strict):
    type: Literal["action", "probe"]
    name: str
    provider: Provider
    tolerance: Any = None
    pauses: dict[Literal["before", "after"], PositiveFloat] = Field(default_factory=dict)


class Hypothesis(Strict):
    title: str
    probes: tuple[Activity, ...] = Field(min_length=1)


class ExperimentFile(Strict):
    """The whole file. `steady-state-hypothesis`, `method` and `rollbacks` are Chaos Toolkit's."""

    version: str = "1.0.0"
    title: str = Field(min_length=1)
    description: str = Field(min_length=1)
    tags: tuple[str, ...] = ()
    configuration: dict[str, Any] = Field(default_factory=dict)
    extensions: tuple[ShiftproofPart] = Field(description="exactly one, with name: shiftproof")
    hypothesis: Hypothesis = Field(alias="steady-state-hypothesis")
    method: tuple[Activity, ...] = Field(min_length=1)
    rollbacks: tuple[Activity, ...] = ()

    @property
    def ours(self) -> ShiftproofPart:
        return self.extensions[0]


GRACEFUL_REPEATS = 3
CRASH_REPEATS = 1
_PROBES: tuple[str | int, ...] = ("steady-state-hypothesis", "probes")


def read_experiment(experiments_dir: Path, name: str) -> Experiment:
    """What `NAME.yaml` says. Raises UserError that names the known ones, or ConfigError with file and line."""
    return described(name, read_file(experiments_dir, name))


def read_file(experiments_dir: Path, name: str) -> ExperimentFile:
    """The checked file. Raises UserError, ConfigError."""
    file = experiments_dir / f"{name}.yaml"
    if not file.is_file():
        known = ", ".join(sorted(path.stem for path in experiments_dir.glob("*.yaml"))) or "none"
        raise UserError(f"there is no experiment {name!r} in {experiments_dir}; known: {known}")
    document = read_document(file, ExperimentFile)
    document.refuse(_problems(document))
    return document.value


def described(name: str, file: ExperimentFile) -> Experiment:
    ours = file.ours
    graceful = ours.kind == "graceful"
    budget = ours.budget
    return Experiment(
        name=name,
        title=file.title,
        kind=PhaseKind.GRACEFUL if graceful else PhaseKind.CRASH,
        repeats=ours.repeats or (GRACEFUL_REPEATS if graceful else CRASH_REPEATS),
        budget=Budget(budget.outage_ms, budget.lost_requests, budget.recover_s) if budget is not None else None,
        on_rise=ours.during == "rise",
    )


def _problems(document: Document[ExperimentFile]) -> list[Problem]:
    """What the model cannot say: probes without a tolerance, modules that are not there, a method without an action."""
    file = document.value
    found: list[Problem] = []
    for number, probe in enumerate(file.hypothesis.probes):
        if probe.tolerance is None:
            where = (*_PROBES, number)
            found.append(Problem(where, f"probe {probe.name!r} has no tolerance, so nothing would be checked"))
    if not any(activity.type == "action" for activity in file.method):
        found.append(Problem(("method",), "the method has no action, so it breaks nothing"))
    parts = ((_PROBES, file.hypothesis.probes), (("method",), file.method), (("rollbacks",), file.rollbacks))
    for place, activities in parts:
        for number, activity in enumerate(activities):
            module = activity.provider.module
            if not _is_there(module):
                found.append(Problem((*place, number, "provider", "module"), f"there is no Python module {module}"))
    return found


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False
