"""Counting what probes found: each field that differed, in the treatment and in the control of the same conversations.

A field is told apart by operation, by how it was asked, by path and by kind: that a field's value is noise on legacy
does not excuse that the cluster leaves it out. Under "the cluster answers as legacy does" the treatment and the control
of a conversation are exchangeable, so of the conversations in which only one of them differs each is as likely to be
the treatment's: McNemar's test, sequential (judge.sequential), at a share of alpha for each field.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from shiftproof.judge.sequential import MIN_ERRORS, binomial_at_least, mcnemar_log_e
from shiftproof.model.history import PhaseKind
from shiftproof.model.probe import (
    AFTERWARDS,
    STATUS,
    Difference,
    Kind,
    ProbeRecord,
    last_name,
    never_ignored,
    words_of,
)

#: Fields that one test's share of alpha is split over, at least: fixed before the run, more than most answers have.
FIELDS = 128
#: Fewer than this chance that noise is as lopsided: a doubt, and no FAIL.
DOUBT_P = 0.05
#: Begins the reason of a conversation that our own bug ended.
OUR_FAULT = "our own fault"
#: Where what began between phases belongs.
OUTSIDE = "run"
#: Never differ of themselves, on legacy either; a status may (accepted, then settled), and then takes the whole test.
_NEVER_NOISE = frozenset({"amount", "currency", "account"})
#: HTTP statuses from here on are failures, which a crash may cost and the other claims count.
SERVER_ERRORS = 500


@dataclass(frozen=True, slots=True)
class Field:
    """One way in which two answers may differ."""

    operation: str
    via: str
    path: str
    kind: Kind

    @property
    def never_ignored(self) -> bool:
        return never_ignored(self.path)

    @property
    def never_noise(self) -> bool:
        """Two differences tell, as no service writes it otherwise by chance.

        What a list holds depends on its order and length, which may be noise: that takes the whole test.
        """
        words = words_of(last_name(self.path))
        named = bool(words & _NEVER_NOISE) and "status" not in words
        return named and "[]" not in self.path and self.via != AFTERWARDS


@dataclass(slots=True)
class FieldCount:
    """In how many conversations a field differed: in the treatment alone, in the control alone, in both.

    log_e: the largest that the evidence against the treatment ever was. phase: where it first did in the treatment.
    server_errors: all of it were HTTP statuses of 500 and above.
    """

    treatment_only: int = 0
    control_only: int = 0
    both: int = 0
    log_e: float = 0.0
    phase: str = OUTSIDE
    details: Counter[str] = field(default_factory=Counter)
    server_errors: bool = True

    @property
    def noise(self) -> int:
        """Conversations in which the control differed from itself."""
        return self.control_only + self.both

    @property
    def treatment(self) -> int:
        return self.treatment_only + self.both

    @property
    def detail(self) -> str:
        """The most frequent of what may be told."""
        return self.details.most_common(1)[0][0] if self.details else ""


class FieldTally:
    """Takes conversations as they end; void ones are counted and say no more.

    good: conversations counted; differing: those of them in which the treatment differs in a field.

    replays: the conversations send one key twice. There a second answer may differ from the first, alike on both sides:
    so this service answers a replay, and that is no noise.
    """

    def __init__(self, alpha_share: float, ignore: Collection[str] = (), *, replays: bool = False) -> None:
        self._alpha_share = alpha_share
        self._replays = replays
        self._ignore = frozenset(path for path in ignore if not never_ignored(path))
        self._largest = FIELDS
        self.fields: dict[Field, FieldCount] = {}
        self.good = 0
        self.differing = 0
        self.compared = 0

    def add(self, record: ProbeRecord, phase: str = OUTSIDE) -> None:
        """One good conversation, and the name of the phase that it began in."""
        self.good += 1
        self.compared += record.compared
        self._largest = max(self._largest, record.compared)
        treatment, control = self._by_field(record.treatment), self._by_field(record.control)
        self.differing += bool(treatment)
        for key in treatment.keys() | control.keys():
            self._count(key, treatment.get(key), control.get(key), phase)

    def differs(self, record: ProbeRecord) -> bool:
        """Whether the treatment differs in any field that no person has accepted as noise."""
        return bool(self._by_field(record.treatment))

    def _by_field(self, differences: Iterable[Difference]) -> dict[Field, Difference]:
        return {
            Field(one.operation, one.via, one.path, one.kind): one
            for one in differences
            if one.path not in self._ignore
        }

    def _count(self, key: Field, treatment: Difference | None, control: Difference | None, phase: str) -> None:
        counts = self.fields.setdefault(key, FieldCount())
        if treatment is not None:
            counts.phase = phase if counts.phase == OUTSIDE else counts.phase
            counts.details[treatment.detail] += 1
            counts.server_errors &= is_server_error(treatment)
        if treatment is not None and control is not None:
            counts.both += 1
            return
        counts.treatment_only += treatment is not None
        counts.control_only += control is not None
        if counts.treatment_only >= MIN_ERRORS:
            counts.log_e = max(counts.log_e, float(mcnemar_log_e(counts.treatment_only, counts.control_only)))

    def fails(self, key: Field) -> bool:
        """Noise does not explain it: for what is never noise twice without any, for all else by the test."""
        counts = self.fields[key]
        if counts.log_e >= math.log(self._largest / self._alpha_share):
            return True
        return key.never_noise and counts.treatment_only >= MIN_ERRORS and not counts.noise

    def in_doubt(self, key: Field) -> bool:
        """It may be noise, and may not.

        Money that differs is never called noise, however often legacy differs too; nor is what differs twice where
        legacy never does.
        """
        counts = self.fields[key]
        if not counts.treatment or self.fails(key):
            return False
        if self._is_money(key) and not (self._replays and counts.both == counts.noise == counts.treatment):
            return True
        if not counts.noise and counts.treatment_only >= MIN_ERRORS:
            return True
        if not counts.treatment_only:
            return False
        discordant = counts.treatment_only + counts.control_only
        return binomial_at_least(counts.treatment_only, discordant, 0.5) < DOUBT_P

    def _is_money(self, key: Field) -> bool:
        return key.never_ignored and not (key.path == STATUS and self.fields[key].server_errors)

    def phase_of(self, keys: Sequence[Field]) -> str:
        """The first phase in which any of these differed, "run" when it was between phases only."""
        return next((phase for key in keys if (phase := self.fields[key].phase) != OUTSIDE), OUTSIDE)

    def failing(self) -> list[Field]:
        """What fails, the gravest first."""
        return sorted((key for key in self.fields if self.fails(key)), key=self._gravity)

    def doubtful(self) -> list[Field]:
        return sorted((key for key in self.fields if self.in_doubt(key)), key=self._gravity)

    def unjudged(self) -> list[str]:
        """Paths on which legacy so often differs from itself that a PASS says nothing of them."""
        mostly = {key.path for key, counts in self.fields.items() if 2 * counts.noise > self.good}
        return [path for path in self.noisy() if path in mostly]

    def seldom(self) -> list[str]:
        """Paths that differed once, in the treatment, and where legacy agrees with itself: too seldom for a doubt."""
        once = {key.path for key, counts in self.fields.items() if counts.treatment and not counts.noise}
        return sorted(once - self._told())

    def noisy(self) -> list[str]:
        """Paths on which legacy does not agree with itself, and that a person may accept as noise."""
        known = {key.path for key, counts in self.fields.items() if counts.noise and not key.never_ignored}
        return sorted(known - self._told())

    def _told(self) -> set[str]:
        """Paths that a FAIL or a doubt names already."""
        return {key.path for key in (*self.failing(), *self.doubtful())}

    def _gravity(self, key: Field) -> tuple[bool, bool, bool, int, str]:
        """Money first, then what was asked plainly, then what a client trips over, then by how often."""
        seldom = -self.fields[key].treatment_only
        return (not self._is_money(key), bool(key.via), key.kind is Kind.FORMAT, seldom, f"{key.operation} {key.path}")


def is_server_error(difference: Difference) -> bool:
    """True for an HTTP status of 500 and above, on whichever side."""
    statuses = [int(word) for word in difference.detail.split() if word.isdigit()]
    return difference.path == STATUS and any(status >= SERVER_ERRORS for status in statuses)


def in_phase(record: ProbeRecord, kind: PhaseKind | None) -> ProbeRecord:
    """The conversation as it counts there: in a crash a failing answer is no difference, its budget pays for it.

    What differs beside a failing answer may follow from it, so it proves nothing. That a key was applied more often
    than legacy applies it does not follow from any crash: that still counts.
    """
    if kind is not PhaseKind.CRASH or not any(map(is_server_error, (*record.treatment, *record.control))):
        return record
    twice = record.applied is not None and record.applied > max(1, record.control_applied or 1)
    void = record.void if twice else "failing answers in a crash"
    return replace(record, void=void, treatment=(), control=())
