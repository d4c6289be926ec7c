"""Made-up conversations for tests of claims about probes; used through shiftproof.testing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from shiftproof.model.history import Phase, PhaseKind
from shiftproof.model.probe import Difference, ProbeKind, ProbeRecord

_S = 1_000_000_000
#: Fields compared in one conversation, and how long it takes.
_COMPARED, _LASTS_NS = 90, 250_000_000
WAYS = (
    "to legacy, then to cluster",
    "to cluster, then to legacy",
    "to legacy and to cluster at once",
    "to cluster, twice",
)
MOVING_WAY = "by the weights, twice"


@dataclass(frozen=True, slots=True)
class ProbeChange:
    """What befalls conversations that begin in one phase (None: in any), and a share of them.

    difference: seen in the treatment; in_control: in the control instead. applied: how often a duplicate takes effect.
    void: why they say nothing. untold: nobody could tell how often it took effect.
    """

    phase: Phase | None = None
    kind: ProbeKind = ProbeKind.PARITY
    share: float = 1.0
    at_most: int | None = None
    difference: Difference | None = None
    in_control: bool = False
    applied: int | None = None
    void: str | None = None
    untold: bool = False


def made_up_probes(
    phases: Sequence[Phase],
    changes: Sequence[ProbeChange],
    rng: np.random.Generator,
    *,
    per_s: float,
    operations: tuple[str, ...],
    silent: Callable[[int], bool],
) -> tuple[ProbeRecord, ...]:
    """Conversations of both kinds, each per_s times a second from the first phase to the last, with all changes."""
    if not phases or per_s <= 0:
        return ()
    starts = range(phases[0].start_ns, phases[-1].end_ns, round(_S / per_s / 2))
    kinds = (ProbeKind.PARITY, ProbeKind.DUPLICATE)
    hit = [0] * len(changes)
    records = []
    for number, start_ns in enumerate(starts):
        if silent(start_ns):
            continue
        phase = next((one for one in phases if one.start_ns <= start_ns < one.end_ns), None)
        record = _good(number, kinds[number % 2], start_ns, phase, operations)
        for place, change in enumerate(changes):
            meant = change.kind is record.kind and change.phase in (None, phase)
            if meant and hit[place] != change.at_most and rng.random() < change.share:
                hit[place] += 1
                record = changed(record, change)
        records.append(record)
    return tuple(records)


def _good(number: int, kind: ProbeKind, at_ns: int, phase: Phase | None, operations: tuple[str, ...]) -> ProbeRecord:
    record = ProbeRecord(number, kind, at_ns, at_ns + _LASTS_NS, operations=operations, compared=_COMPARED)
    if kind is ProbeKind.PARITY:
        return record
    moving = phase is not None and phase.kind in (PhaseKind.SHIFT, PhaseKind.ROLLBACK)
    way = MOVING_WAY if moving else WAYS[number // 2 % len(WAYS)]
    return replace(record, way=way, operations=operations[:1], applied=1, control_applied=1)


def changed(record: ProbeRecord, change: ProbeChange) -> ProbeRecord:
    """The record with one change made."""
    if change.void is not None:
        return ProbeRecord(record.number, record.kind, record.start_ns, record.end_ns, void=change.void)
    if change.difference is not None and change.in_control:
        record = replace(record, control=(*record.control, change.difference))
    elif change.difference is not None:
        record = replace(record, treatment=(*record.treatment, change.difference))
    if change.untold:
        return replace(record, applied=None, control_applied=None)
    if change.applied is not None and change.in_control:
        return replace(record, control_applied=change.applied)
    return record if change.applied is None else replace(record, applied=change.applied)
