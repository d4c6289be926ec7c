"""What the undo journal's entries are tied to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shiftproof.errors import LabError
from shiftproof.gate import undo, world
from shiftproof.model.target import Target
from shiftproof.safety.journal import Journal

LAB = Target(name="lab", kind="lab", entry="http://198.18.0.10", aws_endpoint="http://127.0.0.1:1", kubeconfig="none")


@pytest.fixture
def no_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "find_lab", lambda: None)
    monkeypatch.setattr(world, "in_lab", lambda: False)
    monkeypatch.setattr("os.geteuid", lambda: 0)


@pytest.mark.usefixtures("no_lab")
def test_without_a_lab_what_was_changed_in_one_is_moot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHIFTPROOF_STATE", str(tmp_path))
    journal = Journal(tmp_path / "journal", run_id="r", scope="lab:boot:1:2")
    journal.record(kind="node-power", subject="node/node-2", undo={}, lease_s=1)
    recovery = undo.recover_all(LAB)
    assert [entry.subject for entry in recovery.moot] == ["node/node-2"]
    assert recovery.undone == ()
    assert journal.pending() == ()


def _coming_up() -> Any:
    raise LabError("the lab is still coming up (pid 7)")


@pytest.mark.usefixtures("no_lab")
def test_a_lab_that_is_coming_up_is_an_error_and_nothing_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "find_lab", object)
    monkeypatch.setattr(world, "present_lab", _coming_up)
    with pytest.raises(LabError, match="still coming up"):
        world.scope_of(LAB)


@pytest.mark.usefixtures("no_lab")
def test_who_cannot_see_all_processes_drops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr(world, "present_lab", _coming_up)
    with pytest.raises(LabError):
        world.scope_of(LAB)
