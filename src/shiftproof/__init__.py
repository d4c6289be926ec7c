"""Shiftproof: prove the cutover before the traffic moves.

The public door: what a team's own suites and claims need. Everything else is private and may change.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shiftproof.errors import ShiftproofError as ShiftproofError
    from shiftproof.gate.drills import ChaosDrills as ChaosDrills
    from shiftproof.gate.drills import ClusterDrills as ClusterDrills
    from shiftproof.gate.drills import RouterDrills as RouterDrills
    from shiftproof.gate.hooks import PreflightDrills as PreflightDrills
    from shiftproof.gate.loading import LoadDrills as LoadDrills
    from shiftproof.gate.preflight import Preflight as Preflight
    from shiftproof.gate.preflight import check as check
    from shiftproof.gate.rehearsal import Rehearsal as Rehearsal
    from shiftproof.judge import Case as Case
    from shiftproof.judge import claim as claim
    from shiftproof.model.history import Budget as Budget
    from shiftproof.model.history import History as History
    from shiftproof.model.history import Phase as Phase
    from shiftproof.model.history import PhaseKind as PhaseKind
    from shiftproof.model.verdict import Finding as Finding
    from shiftproof.model.verdict import Verdict as Verdict
    from shiftproof.ports import Experiment as Experiment

# Where each public name lives. Imported when first used, so that `shiftproof --help` and pytest start fast.
_PLACES = {
    "Budget": "model.history",
    "Case": "judge",
    "ChaosDrills": "gate.drills",
    "ClusterDrills": "gate.drills",
    "Experiment": "ports",
    "Finding": "model.verdict",
    "History": "model.history",
    "LoadDrills": "gate.loading",
    "Phase": "model.history",
    "PhaseKind": "model.history",
    "Preflight": "gate.preflight",
    "PreflightDrills": "gate.hooks",
    "Rehearsal": "gate.rehearsal",
    "RouterDrills": "gate.drills",
    "ShiftproofError": "errors",
    "Verdict": "model.verdict",
    "check": "gate.preflight",
    "claim": "judge",
}

__all__ = [  # noqa: PLE0604 (a sorted literal would repeat the table above)
    *sorted(_PLACES)
]


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module 'shiftproof' has no attribute {name!r}")
    return getattr(import_module(f"shiftproof.{place}"), name)
