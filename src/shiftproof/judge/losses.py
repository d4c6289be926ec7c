"""One failed request, with what the client, the load balancer's log and the answer's own headers know of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shiftproof.judge.pairing import Pairs
from shiftproof.model.event import Failure
from shiftproof.model.history import History, LbRecord

_VERBS = {
    "connect-refused": "refused",
    "connect-timeout": "left without an answer",
    "target-timeout": "left without an answer",
    "reset-by-target": "reset",
    "client-abort": "left without an answer",
}
_FAILURE_VERBS = {
    Failure.REFUSED: "refused",
    Failure.RESET: "reset",
    Failure.TIMEOUT: "left without an answer",
    Failure.BODY: "answered wrongly",
}

Records = Mapping[tuple[int, int], LbRecord]
"""The load balancer's records by pair and side."""


@dataclass(frozen=True, slots=True)
class Loss:
    """One failed request of the treatment.

    at_ns: when it failed; for time-outs, when it was sent. ip: the target that the load balancer chose, "" when none
    is known. server: who answered, "" when nobody did. verb: what became of it, as in "3 requests <verb>".
    """

    row: int
    at_ns: int
    sent_ns: int
    verb: str
    cause: str
    ip: str
    server: str

    @property
    def under_way(self) -> bool:
        """It had a connection: what was refused never had one."""
        return self.verb != "refused"


def records_of(history: History) -> Records:
    """The load balancer's records, to be found by request."""
    return {(record.pair, int(record.side)): record for record in history.lb_records}


def loss_of(history: History, pairs: Pairs, records: Records, row: int) -> Loss:
    """The failed treatment of `row`."""
    side, columns = pairs.treatment(row)
    record = records.get((int(pairs.pair[row]), int(side)))
    failure = Failure(int(columns.failure[row])) if int(columns.failure[row]) in list(Failure) else Failure.OTHER
    sent, ended = int(columns.sent_ns[row]), int(columns.ended_ns[row])
    status = record.status if record is not None and record.status else int(columns.status[row])
    cause = record.cause if record is not None else ""
    verb = _VERBS.get(cause) or _FAILURE_VERBS.get(failure) or (f"answered {status}" if status else "lost")
    if cause == "no-target":
        verb = f"answered {status} for want of a target" if status else "lost for want of a target"
    served = int(columns.served_by[row])
    server = history.servers[served] if 0 < served < len(history.servers) else ""
    target = record.target if record is not None else ""
    waited = failure is Failure.TIMEOUT or cause in ("connect-timeout", "target-timeout")
    at_ns = sent if waited else (record.t_ns if record is not None else ended or sent)
    if failure is Failure.NOT_SENT:
        verb, at_ns = "not sent, too many were under way", sent
    return Loss(row, at_ns, sent, verb, cause, target.rpartition(":")[0] or target, server)
