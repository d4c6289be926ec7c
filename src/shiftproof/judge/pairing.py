"""Events into pairs: one row a pair (or triple), all columns numpy, in time linear in the events.

A pair is the comparison that everything else rests on: the same operation at the same intended time to `legacy`
(control) and `cluster` (treatment), and in shift and rollback also to `weighted`, which is then the treatment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shiftproof.model.event import WITH_COOKIES, Events, Failure, Side
from shiftproof.model.history import Phase

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_TRIPLE = Side.WEIGHTED


@dataclass(frozen=True, slots=True)
class SideColumns:
    """What one side of every pair did; equal-length columns. A missing side is `there` False, and never `ok`.

    ok: an answer came and was right. sent_ns: when it left (the intended time if it could not be sent).
    ended_ns, latency_ms: 0 and NaN where missing; latency counts from the intended start. served_by: index into
    History.servers. sent: it left at all (False for NOT_SENT). client: number of its account (0: unknown).
    with_cookies: it carried cookies of an earlier answer.
    """

    there: Bools
    ok: Bools
    sent: Bools
    failure: npt.NDArray[np.uint8]
    status: npt.NDArray[np.uint16]
    latency_ms: Floats
    sent_ns: Ints
    ended_ns: Ints
    served_by: npt.NDArray[np.uint16]
    client: npt.NDArray[np.uint16]
    with_cookies: Bools


@dataclass(frozen=True, slots=True)
class Pairs:
    """All pairs of a run, sorted by intended time; equal-length columns.

    phase: index into the phases given, -1 outside all of them. triple: `weighted` is the treatment (shift, rollback).
    complete: every side that was meant is there; only complete rows are evidence of anything.
    attributed: the treatment fails while its control succeeds; in a triple, weighted fails unless both pinned do.
    control_only: the treatment succeeds while a control fails. both_failed: treatment and (all) control failed.
    pinned_attributed, pinned_control_only: the same between `cluster` and `legacy` alone, in triples too.
    treatment_*: of the side that is the treatment in that row. duplicates: records beyond one a side and pair.
    """

    pair: Ints
    phase: npt.NDArray[np.int32]
    operation: npt.NDArray[np.uint8]
    intended_ns: Ints
    legacy: SideColumns
    cluster: SideColumns
    weighted: SideColumns
    triple: Bools
    complete: Bools
    attributed: Bools
    control_only: Bools
    both_failed: Bools
    pinned_attributed: Bools
    pinned_control_only: Bools
    treatment_ok: Bools
    treatment_sent_ns: Ints
    treatment_ended_ns: Ints
    phase_rows: tuple[slice, ...]
    duplicates: int = 0

    def __len__(self) -> int:
        return len(self.pair)

    def rows(self, phase: int) -> slice:
        """The rows whose intended time lies in phase number `phase`: contiguous, since rows are sorted by time."""
        return self.phase_rows[phase]

    def attributed_rows(self, phase: int) -> Ints:
        """Of `rows` the attributed ones."""
        rows = self.rows(phase)
        found: Ints = np.flatnonzero(self.attributed[rows]) + rows.start
        return found

    def treatment(self, row: int) -> tuple[Side, SideColumns]:
        """The side that is the treatment in `row`, and its columns."""
        return (Side.WEIGHTED, self.weighted) if self.triple[row] else (Side.CLUSTER, self.cluster)


def pair_up(events: Events, phases: Sequence[Phase]) -> Pairs:
    """Join the records of each pair. `events` (EVENT_DTYPE) may be in any order; customers' records are left out.

    Linear in events while pair numbers are dense, as the load gives them; only sorting rows that came out of order
    costs more. Two records of one side of one pair are counted in `duplicates` and the later one is used.
    """
    ours = events[events["side"] <= _TRIPLE]
    row, numbers = _row_numbers(ours["pair"].astype(np.int64))
    count = len(numbers)
    intended = np.zeros(count, dtype=np.int64)
    intended[row] = ours["intended_ns"]
    if count > 1 and np.any(intended[1:] < intended[:-1]):
        order = np.argsort(intended, kind="stable")
        place = np.empty(count, dtype=np.int64)
        place[order] = np.arange(count)
        row, numbers, intended = place[row], numbers[order], intended[order]
    operation = np.zeros(count, dtype=np.uint8)
    operation[row] = ours["operation"]
    sides = [_side(ours, side, row, intended) for side in (Side.LEGACY, Side.CLUSTER, Side.WEIGHTED)]
    duplicates = len(ours) - sum(int(side.there.sum()) for side in sides)
    return _judged(numbers, operation, intended, sides, phases, duplicates)


def _row_numbers(number: Ints) -> tuple[Ints, Ints]:
    """For each record the row of its pair, and the pair number of each row, rising."""
    if not len(number):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    low = int(number.min())
    span = int(number.max()) - low + 1
    if span > 4 * len(number) + 1024:  # sparse numbers: a table would cost more than sorting
        numbers, row = np.unique(number, return_inverse=True)
        return row.astype(np.int64).reshape(-1), numbers
    seen = np.zeros(span, dtype=np.bool_)
    seen[number - low] = True
    row_of = np.cumsum(seen) - 1
    return row_of[number - low], np.flatnonzero(seen).astype(np.int64) + low


def _side(ours: Events, side: Side, row: Ints, intended: Ints) -> SideColumns:
    count = len(intended)
    mine = ours["side"] == side
    at = row[mine]
    records = ours[mine]

    def column(name: str, dtype: type[np.generic]) -> npt.NDArray[np.generic]:
        out = np.zeros(count, dtype=dtype)
        out[at] = records[name]
        return out

    there = np.zeros(count, dtype=np.bool_)
    there[at] = True
    failure = column("failure", np.uint8).astype(np.uint8, copy=False)
    sent_ns = column("sent_ns", np.int64).astype(np.int64, copy=False)
    ended_ns = column("ended_ns", np.int64).astype(np.int64, copy=False)
    sent = there & (failure != Failure.NOT_SENT)
    return SideColumns(
        there=there,
        ok=there & (failure == Failure.NONE),
        sent=sent,
        failure=failure,
        status=column("status", np.uint16).astype(np.uint16, copy=False),
        latency_ms=np.where(there, (ended_ns - intended) / 1e6, np.nan),
        sent_ns=np.where(sent & (sent_ns > 0), sent_ns, intended),
        ended_ns=ended_ns,
        served_by=column("served_by", np.uint16).astype(np.uint16, copy=False),
        client=column("client", np.uint16).astype(np.uint16, copy=False),
        with_cookies=there & ((column("flags", np.uint8).astype(np.uint8) & WITH_COOKIES) > 0),
    )


def _judged(
    numbers: Ints,
    operation: npt.NDArray[np.uint8],
    intended: Ints,
    sides: list[SideColumns],
    phases: Sequence[Phase],
    duplicates: int,
) -> Pairs:
    legacy, cluster, weighted = sides
    phase, rows = _phases_of(intended, phases)
    wants_three = np.array([p.kind.treatment is Side.WEIGHTED for p in phases] + [False], dtype=np.bool_)
    triple = wants_three[phase]  # -1, outside all phases, picks the False at the end
    both_there = legacy.there & cluster.there
    complete = both_there & (weighted.there | ~triple)
    pinned_failed = ~legacy.ok & ~cluster.ok
    treatment_ok = np.where(triple, weighted.ok, cluster.ok)
    control_ok = np.where(triple, ~pinned_failed, legacy.ok)
    any_control_failed = ~legacy.ok | (triple & ~cluster.ok)
    return Pairs(
        pair=numbers,
        phase=phase,
        operation=operation,
        intended_ns=intended,
        legacy=legacy,
        cluster=cluster,
        weighted=weighted,
        triple=triple,
        complete=complete,
        attributed=complete & ~treatment_ok & control_ok,
        control_only=complete & treatment_ok & any_control_failed,
        both_failed=complete & ~treatment_ok & ~control_ok,
        pinned_attributed=both_there & ~cluster.ok & legacy.ok,
        pinned_control_only=both_there & cluster.ok & ~legacy.ok,
        treatment_ok=complete & treatment_ok,
        treatment_sent_ns=np.where(triple, weighted.sent_ns, cluster.sent_ns),
        treatment_ended_ns=np.where(triple, weighted.ended_ns, cluster.ended_ns),
        phase_rows=rows,
        duplicates=duplicates,
    )


def _phases_of(intended: Ints, phases: Sequence[Phase]) -> tuple[npt.NDArray[np.int32], tuple[slice, ...]]:
    phase = np.full(len(intended), -1, dtype=np.int32)
    rows = []
    for index, one in enumerate(phases):
        first, last = np.searchsorted(intended, [one.start_ns, one.end_ns], side="left")
        rows.append(slice(int(first), max(int(first), int(last))))
        phase[rows[-1]] = index
    return phase, tuple(rows)
