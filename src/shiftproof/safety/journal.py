"""The undo journal: how to put back what we are about to change, on disk before we change it.

One file an entry, written aside, fsynced and renamed: after a kill or a power cut an entry is there whole or not at
all, and `done` is one unlink. The undo of an entry that was never acted on must therefore be harmless: every handler
is idempotent.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shiftproof.errors import SetupError
from shiftproof.safety.state import fsync_dir, journal_dir

__all__ = ["Entry", "Journal", "journal_dir"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One change not yet undone.

    kind: names the undo handler. undo: its JSON payload. scope: the world it belongs to (one lab's life, or an
    account); an entry of a lab that is gone has nothing left to undo. lease_s: after how long the fault ends on the
    target by itself.
    """

    id: str
    kind: str
    subject: str
    undo: Mapping[str, Any]
    recorded_ns: int
    lease_s: float
    run_id: str
    scope: str


class Journal:
    """Entries in one folder. `run_id` and `scope` are inherited by child processes through the environment."""

    def __init__(self, folder: Path, *, run_id: str | None = None, scope: str | None = None) -> None:
        self._folder = folder
        self._run_id = os.environ.get("SHIFTPROOF_RUN", "") if run_id is None else run_id
        self._scope = os.environ.get("SHIFTPROOF_SCOPE", "") if scope is None else scope
        self._count = 0

    def record(self, *, kind: str, subject: str, undo: Mapping[str, Any], lease_s: float) -> str:
        """Write one entry so that it survives a power cut; returns its id. Raises SetupError: then change nothing."""
        self._count += 1
        now_ns = time.time_ns()
        entry = Entry(
            id=f"{now_ns:020d}-{os.getpid()}-{self._count:04d}",
            kind=kind,
            subject=subject,
            undo=dict(undo),
            recorded_ns=now_ns,
            lease_s=lease_s,
            run_id=self._run_id,
            scope=self._scope,
        )
        try:
            # For its owner only: to put a Secret back, an entry holds what was in it.
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._write(entry)
        except OSError as error:
            raise SetupError(
                f"cannot write the undo journal in {self._folder} ({error.strerror}), so nothing was changed",
                hint="free some disk space, or set SHIFTPROOF_STATE to a folder that can be written",
            ) from error
        return entry.id

    def done(self, entry_id: str) -> None:
        """The change was undone (or proved never made). Idempotent."""
        (self._folder / f"{entry_id}.json").unlink(missing_ok=True)
        if self._folder.exists():
            fsync_dir(self._folder)

    def pending(self) -> tuple[Entry, ...]:
        """Entries not undone, oldest first. Undo them newest first."""
        if not self._folder.exists():
            return ()
        found = (self._read(path) for path in sorted(self._folder.glob("*.json")))
        return tuple(entry for entry in found if entry is not None)

    @contextmanager
    def undoing(self, *, kind: str, subject: str, undo: Mapping[str, Any], lease_s: float) -> Iterator[str]:
        """Record; the block makes the change and undoes it. An exception leaves the entry for `recover`."""
        entry_id = self.record(kind=kind, subject=subject, undo=undo, lease_s=lease_s)
        yield entry_id
        self.done(entry_id)

    def _write(self, entry: Entry) -> None:
        aside = self._folder / f".{entry.id}.tmp"
        try:
            with aside.open("x", encoding="utf-8") as file:
                json.dump(asdict(entry), file)
                file.flush()
                os.fsync(file.fileno())
            aside.rename(self._folder / f"{entry.id}.json")
        except OSError:
            aside.unlink(missing_ok=True)
            raise
        fsync_dir(self._folder)

    def _read(self, path: Path) -> Entry | None:
        """None when it is gone since it was listed: a child that still plays its rollbacks has undone it."""
        try:
            return Entry(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, OSError) as error:
            raise SetupError(
                f"the undo journal's entry {path} cannot be read: {error}",
                hint="look at it, undo by hand what it names, and remove it",
            ) from error
