"""What of a gate is judged: its history, and the evidence that was asked of it."""

from __future__ import annotations

from dataclasses import replace

from shiftproof.gate.settings import GateSettings
from shiftproof.judge import REQUIRED_PHASES, Case, make_case
from shiftproof.model.history import History
from shiftproof.model.verdict import Finding
from shiftproof.ports import LoadPlan

PAIRS_TOLERANCE = 0.9  # a phase ends by the clock: its last pairs may not be in yet


def gate_case(history: History, settings: GateSettings, load: LoadPlan, decided: tuple[Finding, ...]) -> Case:
    """The case that claims are asked about. decided: what the live judge has already failed."""
    depth, service = settings.depth, settings.service
    case = make_case(
        history,
        service.objectives,
        quick=settings.quick,
        decided=decided,
        required_phases=(*REQUIRED_PHASES, *service.experiments),
    )
    return replace(
        case,
        repeats=depth.repeats,
        # A service may promise more than the usual 0.1%; only --quick asks for less than its own objective.
        ruled_out_rate=depth.ruled_out_rate if settings.quick else case.ruled_out_rate,
        min_pairs=int(PAIRS_TOLERANCE * depth.pairs_per_action),
        soak_s=depth.soak_s,
        pairs_per_s=load.rate_per_s,
        parity_ignore=service.parity.ignore,
        duplicates_not_applicable=service.duplicates.not_applicable,
        keyed=load.keyed,
    )


def load_s(case: Case | None, decided_ns: int | None) -> float:
    """Seconds from the first request to the decision; 0 where there was none of either."""
    if case is None or decided_ns is None or not len(case.history.events):
        return 0.0
    return max(0.0, (decided_ns - int(case.history.events["intended_ns"][0])) / 1e9)
