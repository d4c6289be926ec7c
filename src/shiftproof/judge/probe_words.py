"""What probes found, in sentences for somebody who was woken by them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shiftproof.judge.probes import Field, FieldCount, FieldTally
from shiftproof.judge.words import count, listed
from shiftproof.model.probe import CONTENT_TYPE, STATUS, Kind

#: Fields named in one sentence; the rest are counted.
_NAMED = 3
#: Fields listed in a finding's data.
_LISTED = 50

MONEY_HINT = (
    "compare how both sides turn what is stored into answers (rounding, number formats, currency and locale settings, "
    "versions) before a customer sees it"
)
HINT = "compare code, versions and settings of both sides: whoever reads this field breaks on the cluster side"


def differs(tally: FieldTally, keys: Sequence[Field], against: str = "legacy against itself") -> str:
    """As in "create: amount differs from legacy's in 14 of 20 conversations (legacy against itself: 0)…", no stop."""
    main, counts = keys[0], tally.fields[keys[0]]
    often = f"in {counts.treatment:,} of {count(tally.good, 'conversation')} ({against}: {counts.noise:,})"
    others = list(dict.fromkeys(_place(key) for key in keys[1:] if _place(key) != _place(main)))
    named = listed(others[:_NAMED] + ([f"{len(others) - _NAMED} more"] if len(others) > _NAMED else []))
    return f"{_asked(main)}: {_said(main, counts)}, {often}" + (f"; likewise {named}" if others else "")


def hint(keys: Sequence[Field]) -> str:
    return MONEY_HINT if keys[0].never_ignored and keys[0].path != STATUS else HINT


def figures(tally: FieldTally, keys: Sequence[Field]) -> dict[str, Any]:
    """The counts of these fields, for the finding's data."""
    return {
        "conversations": tally.good,
        "fields_compared": tally.compared,
        "fields": [
            {
                "operation": key.operation,
                "asked": key.via,
                "path": key.path,
                "kind": key.kind.value,
                "treatment_only": tally.fields[key].treatment_only,
                "control_only": tally.fields[key].control_only,
                "both": tally.fields[key].both,
            }
            for key in keys[:_LISTED]
        ],
    }


def _asked(key: Field) -> str:
    return f"{key.operation} {key.via}".strip()


def _place(key: Field) -> str:
    return f"{_asked(key)}: {_path(key)}"


def _path(key: Field) -> str:
    return {STATUS: "the HTTP status", CONTENT_TYPE: "the header content-type", "": "the body"}.get(key.path, key.path)


def _said(key: Field, counts: FieldCount) -> str:
    told = f" ({counts.detail}, legacy's first)" if " against " in counts.detail else ""
    apart = f" ({counts.detail})" if counts.detail and not told else ""
    words = {
        Kind.VALUE: "{} differs from legacy's" + apart,
        Kind.MISSING: "the cluster's answer lacks {}",
        Kind.EXTRA: "the cluster's answer has {}, which legacy's has not",
        Kind.TYPE: "{} is of another type than legacy's" + told,
        Kind.FORMAT: "{} is written in another format than legacy's",
        Kind.COUNT: "{} is not as long as legacy's" + told,
        Kind.STATUS: "{} is not legacy's" + told,
    }
    return words[key.kind].format(_path(key))
