"""Put back what a run that died had changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from shiftproof.errors import ShiftproofError, UndoError
from shiftproof.safety.journal import Entry, Journal

UndoHandler = Callable[[Mapping[str, Any]], None]

NEED_A_WHOLE_PLATFORM = frozenset({"synthetic"})
"""Kinds undone after all others, however new: the removal of our traffic's data runs as a Job that copies the live
Deployment, and cannot start while a planted defect or a lost node is not undone yet."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was undone, and what had nothing left to undo because its world is gone."""

    undone: tuple[Entry, ...]
    moot: tuple[Entry, ...]


def recover(journal: Journal, handlers: Mapping[str, UndoHandler], *, scope: str) -> Recovery:
    """Undo every pending entry of `scope`, newest first, those that need a whole platform last; drop those of labs

    that are gone.

    One that fails does not keep the others from being undone. Raises UndoError that lists what is left.
    """
    undone: list[Entry] = []
    moot: list[Entry] = []
    left: list[str] = []
    newest_first = journal.pending()[::-1]
    # Sorting is stable: within each half the newest stays first.
    for entry in sorted(newest_first, key=lambda entry: entry.kind in NEED_A_WHOLE_PLATFORM):
        if _is_moot(entry, scope):
            journal.done(entry.id)
            moot.append(entry)
            continue
        problem = _undo(entry, handlers)
        if problem is None:
            journal.done(entry.id)
            undone.append(entry)
        else:
            left.append(f"{entry.kind} of {entry.subject}: {problem}")
    if left:
        raise UndoError("could not put back " + "; ".join(left), hint="mend the cause, then run: shiftproof recover")
    return Recovery(tuple(undone), tuple(moot))


def _is_moot(entry: Entry, scope: str) -> bool:
    """Only a lab can be gone: what was changed in an account stays changed until somebody undoes it."""
    return entry.scope.startswith("lab:") and entry.scope != scope


def _undo(entry: Entry, handlers: Mapping[str, UndoHandler]) -> str | None:
    handler = handlers.get(entry.kind)
    if handler is None:
        return f"this version knows no undo of kind {entry.kind!r}"
    try:
        handler(entry.undo)
    except ShiftproofError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 (one handler's own fault must not keep the others from being undone)
        return f"{type(error).__name__}: {error}"
    return None
