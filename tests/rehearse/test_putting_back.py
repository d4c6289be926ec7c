"""However a rehearsal ends, everything is put back, by itself or by who comes next."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from fakes.rehearsals import UNDONE, EventWorld, FakeJobs
from fakes.rehearsed import Rehearse, is_put_back

from shiftproof.errors import LockHeldError, SetupError
from shiftproof.gate.config import find_target
from shiftproof.gate.run import run_recover
from shiftproof.safety.journal import Journal, journal_dir
from shiftproof.safety.lock import exclusive


@pytest.mark.parametrize("stage", ["preflight", "base", "event", "return", "judge"])
def test_ctrl_c_at_any_stage_puts_everything_back(
    rehearse: Rehearse, world: EventWorld, stage: str, tmp_path: Path
) -> None:
    world.jobs = [FakeJobs()]

    def interrupt(name: str) -> None:
        if name == stage:
            raise KeyboardInterrupt

    world.view.on_stage = interrupt
    with pytest.raises(SetupError, match="interrupted"):
        rehearse()
    assert not Journal(journal_dir()).pending()
    assert stage == "preflight" or UNDONE == ["statements", "overlay", "payments"]
    assert stage in ("preflight", "base") or world.pairs.ended
    assert not (tmp_path / "run" / "verdict.json").exists()
    assert world.view.ends == [None]


def test_killed_at_once_it_leaves_a_journal_from_which_recover_puts_all_back(
    rehearse: Rehearse, world: EventWorld, infra: Path
) -> None:
    """A real SIGKILL, of a process of its own: nothing of its own runs after that."""
    world.jobs = [FakeJobs()]

    def kill(name: str) -> None:
        if name == "return":
            os.kill(os.getpid(), signal.SIGKILL)

    world.view.on_stage = kill
    child = os.fork()
    if child == 0:
        try:
            rehearse()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert [entry.kind for entry in Journal(journal_dir()).pending()] == ["overlay", "synthetic", "jobs"]
    assert UNDONE == []
    assert run_recover(find_target(infra, "lab")) == 0
    assert UNDONE == ["statements", "overlay", "payments"]
    assert not Journal(journal_dir()).pending()


def test_what_a_killed_run_left_is_undone_by_the_next(rehearse: Rehearse, world: EventWorld, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "state" / "journal", run_id="dead", scope="lab:1:1")
    journal.record(kind="synthetic", subject="service/payments", undo={"service": "payments"}, lease_s=0)
    journal.record(kind="overlay", subject="overlay/payments", undo={"what": "overlay"}, lease_s=0)
    journal.record(kind="jobs", subject="worker/statements", undo={"worker": "statements"}, lease_s=0)
    rehearse()
    assert UNDONE[:3] == ["statements", "overlay", "payments"]
    assert any("put back what an earlier run left" in note for note in world.view.notes)


def test_an_api_server_that_is_silent_ends_it_with_everything_put_back(
    rehearse: Rehearse, world: EventWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shiftproof.rehearse.waiting.ASKED_AGAIN_S", 0.5)
    world.elastic.silent = True
    with pytest.raises(SetupError, match="does not answer"):
        rehearse()
    is_put_back(world)


def test_a_second_rehearsal_is_told_who_holds_the_lock(rehearse: Rehearse, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with exclusive("gate payments --to 50", tmp_path / "state"), pytest.raises(LockHeldError, match="--to 50"):
        rehearse()
    assert not (tmp_path / "run").exists()
