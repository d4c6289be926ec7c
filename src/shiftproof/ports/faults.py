"""Experiments, and what became of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from shiftproof.model.history import Budget, PhaseKind


@dataclass(frozen=True, slots=True)
class Experiment:
    """What an experiment's own file says of it. kind: GRACEFUL or CRASH. Only a crash has a budget.

    on_rise: of a load event it belongs to the rise, and not to where the load is highest.
    """

    name: str
    title: str
    kind: PhaseKind
    repeats: int
    budget: Budget | None = None
    on_rise: bool = False


@dataclass(frozen=True, slots=True)
class ExperimentResult:
    """One run of an experiment, audited: its journal is never believed without its parts.

    ok: status completed, nothing deviated, hypothesis met before and after, every action and rollback succeeded and
    the effect confirmed. problem: why it proves nothing (no effect, not whole before, cut short): INCONCLUSIVE.
    service_problem: the fault took effect and the service did not bear it (never whole again, a drain that its own
    budget refuses): FAIL. ok is true when both are None. action_start_ns/action_end_ns: the method's own span on the
    run clock.
    """

    ok: bool
    problem: str | None
    action_start_ns: int
    action_end_ns: int
    victims: tuple[str, ...]
    facts: Mapping[str, Any]
    service_problem: str | None = None


class Faults(Protocol):
    """Chaos experiments by name."""

    def warm(self, run_dir: Path) -> None:
        """Get ready, so that the first experiment does not pay for it."""
        ...

    def close(self) -> None:
        """End what `warm` started. Safe to call twice."""
        ...

    def experiment(self, name: str) -> Experiment:
        """What its file says; raises UserError for a name that has no file, ConfigError for a bad file."""
        ...

    def run(self, experiment: str, run_dir: Path, repeat: int) -> ExperimentResult:
        """One run, until its rollbacks have ended. When the clock's sleep raises, they are run first all the same."""
        ...
