"""A job: one account's statement for one period, as it stands in a message of the queue."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from uuid import UUID

_ACCOUNT = re.compile(r"[A-Za-z0-9._:-]{1,100}", re.ASCII)
_PERIOD = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])", re.ASCII)
_FIELDS = ("account", "id", "period", "synthetic")


class BadJob(Exception):
    """A message that is no job; `str()` says why."""


@dataclass(frozen=True, slots=True)
class Job:
    """`period` is a month, "2026-11". `synthetic`: asked for by a harness, counted by `check`, removed by the purge."""

    id: UUID
    account: str
    period: str
    synthetic: bool

    def to_text(self) -> str:
        """The body of its message."""
        found = {"account": self.account, "id": str(self.id), "period": self.period, "synthetic": self.synthetic}
        return json.dumps(found)


def read(text: str) -> Job:
    """Raises BadJob. Unknown fields are refused: they would be another job than the one that is done."""
    try:
        body = json.loads(text)
    except ValueError:
        raise BadJob("it is no JSON") from None
    if not isinstance(body, dict) or sorted(body) != sorted(_FIELDS):
        raise BadJob(f"a job is an object of {', '.join(_FIELDS)}")
    if not (isinstance(body["account"], str) and _ACCOUNT.fullmatch(body["account"])):
        raise BadJob("account must be 1 to 100 letters, digits or . _ : -")
    if not (isinstance(body["period"], str) and _PERIOD.fullmatch(body["period"])):
        raise BadJob('period must be a month such as "2026-11"')
    if not isinstance(body["synthetic"], bool):
        raise BadJob("synthetic must be true or false")
    return Job(_id(body["id"]), body["account"], body["period"], body["synthetic"])


def _id(text: object) -> UUID:
    try:
        return UUID(str(text))
    except ValueError:
        raise BadJob("id must be a UUID") from None
