"""ports.AccessLog on HAProxy's log: one JSON object a line, written by the lab's load balancer.

A line: {"t_us", "id", "rehearsal", "method", "path", "backend", "target", "status", "end", "wait_ms", "connect_ms",
"answer_ms", "total_ms"}; `t_us` in microseconds since the epoch when the request was over, `target` "-:-" when none
was chosen, `end` HAProxy's two letters on how it ended.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from shiftproof.errors import MeasureError
from shiftproof.model.event import Side
from shiftproof.model.history import LbRecord

ID_CELL = 5
"""Where a line's id stands when it is split at quotes; parsing each of some hundred thousand lines takes too long."""

NO_TARGET = "-:-"


class HaproxyAccessLog:
    """Reads the log and the one before it (`NAME.1`, kept when it grew too long)."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def failed(self, request_ids: Sequence[str], since_ns: int) -> Sequence[LbRecord]:
        """What was logged of these requests since then, by time. Raises MeasureError when the log cannot be read.

        A request whose line is missing has not ended at the load balancer, or never came to it.
        """
        wanted = {request_id.encode() for request_id in request_ids}
        if not wanted:
            return ()
        records = [parse_line(line) for line in self._lines() if _id(line) in wanted]
        return sorted((record for record in records if record.t_ns >= since_ns), key=lambda record: record.t_ns)

    def _lines(self) -> Iterator[bytes]:
        older = self._path.with_name(self._path.name + ".1")
        try:
            for path in (older, self._path) if older.exists() else (self._path,):
                with path.open("rb") as log:
                    yield from (line for line in log if line.endswith(b"\n"))
        except OSError as error:
            raise MeasureError(f"the load balancer's access log cannot be read: {error}") from error


def parse_line(line: bytes) -> LbRecord:
    """One line of ours as a record. Raises MeasureError when it is not such a line."""
    try:
        fields: dict[str, Any] = json.loads(line)
        pair, _, side = fields["id"].partition("-")
        target = "" if fields["target"] == NO_TARGET else str(fields["target"])
        return LbRecord(
            t_ns=int(fields["t_us"]) * 1000,
            pair=int(pair),
            side=Side(int(side)),
            target=target,
            status=int(fields["status"]),
            cause=cause(str(fields["end"]), target),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise MeasureError(f"a line of the load balancer's access log cannot be understood: {line[:200]!r}") from error


def cause(end: str, target: str) -> str:
    """A cause of LbRecord's list for HAProxy's two letters: who ended it first, and in which state it was.

    First letter: S target's side, s its time-out, C client's side, c its time-out; second: C connecting, H waiting for
    the answer's head, D data. Source: HAProxy 2.6's configuration manual, section 8.5.
    """
    first, second = end[:1], end[1:2]
    if not target:
        return "client-abort" if first in "Cc" else "no-target"
    match first:
        case "-":
            return "target-status"
        case "C" | "c":
            return "client-abort"
        case "S":
            return "connect-refused" if second == "C" else "reset-by-target"
        case "s":
            return "connect-timeout" if second == "C" else "target-timeout"
    return "other"


def _id(line: bytes) -> bytes:
    cells = line.split(b'"', ID_CELL + 1)
    return cells[ID_CELL] if len(cells) > ID_CELL + 1 else b""
