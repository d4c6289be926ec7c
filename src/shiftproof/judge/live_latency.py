"""Latency for the judge that looks on: the same bounded value a second as the latency claim's, as seconds close.

A second closes once requests of `CLOSED_AFTER_S` later are seen; what then still comes of it is not waited for, so that
a value never changes after it was used (an e-process over values that change would prove nothing).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from shiftproof.judge.pairing import Floats
from shiftproof.judge.sequential import mean_above
from shiftproof.judge.tail import mostly_above, tail_limit_ms, tail_reason
from shiftproof.judge.words import percent
from shiftproof.model.event import Side
from shiftproof.model.history import PhaseKind
from shiftproof.model.platform import Latency

#: Longer than requests may take in all (2 s by default): their time-out is the last that can come of a second.
CLOSED_AFTER_S = 3
#: A second with fewer pairs than this is no share worth the name.
MIN_PAIRS_A_SECOND = 10
_S = 1_000_000_000


@dataclass(slots=True)
class _Second:
    """Counts of one second: complete pairs, and how many of each were over the threshold (or failed)."""

    pairs: int = 0
    treatment: int = 0
    legacy: int = 0
    cluster: int = 0


@dataclass(slots=True)
class SlowSeconds:
    """The seconds of one phase. triple: the control is the better of the two pinned sides, as for failures."""

    start_ns: int
    triple: bool
    treatment: list[float] = field(default_factory=list)
    control: list[float] = field(default_factory=list)
    _open: dict[int, _Second] = field(default_factory=dict)
    _closed: int = 0

    def count(self, intended_ns: int, *, treatment: bool, legacy: bool, cluster: bool) -> None:
        """One complete pair: which of its sides were over the threshold."""
        number = (intended_ns - self.start_ns) // _S
        if number < self._closed:
            return
        second = self._open.setdefault(number, _Second())
        second.pairs += 1
        second.treatment += treatment
        second.legacy += legacy
        second.cluster += cluster

    def close(self, seen_ns: int) -> bool:
        """Take in the seconds that are over for good, now that requests intended at `seen_ns` came; True if any."""
        until = (seen_ns - self.start_ns) // _S - CLOSED_AFTER_S
        due = sorted(number for number in self._open if number < until)
        self._closed = max(self._closed, until)
        enough = [second for number in due if (second := self._open.pop(number)).pairs >= MIN_PAIRS_A_SECOND]
        for second in enough:
            control = min(second.legacy, second.cluster) if self.triple else second.legacy
            self.treatment.append(second.treatment / second.pairs)
            self.control.append(control / second.pairs)
        return bool(enough)


@dataclass(slots=True)
class SlowPhase:
    """One phase: its seconds against the objective's threshold, and against the tail's limit once that is known."""

    name: str
    kind: PhaseKind
    threshold: SlowSeconds
    tail: SlowSeconds | None


class LiveLatency:
    """Both tests of the latency claim, told of phases and of complete pairs as they come. alpha: of each test."""

    def __init__(self, objective: Latency, alpha: float) -> None:
        self._objective = objective
        self._alpha = alpha
        self._phases: list[SlowPhase] = []
        self._at_rest_ms: list[float] = []
        self._limit_ms: float | None = None

    def starts(self, name: str, kind: PhaseKind, start_ns: int) -> SlowPhase:
        """A phase begins. The tail's limit is what the control took before, where nothing was done."""
        if self._limit_ms is None:
            self._limit_ms = tail_limit_ms(np.array(self._at_rest_ms), self._objective)
        triple = kind.treatment is Side.WEIGHTED
        judged = self._limit_ms is not None and kind is not PhaseKind.CRASH
        tail = SlowSeconds(start_ns, triple) if judged else None
        self._phases.append(SlowPhase(name, kind, SlowSeconds(start_ns, triple), tail))
        return self._phases[-1]

    def count(self, phase: SlowPhase, intended_ns: int, took_ms: Mapping[int, float]) -> None:
        """One complete pair. took_ms: by side; infinite for what failed, since a quick refusal must not look fast."""
        legacy_ms, cluster_ms = took_ms[Side.LEGACY], took_ms[Side.CLUSTER]
        treatment_ms = took_ms[phase.kind.treatment]
        if phase.kind is PhaseKind.STEADY and math.isfinite(legacy_ms):
            self._at_rest_ms.append(legacy_ms)
        for seconds, limit_ms in ((phase.threshold, self._objective.threshold_ms), (phase.tail, self._limit_ms)):
            if seconds is not None and limit_ms is not None:
                seconds.count(
                    intended_ns,
                    treatment=treatment_ms > limit_ms,
                    legacy=legacy_ms > limit_ms,
                    cluster=cluster_ms > limit_ms,
                )

    def look(self, seen_ns: int) -> tuple[SlowPhase, str] | None:
        """(phase, why) once the seconds of an action are enough to call it too slow; call it after every batch.

        A phase that has ended may still have seconds to close: the last requests of it come in the next one.
        """
        found = None
        for phase in self._phases:
            if phase.threshold.close(seen_ns):
                found = found or self._over_threshold(phase)
            if phase.tail is not None and phase.tail.close(seen_ns):
                found = found or self._over_tail(phase)
        return found

    def _over_threshold(self, phase: SlowPhase) -> tuple[SlowPhase, str] | None:
        treatment, control = _joined([other.threshold for other in self._phases if other.name == phase.name])
        margin = self._objective.margin
        if not mean_above(treatment - control, margin, self._alpha).reached:
            return None
        return phase, (
            f"{phase.name}: {percent(float(treatment.mean()))} of the new side's requests took over"
            f" {self._objective.threshold_ms:g} ms, {percent(float(control.mean()))} of the control's (may be"
            f" {percent(margin)} more), over {len(treatment)} s."
        )

    def _over_tail(self, phase: SlowPhase) -> tuple[SlowPhase, str] | None:
        treatment, control = _joined([other.tail for other in self._phases if other.name == phase.name])
        bad, crossing = mostly_above(treatment - control, self._objective.margin, self._alpha)
        if not crossing.reached or self._limit_ms is None:
            return None
        said = tail_reason(treatment, control, bad, self._limit_ms, self._objective)
        return phase, f"{phase.name}: {said}"


def _joined(parts: Sequence[SlowSeconds | None]) -> tuple[Floats, Floats]:
    """(treatment, control) of phases taken together."""
    there = [part for part in parts if part is not None]
    treatment = np.array([value for part in there for value in part.treatment])
    return treatment, np.array([value for part in there for value in part.control])
