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

STAND_ON = {"jobs": "overlay"}
"""Kinds that need what another kind's undo takes away: a worker's own command removes its jobs, and going back from the
overlay of events removes the worker. While the first is pending for a name, the second of that name stays, too."""


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
    needed: set[str] = set()
    newest_first = journal.pending()[::-1]
    # Sorting is stable: within each half the newest stays first.
    for entry in sorted(newest_first, key=lambda entry: entry.kind in NEED_A_WHOLE_PLATFORM):
        if _is_moot(entry, scope):
            journal.done(entry.id)
            moot.append(entry)
            continue
        waits = f"{entry.kind}/{_name(entry)}" in needed
        problem = "it stays until the rest is put back" if waits else _undo(entry, handlers)
        if problem is None:
            journal.done(entry.id)
            undone.append(entry)
        else:
            left.append(f"{entry.kind} of {entry.subject}: {problem}")
            if entry.kind in STAND_ON:
                needed.add(f"{STAND_ON[entry.kind]}/{_name(entry)}")
    if left:
        raise UndoError("could not put back " + "; ".join(left), hint="mend the cause, then run: shiftproof recover")
    return Recovery(tuple(undone), tuple(moot))


def _name(entry: Entry) -> str:
    """What it is of: "statements" of "worker/statements" and of "overlay/statements"."""
    return entry.subject.partition("/")[2]


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
