"""The judge that looks on while the run goes, so that a clear FAIL stops it early.

It applies the same tests, with the same share of alpha, as the judges at the end; the sequential ones may be looked at
after every batch at no cost. What the counting rule of graceful actions costs when it is looked at as often is measured
(docs/STATISTICS.md). It only ever decides FAIL: a PASS needs the whole history. Sides of a pair may arrive in any
order, and late.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from shiftproof.errors import ClearFail
from shiftproof.judge.case import PLANNED_TESTS
from shiftproof.judge.change import loses_by_change
from shiftproof.judge.counting import control_failures, is_sick, recurring_loss
from shiftproof.judge.live_latency import LiveLatency, SlowPhase
from shiftproof.judge.live_probes import LiveProbes
from shiftproof.judge.outages import worst_within
from shiftproof.judge.sequential import MIN_ERRORS, mcnemar_log_e, split_alpha
from shiftproof.model.event import Events, Failure, Side
from shiftproof.model.history import Budget, PhaseKind
from shiftproof.model.platform import Objectives
from shiftproof.model.probe import ProbeRecord
from shiftproof.model.verdict import Finding, Verdict


@dataclass(frozen=True, slots=True)
class PhaseCount:
    """The counts of one phase so far; complete pairs (triples) only. name is "between phases" outside all of them."""

    name: str
    repeat: int
    pairs: int
    attributed: int
    control_only: int
    both_failed: int


@dataclass(slots=True)
class _Tally:
    name: str
    kind: PhaseKind
    repeat: int
    start_ns: int
    budget: Budget | None = None
    end_ns: int | None = None
    pairs: int = 0
    attributed: int = 0
    control_only: int = 0
    legacy_only: int = 0
    both_failed: int = 0
    pinned_failed: list[int] = field(default_factory=lambda: [0, 0])  # on legacy, on the cluster
    tested: list[int] = field(default_factory=lambda: [0, 0])  # treatment-only, control-only; not of crashes
    lost: list[tuple[int, int]] = field(default_factory=list)  # sent and ended, of crashes alone
    slow: SlowPhase | None = None

    @property
    def control_failed(self) -> int:
        return control_failures(self.kind, *self.pinned_failed)

    @property
    def control_alone(self) -> int:
        legacy, cluster = self.pinned_failed
        both = legacy - self.legacy_only
        return control_failures(self.kind, legacy - both, cluster - both)

    def count(self) -> PhaseCount:
        return PhaseCount(self.name, self.repeat, self.pairs, self.attributed, self.control_only, self.both_failed)


@dataclass(slots=True)
class _Pending:
    """Sides of one pair that came so far: side -> (ok, sent_ns, ended_ns)."""

    intended_ns: int
    sides: dict[int, tuple[bool, int, int]] = field(default_factory=dict)


class LiveJudge:
    """Fed with batches of events and told of phases; `decided` is the clear FAIL once there is one.

    alpha and planned_tests as in Case; ignore: its parity_ignore. Not thread-safe for feeding; reading counts from
    another thread is fine.
    """

    def __init__(
        self,
        objectives: Objectives,
        *,
        alpha: float = 0.01,
        planned_tests: int = PLANNED_TESTS,
        ignore: Collection[str] = (),
    ) -> None:
        self._objectives = objectives
        self._alpha_share = split_alpha(alpha, planned_tests)
        self._threshold = math.log(1 / self._alpha_share)
        self._latency = LiveLatency(objectives.latency, self._alpha_share)
        self._seen_ns = 0
        self._between = _Tally("between phases", PhaseKind.STEADY, 1, 0)
        self._tallies: list[_Tally] = []
        self._pending: dict[int, _Pending] = {}
        self._decided: Finding | None = None
        self._probes = LiveProbes(split_alpha(alpha, planned_tests), ignore)

    @property
    def decided(self) -> Finding | None:
        """The first clear FAIL, which then stays."""
        return self._decided

    def phase_starts(
        self, name: str, kind: PhaseKind, repeat: int, start_ns: int, budget: Budget | None = None
    ) -> None:
        """From start_ns on, intended times belong to this phase. Ends the phase before it if that is still open."""
        self.phase_ends(start_ns)
        slow = self._latency.starts(name, kind, start_ns)
        budget = budget if kind is PhaseKind.CRASH else None
        self._tallies.append(_Tally(name, kind, repeat, start_ns, budget, slow=slow))

    def phase_ends(self, t_ns: int) -> None:
        """Ends the present phase; safe when none is open."""
        if self._tallies and self._tallies[-1].end_ns is None:
            self._tallies[-1].end_ns = t_ns

    def feed(self, events: Events) -> Finding | None:
        """Take new records in; returns `decided`."""
        touched: dict[int, _Tally] = {}
        ours = events[events["side"] <= Side.WEIGHTED]
        columns = ("pair", "side", "intended_ns", "sent_ns", "ended_ns", "failure")
        for pair, side, intended, sent, ended, failure in zip(*(ours[name].tolist() for name in columns), strict=True):
            pending = self._pending.setdefault(pair, _Pending(intended))
            left = sent if failure != Failure.NOT_SENT and sent > 0 else intended
            pending.sides[side] = (failure == Failure.NONE, left, ended)
            tally = self._settle(pair, pending)
            if tally is not None:
                touched[id(tally)] = tally
        self._seen_ns = max(self._seen_ns, int(ours["intended_ns"].max())) if len(ours) else self._seen_ns
        for tally in touched.values():
            self._decided = self._decided or self._clear_fail(tally)
        slow = self._latency.look(self._seen_ns)
        if slow is not None and self._decided is None:
            phase, reason = slow
            self._decided = self._fail("latency", next(t for t in self._tallies if t.slow is phase), reason)
        return self._decided

    def hear(self, probes: Sequence[ProbeRecord]) -> Finding | None:
        """Take conversations in that have ended; returns `decided`."""
        for record in probes:
            tally = self._tally_at(record.start_ns)
            between = tally is self._between
            found = self._probes.hear(record, "run" if between else tally.name, None if between else tally.kind)
            self._decided = self._decided or found
        return self._decided

    def check(self) -> None:
        """Raises ClearFail with the reason once decided."""
        if self._decided is not None:
            raise ClearFail(self._decided.reason)

    def counts(self) -> tuple[PhaseCount, ...]:
        """One a phase, in the order started; "between phases" last, if any pair was there."""
        rest = (self._between.count(),) if self._between.pairs else ()
        return (*(tally.count() for tally in self._tallies), *rest)

    def present(self) -> PhaseCount | None:
        """The counts of the phase started last."""
        return self._tallies[-1].count() if self._tallies else None

    def _tally_at(self, intended_ns: int) -> _Tally:
        for tally in reversed(self._tallies):
            if tally.start_ns <= intended_ns:
                return tally if tally.end_ns is None or intended_ns < tally.end_ns else self._between
        return self._between

    def _settle(self, pair: int, pending: _Pending) -> _Tally | None:
        """Count the pair once every side that was meant is there."""
        tally = self._tally_at(pending.intended_ns)
        treatment = tally.kind.treatment
        sides = pending.sides
        if not {Side.LEGACY, Side.CLUSTER, treatment} <= sides.keys():
            return None
        del self._pending[pair]
        ok, sent_ns, ended_ns = sides[treatment]
        pinned = (sides[Side.LEGACY][0], sides[Side.CLUSTER][0])
        triple = treatment is Side.WEIGHTED
        control_ok = any(pinned) if triple else pinned[0]
        control_failed = not all(pinned) if triple else not pinned[0]
        attributed, control_only = not ok and control_ok, ok and control_failed
        tally.pairs += 1
        tally.attributed += attributed
        tally.control_only += control_only
        tally.legacy_only += pinned == (False, True)
        tally.both_failed += not ok and not control_ok
        tally.pinned_failed = [failed + (not ok) for failed, ok in zip(tally.pinned_failed, pinned, strict=True)]
        if tally.budget is not None:
            # When its fault began is known at its end only, so the worst that its budget may cover is held to it now.
            if attributed:
                tally.lost.append((sent_ns, ended_ns))
        else:
            tally.tested[0] += attributed
            tally.tested[1] += control_only
            if tally.slow is not None:
                took_ms = {
                    side: (ended_ns - pending.intended_ns) / 1e6 if ok else math.inf
                    for side, (ok, _, ended_ns) in pending.sides.items()
                }
                self._latency.count(tally.slow, pending.intended_ns, took_ms)
        return tally

    def _clear_fail(self, tally: _Tally) -> Finding | None:
        t, c = tally.tested
        if t >= MIN_ERRORS and float(mcnemar_log_e(t, c)) >= self._threshold:
            return self._fail("availability", tally, _alone(tally, t, c))
        if tally.kind is PhaseKind.LOAD:
            return self._lost_by_change(tally)
        if tally.kind.graceful:
            return self._recurring_loss(tally)
        return self._over_budget(tally) if tally.budget else None

    def _recurring_loss(self, tally: _Tally) -> Finding | None:
        repeats = [other for other in self._tallies if other.name == tally.name]
        everything = (*self._tallies, self._between)
        pairs, unacceptable = sum(other.pairs for other in repeats), self._objectives.availability.unacceptable
        if is_sick(sum(other.control_failed for other in repeats), pairs, unacceptable) or not recurring_loss(
            [other.attributed for other in repeats],
            pairs,
            sum(other.legacy_only for other in everything),
            sum(other.pairs for other in everything),
            under_way=True,
        ):
            return None
        losing = [other for other in repeats if other.attributed]
        lost = ", ".join(f"{other.attributed:,}" for other in losing)
        reason = f"{tally.name}: {len(losing)} of {len(repeats)} repeats so far lost requests ({lost}); allowed: none."
        return self._fail("availability", tally, reason)

    def _lost_by_change(self, tally: _Tally) -> Finding | None:
        everything = (*self._tallies, self._between)
        legacy_only, all_pairs = sum(t.legacy_only for t in everything), sum(t.pairs for t in everything)
        rate = self._objectives.availability.unacceptable
        if is_sick(tally.control_failed, tally.pairs, rate):
            return None
        if not loses_by_change(tally.attributed, tally.pairs, legacy_only, all_pairs, rate, self._alpha_share):
            return None
        reason = f"{tally.name}: {tally.attributed:,} of {tally.pairs:,} pairs failed on the new side alone."
        return self._fail("availability", tally, reason)

    def _over_budget(self, tally: _Tally) -> Finding | None:
        budget = tally.budget
        if budget is None or len(tally.lost) < MIN_ERRORS:
            return None
        if is_sick(tally.control_alone, tally.pairs, self._objectives.availability.unacceptable):
            return None
        lost, longest_ns = worst_within(tally.lost, round(budget.recover_s * 1e9))
        longest_ms = longest_ns / 1e6
        if lost > budget.lost_requests:
            reason = f"{tally.name}: {lost:,} requests lost already, the budget is {budget.lost_requests:,}."
            return self._fail("outage", tally, reason)
        if longest_ms > budget.outage_ms:
            reason = (
                f"{tally.name}: an outage of at least {longest_ms:,.0f} ms, the budget is {budget.outage_ms:,.0f} ms."
            )
            return self._fail("outage", tally, reason)
        return None

    def _fail(self, claim: str, tally: _Tally, reason: str) -> Finding:
        data = {"decided_early": True, "repeat": tally.repeat, "pairs": tally.pairs, "attributed": tally.attributed}
        return Finding(claim, tally.name, Verdict.FAIL, reason, data)


def _alone(tally: _Tally, treatment: int, control: int) -> str:
    """In a triple the treatment is what the weights send either way, so it may well have failed on the old side."""
    if tally.kind.treatment is Side.WEIGHTED:
        who = f"{treatment:,} of {tally.pairs:,} weighted requests failed while a pinned one was served"
        return f"{tally.name}: {who} (the other way round: {control:,})."
    who = f"{treatment:,} of {tally.pairs:,} pairs failed on the new side alone"
    return f"{tally.name}: {who} (the control failed alone in {control:,})."
