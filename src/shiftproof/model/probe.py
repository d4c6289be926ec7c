"""Probes: short conversations with both sides, and the record that one leaves. Never a body, never a secret.

A parity conversation does the same on legacy, on the cluster, and on legacy once more (the noise twin). A duplicate
conversation sends one idempotent request twice, by ways that cross the sides, beside a control that goes to legacy
twice. In both, what differs in the treatment stands beside what differs in the control of the same conversation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

NEVER_IGNORED = frozenset({"amount", "currency", "status", "account"})
"""Words that make a field one of money: no rule can leave it out, whatever noise says."""

STATUS = "@status"
"""Stands as a path for the HTTP status."""

CONTENT_TYPE = "@content-type"
"""Stands as a path for that header."""

SECOND_ANSWER = "answered the second time"
"""The `via` of what the second answer of a duplicate conversation shows against the first."""

AFTERWARDS = "read afterwards"
"""The `via` of what the account shows when it is read after both of its requests: noise of others' is in it."""

_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")


class ProbeKind(StrEnum):
    """What sort of conversation it was."""

    PARITY = "parity"
    DUPLICATE = "duplicate"


class Kind(StrEnum):
    """How two answers differ. MISSING: control has it, treatment has not; EXTRA: the other way."""

    VALUE = "value"
    MISSING = "missing"
    EXTRA = "extra"
    TYPE = "type"
    FORMAT = "format"
    STATUS = "status"
    COUNT = "count"


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that two answers do not share.

    path: keys from the top, e.g. "payments[].amount", or one of the @ names above; "" is the whole body. via: how it
    was asked, as words that follow the operation's name; "" when plainly. detail: what may be told of it (statuses,
    types, counts, minutes), never a value of the service's.
    """

    operation: str
    path: str
    kind: Kind
    via: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ProbeRecord:
    """One conversation, from its first request to its last answer, on the run's clock.

    way: a duplicate's, e.g. "to legacy, then to cluster"; "" for parity. operations: those whose answers were compared.
    compared: fields that were. treatment: cluster (or the crossing ways) against control; control: control against
    control. applied, control_applied: how often a duplicate's request was applied, by ids and listings; None where
    nobody could tell. void: why it says nothing at all (a time-out, a reset…); then all else is empty.
    """

    number: int
    kind: ProbeKind
    start_ns: int
    end_ns: int
    way: str = ""
    operations: tuple[str, ...] = ()
    compared: int = 0
    treatment: tuple[Difference, ...] = ()
    control: tuple[Difference, ...] = ()
    applied: int | None = None
    control_applied: int | None = None
    void: str | None = None


def last_name(path: str) -> str:
    """The field's own name: "payments[].amount" -> "amount"."""
    return path.rpartition(".")[2].removesuffix("[]")


def words_of(name: str) -> frozenset[str]:
    """ "amountMinor", "amount_minor" and "amount-minor" have the words amount and minor."""
    return frozenset(word.lower() for word in _WORD.findall(name))


def never_ignored(path: str) -> bool:
    """True for fields of money and for the HTTP status: no rule may leave these out."""
    return path == STATUS or bool(words_of(last_name(path)) & NEVER_IGNORED)
