"""A request that was sent twice and took effect twice: money, so one is enough, unless legacy does the same."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from shiftproof.judge.sequential import MIN_ERRORS, mcnemar_log_e
from shiftproof.judge.words import count
from shiftproof.model.probe import Kind, ProbeRecord, last_name

HINT = "look keys up in one place that both sides share (a unique key in the database), not in each process or side"


def twice_applied(records: Iterable[ProbeRecord]) -> list[ProbeRecord]:
    """Those whose treatment took effect more often than the control beside it, and than once."""
    return [one for one in records if one.applied is not None and one.applied > max(1, one.control_applied or 1)]


def legacy_too(records: Sequence[ProbeRecord]) -> int:
    """Conversations in which legacy itself applied one key twice."""
    return sum((one.control_applied or 1) > 1 for one in records)


def doubled_sentence(records: Sequence[ProbeRecord], doubled: Sequence[ProbeRecord]) -> str:
    """As in "create: one key sent to legacy, then to cluster, made 2 payments (12 of 14 tries; …)"."""
    ways = Counter(one.way for one in doubled)
    way, often = ways.most_common(1)[0]
    first = next(one for one in doubled if one.way == way)
    tried = sum(one.way == way for one in records)
    others = len(doubled) - often
    more = f"; by other ways {others:,} more" if others else ""
    control = f"sent to legacy twice, it took effect once ({len(records):,} of {len(records):,})"
    if legacy_too(records):
        control = f"legacy by itself did so in {legacy_too(records):,} of {len(records):,}"
    listed = (last_name(one.path) for one in first.treatment if one.kind is Kind.COUNT)
    things = next((name for name in listed if name), None)
    effect = f"made {first.applied} {things}" if things else f"took effect {first.applied} times"
    tries = f"{often:,} of {count(tried, 'try', 'tries')}{more}"
    return f"{first.operations[0]}: one key sent {way}, {effect} ({tries}); {control}."


def decisive(alpha_share: float, records: Sequence[ProbeRecord], doubled: Sequence[ProbeRecord]) -> bool:
    """True when legacy never does it; else when the ways that cross do it more often than chance (McNemar)."""
    if not legacy_too(records):
        return bool(doubled)
    mirrored = [replace(one, applied=one.control_applied, control_applied=one.applied) for one in records]
    t, c = len(doubled), len(twice_applied(mirrored))
    return t >= MIN_ERRORS and float(mcnemar_log_e(t, c)) >= -math.log(alpha_share)
