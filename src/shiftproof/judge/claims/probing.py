"""What the claims that live on probes share: the conversations held, by phase, and whether they are enough."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from shiftproof.judge.case import Case
from shiftproof.judge.probes import OUR_FAULT, OUTSIDE, in_phase
from shiftproof.judge.words import count
from shiftproof.model.history import Phase, PhaseKind
from shiftproof.model.probe import ProbeKind, ProbeRecord

#: Each operation is tried at least so often, or nothing is known of it.
EACH = 3


@dataclass(frozen=True, slots=True)
class Held:
    """Conversations of one kind, by their start, each with the name of the phase that it began in."""

    placed: tuple[tuple[str, ProbeRecord], ...]

    @property
    def good(self) -> tuple[ProbeRecord, ...]:
        return tuple(record for _, record in self.placed if record.void is None)

    @property
    def void(self) -> Counter[str]:
        """Why how many say nothing."""
        return Counter(record.void for _, record in self.placed if record.void is not None)

    def of_phase(self, name: str) -> Held:
        """Those of the phases of one name."""
        return Held(tuple((place, record) for place, record in self.placed if place == name))


def held(case: Case, kind: ProbeKind) -> Held:
    """All conversations of that kind."""
    ours = sorted((one for one in case.history.probes if one.kind is kind), key=lambda one: one.start_ns)
    return Held(tuple((at_phase(case, one.start_ns), in_phase(one, _kind_at(case, one.start_ns))) for one in ours))


def phase_at(case: Case, t_ns: int) -> Phase | None:
    """The phase in which something began; None between phases."""
    return next((phase for phase in case.history.phases if phase.start_ns <= t_ns < phase.end_ns), None)


def _kind_at(case: Case, t_ns: int) -> PhaseKind | None:
    phase = phase_at(case, t_ns)
    return phase.kind if phase is not None else None


def at_phase(case: Case, t_ns: int) -> str:
    """The name of that phase, "run" between phases."""
    phase = phase_at(case, t_ns)
    return phase.name if phase is not None else OUTSIDE


def shortfall(talks: Held, need: int, what: str) -> str | None:
    """Why these are not enough to say anything, None when they are. A bug of ours is never enough."""
    void = talks.void
    ours = sum(number for why, number in void.items() if why.startswith(OUR_FAULT))
    if ours:
        return f"{count(ours, 'conversation')} ended by a fault of our own, so what they would have found is not known."
    if len(talks.good) >= need:
        return None
    named = ", ".join(f"{why} {number:,}" for why, number in void.most_common(3))
    also = f" ({void.total():,} were void: {named})" if void else ""
    return f"{count(len(talks.good), 'conversation')} {what}, {need:,} are needed{also}."
