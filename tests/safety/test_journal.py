"""The undo journal: an entry is there whole or not at all."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shiftproof.errors import SetupError
from shiftproof.safety.journal import Journal


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal", run_id="run", scope="lab:1")


def record(journal: Journal, subject: str = "node/node-2") -> str:
    return journal.record(kind="node-power", subject=subject, undo={"node": "node-2"}, lease_s=60)


def test_an_entry_is_kept_until_done(journal: Journal, tmp_path: Path) -> None:
    first, second = record(journal, "a"), record(journal, "b")
    again = Journal(tmp_path / "journal", run_id="other", scope="lab:2")
    assert [(entry.id, entry.subject) for entry in again.pending()] == [(first, "a"), (second, "b")]
    entry = again.pending()[0]
    assert (entry.kind, entry.undo, entry.lease_s) == ("node-power", {"node": "node-2"}, 60)
    assert (entry.run_id, entry.scope) == ("run", "lab:1")
    again.done(first)
    again.done(first)
    assert [entry.id for entry in journal.pending()] == [second]


def test_what_a_kill_left_half_written_is_no_entry(journal: Journal, tmp_path: Path) -> None:
    kept = record(journal)
    (tmp_path / "journal" / ".00000000000000000001-7-0001.tmp").write_text('{"id": "0000')
    assert [entry.id for entry in journal.pending()] == [kept]


def test_an_entry_that_cannot_be_read_is_said_and_not_skipped(journal: Journal, tmp_path: Path) -> None:
    record(journal)
    broken = tmp_path / "journal" / "00000000000000000001-7-0001.json"
    broken.write_text('{"id": "0000')
    with pytest.raises(SetupError, match=str(broken)):
        journal.pending()


def _full(*_: Any) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("step", ["json.dump", "os.fsync", "pathlib.Path.rename"])
def test_a_full_disk_is_an_error_and_leaves_nothing(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(step, _full)
        with pytest.raises(SetupError, match=r"No space left on device\), so nothing was changed"):
            record(journal)
    assert list((tmp_path / "journal").iterdir()) == []
    assert journal.pending() == ()


def test_an_entry_undone_by_another_process_meanwhile_is_skipped(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, kept = record(journal, "gone"), record(journal, "kept")
    read: Callable[..., str] = Path.read_text

    def read_late(path: Path, *arguments: Any, **more: Any) -> str:
        journal.done(gone)  # after the folder was listed, before its files are read
        return read(path, *arguments, **more)

    monkeypatch.setattr(Path, "read_text", read_late)
    assert [entry.id for entry in journal.pending()] == [kept]


def test_a_block_that_fails_leaves_its_entry(journal: Journal) -> None:
    with journal.undoing(kind="weights", subject="rule/x", undo={}, lease_s=1):
        assert len(journal.pending()) == 1
    assert journal.pending() == ()
    with pytest.raises(ValueError, match="cut"), journal.undoing(kind="weights", subject="rule/x", undo={}, lease_s=1):
        raise ValueError("cut")
    assert len(journal.pending()) == 1


def test_entries_are_for_their_owner_only(journal: Journal, tmp_path: Path) -> None:
    record(journal)
    assert (tmp_path / "journal").stat().st_mode & 0o077 == 0
