"""Experiments whose journal says that all went well though it did not: nothing was broken, so nothing was proven.

Whole gates over the made-up world; its faults are Chaos Toolkit's, with everything real but the process that runs them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fakes.gates import Gate, reasons, shut
from fakes.world import NODE, NODE_LOSS, FakeFaults, World

from shiftproof.adapters.chaostoolkit import ChaosToolkitFaults
from shiftproof.adapters.chaostoolkit.faults import _plan
from shiftproof.adapters.chaostoolkit.files import read_file
from shiftproof.errors import FaultError
from shiftproof.ports import ExperimentResult

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
VICTIM = "pod/payments-a1"
Json = dict[str, Any]
Lie = Callable[[Json], object]


class Worker:
    """Stands for the child process: does nothing, and writes the journal of a perfect run, changed by `lie`."""

    alive = True

    def __init__(self, faults: FakeFaults, lie: Lie) -> None:
        self._faults = faults
        self._lie = lie

    def run(self, order: Mapping[str, Any], sleep: Callable[[float], None]) -> str | None:
        name = Path(order["experiment"]).stem
        self._faults.begin(name)
        sleep(self._faults.lasts_s(name))
        found = _perfect(name)
        changed = self._lie(found)
        text = changed if isinstance(changed, str) else json.dumps(found)
        Path(order["journal"]).write_text(text)
        return None

    def end(self) -> None:
        """Nothing runs."""


def _perfect(name: str) -> Json:
    plan = _plan(read_file(EXPERIMENTS, name))
    probe = {"status": "succeeded", "tolerance_met": True, "activity": {"name": "service-is-steady"}}
    state = {"steady_state_met": True, "probes": [dict(probe) for _ in range(plan.probes)]}
    done = {"status": "succeeded", "activity": {"name": "break"}, "output": None}
    output = {"victims": [NODE if name == NODE_LOSS else VICTIM], "effect": "confirmed", "facts": {}}
    return {
        "status": "completed",
        "deviated": False,
        "steady_states": {"before": json.loads(json.dumps(state)), "after": json.loads(json.dumps(state))},
        "run": [{**done, "output": output}, *(dict(done) for _ in range(plan.method - 1))],
        "rollbacks": [dict(done) for _ in range(plan.rollbacks)],
    }


class JournalFaults(FakeFaults):
    """The made-up experiments' kinds, with the real reading of their journals."""

    lie: Lie = staticmethod(lambda journal: None)

    def run(self, experiment: str, run_dir: Path, repeat: int) -> ExperimentResult:
        target: Any = SimpleNamespace(name="lab")
        service: Any = SimpleNamespace(name="payments")
        real = ChaosToolkitFaults(target, service, self.clock, EXPERIMENTS, infra_dir=run_dir, seed=1)
        worker: Any = Worker(self, self.lie)
        real._child = worker
        return real.run(experiment, run_dir, repeat)


@pytest.fixture
def faults(world: World) -> JournalFaults:
    world.faults = JournalFaults(world.clock, world.kubernetes)
    return world.faults


def test_perfect_journals_pass(gate: Gate, faults: JournalFaults) -> None:
    outcome = gate()
    assert outcome.exit_code == 0, reasons(outcome)


def _set(journal: Json, *path: str | int, to: Any) -> None:
    at: Any = journal
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = to


def _dies(journal: Json) -> None:
    raise FaultError("the chaos process ended by itself (code -9)")


LIES: dict[str, tuple[Lie, str]] = {
    "nothing-run": (lambda journal: _set(journal, "run", to=[]), "of the method were run"),
    "dry-run": (lambda journal: _set(journal, "run", 0, "output", to=None), "named a victim"),
    "no-victim": (lambda journal: _set(journal, "run", 0, "output", "victims", to=[]), "named a victim"),
    "no-effect": (lambda journal: _set(journal, "run", 0, "output", "effect", to="unknown"), "confirmed its effect"),
    "unheard-of-victim": (
        lambda journal: _set(journal, "run", 0, "output", "victims", to=["pod/payments-zz"]),
        "nothing was seen to happen to pod/payments-zz",
    ),
    "more-rollbacks": (
        lambda journal: journal["rollbacks"].append({"status": "succeeded"}),
        "of the rollbacks were run",
    ),
    "not-steady-before": (
        lambda journal: _set(journal, "steady_states", "before", "steady_state_met", to=False),
        "not steady before",
    ),
    "before-not-checked": (lambda journal: _set(journal, "steady_states", "before", to=None), "no steady state"),
    "after-not-checked": (lambda journal: _set(journal, "steady_states", "after", to=None), "no steady state"),
    "cut-short": (lambda journal: _set(journal, "status", to="interrupted"), "ended as 'interrupted'"),
    "deviated": (lambda journal: _set(journal, "deviated", to=None), "deviated=None"),
    "half-a-journal": (lambda journal: json.dumps(journal)[:200], "left no journal"),
    "empty-journal": (lambda journal: "", "left no journal"),
    "list": (lambda journal: "[]", "left no journal"),
    "worker-died": (_dies, "ended by itself"),
}


@pytest.mark.parametrize(("lie", "said"), LIES.values(), ids=LIES)
def test_a_journal_that_lies_keeps_the_gate_shut(gate: Gate, faults: JournalFaults, lie: Lie, said: str) -> None:
    faults.lie = lie
    shut(gate(), said)
