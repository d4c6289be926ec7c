"""Recovery: what is undone, in which order, and what is left when one part fails."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from shiftproof.errors import UndoError
from shiftproof.safety.journal import Journal
from shiftproof.safety.recover import UndoHandler, recover

HERE = "lab:boot:1:2"


class Undone:
    """Handlers that note what they were asked to undo."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.handlers: dict[str, UndoHandler] = dict.fromkeys(("weights", "object", "synthetic"), self.undo)

    def undo(self, payload: Mapping[str, Any]) -> None:
        self.asked.append(payload["name"])


@pytest.fixture
def undone() -> Undone:
    return Undone()


def journal(folder: Path, *entries: tuple[str, str], scope: str = HERE) -> Journal:
    """Entries of (kind, name), the oldest first."""
    made = Journal(folder, run_id="run", scope=scope)
    for kind, name in entries:
        made.record(kind=kind, subject=f"it/{name}", undo={"name": name}, lease_s=1)
    return made


def test_the_newest_is_undone_first(tmp_path: Path, undone: Undone) -> None:
    entries = journal(tmp_path, ("weights", "1"), ("object", "2"), ("weights", "3"))
    recovery = recover(entries, undone.handlers, scope=HERE)
    assert undone.asked == ["3", "2", "1"]
    assert [entry.undo["name"] for entry in recovery.undone] == ["3", "2", "1"]
    assert entries.pending() == ()


def test_what_needs_a_whole_platform_is_undone_last(tmp_path: Path, undone: Undone) -> None:
    """A gate with a defect: planted, then its traffic's data promised, then its weights."""
    entries = journal(tmp_path, ("object", "defect"), ("synthetic", "data"), ("weights", "weighted"))
    recover(entries, undone.handlers, scope=HERE)
    assert undone.asked == ["weighted", "defect", "data"]


def test_one_that_fails_keeps_no_other_from_being_undone(tmp_path: Path, undone: Undone) -> None:
    def refuse(payload: Mapping[str, Any]) -> None:
        raise UndoError("the API says no")

    def trip(payload: Mapping[str, Any]) -> None:
        raise KeyError("node")

    handlers = {**undone.handlers, "refused": refuse, "tripped": trip}
    entries = journal(tmp_path, ("weights", "1"), ("refused", "2"), ("tripped", "3"), ("object", "4"))
    with pytest.raises(UndoError) as left:
        recover(entries, handlers, scope=HERE)
    assert undone.asked == ["4", "1"]
    assert "refused of it/2: the API says no" in str(left.value)
    assert "tripped of it/3: KeyError" in str(left.value)
    assert [entry.kind for entry in entries.pending()] == ["refused", "tripped"]


def test_a_worker_stays_while_its_jobs_are_not_removed(tmp_path: Path, undone: Undone) -> None:
    """Else nobody would be left who could remove them, and every later run would end here."""
    refused = [True]

    def jobs(payload: Mapping[str, Any]) -> None:
        if refused:
            raise UndoError("the queue does not answer")
        undone.undo(payload)

    handlers = {**undone.handlers, "overlay": undone.undo, "jobs": jobs}
    entries = journal(tmp_path, ("overlay", "payments"), ("overlay", "statements"), ("jobs", "statements"))
    with pytest.raises(UndoError, match="overlay of it/statements: it stays until"):
        recover(entries, handlers, scope=HERE)
    assert undone.asked == ["payments"]
    refused.clear()
    recover(entries, handlers, scope=HERE)
    assert undone.asked == ["payments", "statements", "statements"]
    assert entries.pending() == ()


def test_a_lab_that_is_gone_took_its_changes_with_it_and_an_account_did_not(tmp_path: Path, undone: Undone) -> None:
    journal(tmp_path, ("weights", "gone"), scope="lab:boot:7:8")
    entries = journal(tmp_path, ("weights", "account"), scope="eks:staging")
    recovery = recover(entries, undone.handlers, scope=HERE)
    assert undone.asked == ["account"]
    assert [entry.undo["name"] for entry in recovery.moot] == ["gone"]
    assert entries.pending() == ()


def test_a_kind_that_nobody_knows_is_left_and_said(tmp_path: Path, undone: Undone) -> None:
    entries = journal(tmp_path, ("from-the-future", "1"))
    with pytest.raises(UndoError, match="knows no undo of kind 'from-the-future'"):
        recover(entries, undone.handlers, scope=HERE)
    assert len(entries.pending()) == 1
