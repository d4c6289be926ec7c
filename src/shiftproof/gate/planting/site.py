"""Where a defect is planted, and what planting it has changed so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shiftproof.adapters.kubernetes.kinds import ObjectRef
from shiftproof.adapters.kubernetes.objects import Objects
from shiftproof.lab.control import LabControl
from shiftproof.model.platform import Service
from shiftproof.model.target import Target
from shiftproof.ports import UndoLog

#: The lease of a planted change that cannot end by itself; the journal undoes it.
NO_LEASE_S = 0.0


@dataclass(frozen=True, slots=True)
class Change:
    """One change that was journalled, and perhaps made. `ref`: the object, if it is about one."""

    entry_id: str
    kind: str
    subject: str
    undo: Mapping[str, Any]
    ref: ObjectRef | None = None


@dataclass(slots=True)
class Site:
    """What verbs work with.

    service: the name of the defect's service, `of` its entry in the platform file; namespace: where objects are unless
    they say so. under_load: the load runs, so machines are changed one after another. notes: what was seen, for
    people. foreseen: while steps are checked, what those before will have made ("there": True) or removed (False).
    """

    target: Target
    service: str
    namespace: str
    journal: UndoLog
    objects: Objects
    control: LabControl
    of: Service | None = None
    under_load: bool = False
    changes: list[Change] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    foreseen: dict[str, bool] = field(default_factory=dict)

    def record(
        self,
        kind: str,
        subject: str,
        undo: Mapping[str, Any],
        *,
        ref: ObjectRef | None = None,
        lease_s: float = NO_LEASE_S,
    ) -> None:
        """On disk before the change is made; from here on it will be undone, made or not. Raises SetupError."""
        payload = {"target": self.target.name, **undo}
        entry_id = self.journal.record(kind=kind, subject=subject, undo=payload, lease_s=lease_s)
        self.changes.append(Change(entry_id, kind, subject, payload, ref))
