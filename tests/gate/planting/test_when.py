"""Whole gates over a made-up world, with a defect whose steps wait for their phase."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import jsonschema
import pytest
from fakes.world import World

from shiftproof.adapters.kubernetes.objects import Objects
from shiftproof.errors import FaultError, LabError
from shiftproof.gate import opening
from shiftproof.gate.outcome import Outcome
from shiftproof.gate.planting import Planting
from shiftproof.gate.planting.site import Site
from shiftproof.lab.control import LabControl
from shiftproof.model.defect import Defect
from shiftproof.model.platform import Service
from shiftproof.model.target import Target
from shiftproof.model.verdict import Verdict
from shiftproof.ports import UndoLog
from shiftproof.report.verdict_file import read_run, schema, verdict_json
from shiftproof.safety.journal import Journal

Gate = Callable[..., Outcome]


class FakeLab:
    """Takes network faults, and knows when it took them.

    refuses: what it says instead. ignores_at: of which one it says that it had no effect, counted from 0.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.added_ns: list[int] = []
        self.held: list[str] = []
        self.refuses: str | None = None
        self.ignores_at: int | None = None
        self.dropped = 3

    def check_network(self, fault: Mapping[str, Any]) -> None:
        """Anything can be made here."""

    def add_network(self, fault_id: str, fault: Mapping[str, Any], for_s: float) -> None:
        if self.refuses:
            raise LabError(self.refuses)
        if self.ignores_at == len(self.added_ns):
            raise FaultError("did not take the change")
        self.added_ns.append(self._world.clock.now_ns())
        self.held.append(fault_id)

    def status(self) -> Mapping[str, Any]:
        return {"network": [{"id": held, "dropped": self.dropped} for held in self.held]}

    def undo(self, payload: Mapping[str, Any]) -> None:
        self.held = [held for held in self.held if held != payload["id"]]


@pytest.fixture
def lab(world: World, monkeypatch: pytest.MonkeyPatch) -> FakeLab:
    made = FakeLab(world)

    @contextmanager
    def planted(
        defect: Defect | None, target: Target, journal: UndoLog, service: Service | None = None
    ) -> Iterator[Planting | None]:
        assert defect is not None
        site = Site(target, "payments", "payments", journal, cast("Objects", None), cast("LabControl", made))
        planting = Planting(defect, site, undo={"network": made.undo})
        try:
            planting.begin()
            yield planting
        finally:
            planting.unplant()

    monkeypatch.setattr(opening, "planted", planted)
    return made


def defect(tmp_path: Path, *phases: str) -> Path:
    """A step for each phase."""
    file = tmp_path / "defect.yaml"
    steps = "".join(f"  - {{network: {{deny: {{from: legacy, to: database}}}}, when: {phase}}}\n" for phase in phases)
    file.write_text(f"id: d\ntitle: t\nevidence: e\nservice: payments\nplant:\n{steps}expect: {{claim: outage}}\n")
    return file


def test_a_step_is_made_when_its_phase_first_starts(gate: Gate, world: World, lab: FakeLab, tmp_path: Path) -> None:
    outcome = gate(defect=defect(tmp_path, "rollback"))
    assert outcome.result is not None
    assert outcome.case is not None
    assert outcome.result.verdict is Verdict.PASS, [(f.claim, f.reason) for f in outcome.result.findings]
    (added_ns,) = lab.added_ns
    first = next(phase for phase in outcome.case.history.phases if phase.name == "rollback")
    assert first.start_ns <= added_ns <= first.action_start_ns
    assert lab.held == [], "undone at the end"
    assert Journal(tmp_path / "state" / "journal").pending() == ()


def test_a_defect_that_was_never_wholly_planted_lets_nothing_pass(gate: Gate, lab: FakeLab, tmp_path: Path) -> None:
    outcome = gate(defect=defect(tmp_path, "steady", "rolback"))
    assert outcome.result is not None
    assert outcome.exit_code == 2
    (reason,) = [one.reason for one in outcome.result.findings if "planted" in one.reason]
    assert reason.startswith("defect d was never wholly planted: no phase rolback came (there were ")
    assert len(lab.added_ns) == 1


def test_a_step_without_effect_in_its_phase_is_named_though_the_run_goes_on(
    gate: Gate, lab: FakeLab, tmp_path: Path
) -> None:
    lab.ignores_at = 1
    outcome = gate(defect=defect(tmp_path, "steady", "rollback"))
    assert outcome.exit_code == 2
    assert outcome.case is not None
    assert outcome.result is not None
    broken = next(phase for phase in outcome.case.history.phases if phase.name == "rollback")
    assert broken.problem is not None
    assert "did not take the change" in broken.problem
    (finding,) = [one for one in outcome.result.findings if "wholly planted" in one.reason]
    assert finding.data["not_planted"] == ["network: not made in phase rollback"]
    assert outcome.case.history.phases[-1].name != "rollback", "the run goes on with other drills"


def test_a_fault_that_dropped_nothing_lets_nothing_pass(gate: Gate, lab: FakeLab, tmp_path: Path) -> None:
    lab.dropped = 0
    outcome = gate(defect=defect(tmp_path, "steady"))
    assert outcome.result is not None
    assert outcome.exit_code == 2
    (reason,) = [one.reason for one in outcome.result.findings if one.verdict is not Verdict.PASS]
    assert reason == "defect d was planted, but dropped no packet (network: deny legacy -> database: no packet)"


def test_a_fail_stays_one_and_says_what_was_not_planted(gate: Gate, world: World, lab: FakeLab, tmp_path: Path) -> None:
    world.lost_when_rolling = True
    outcome = gate(defect=defect(tmp_path, "rolback"))
    assert outcome.exit_code == 1
    assert outcome.result is not None
    document = verdict_json(outcome.result)
    jsonschema.validate(document, schema())
    assert document["run"]["not_planted"] == ["network: no phase rolback came"]
    assert verdict_json(read_run(outcome.result.run_dir)) == document


def test_a_step_that_cannot_be_made_ends_the_gate_and_leaves_nothing(gate: Gate, lab: FakeLab, tmp_path: Path) -> None:
    lab.refuses = "told to refuse"
    outcome = gate(defect=defect(tmp_path, "steady"))
    assert outcome.exit_code == 3
    assert "told to refuse" in str(outcome.error)
    assert Journal(tmp_path / "state" / "journal").pending() == ()
