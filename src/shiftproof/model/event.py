"""The record of one request, as the load child writes it and every judge reads it.

One fixed binary record a request (40 bytes), because text or JSON would cost the load more time than the
request itself, and because Locust's own outputs round response times.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt


class Side(IntEnum):
    """Which way a request went; append only. The first three are pairs and triples; CUSTOMER takes the customers' rule.

    EXTRA_*: single requests that only raise the load of one side to a declared peak; never part of a pair.
    """

    LEGACY = 0
    CLUSTER = 1
    WEIGHTED = 2
    CUSTOMER = 3
    EXTRA_LEGACY = 4
    EXTRA_CLUSTER = 5

    @property
    def rule(self) -> str | None:
        """The rehearsal rule that its requests take; None: the customers'."""
        return _RULES[self]


_RULES = {
    Side.LEGACY: "legacy",
    Side.CLUSTER: "cluster",
    Side.WEIGHTED: "weighted",
    Side.CUSTOMER: None,
    Side.EXTRA_LEGACY: "legacy",
    Side.EXTRA_CLUSTER: "cluster",
}
EXTRA = {Side.LEGACY: Side.EXTRA_LEGACY, Side.CLUSTER: Side.EXTRA_CLUSTER}
"""The side of single requests that raise the load of a side."""

WITH_COOKIES = 1
"""Bit of `flags`: the request carried cookies of an earlier answer, so a sticky load balancer may not have chosen."""


class Failure(IntEnum):
    """Why a request failed; NONE means it succeeded. The order is part of the file format: append only."""

    NONE = 0
    STATUS = 1  # an answer came, with a status that the operation does not allow
    REFUSED = 2  # connection refused
    RESET = 3  # connection reset or closed before a whole answer
    TIMEOUT = 4  # no whole answer within the time-out
    NOT_SENT = 5  # this side's cap on requests in flight was full: failed load, charged to its own side
    BODY = 6  # a status that is allowed, with an answer that is wrong
    OTHER = 7


#: `pair` numbers the pair (or triple) from 0 up; equal for all its sides. `sent_ns - intended_ns` is the lateness
#: of our own load generator, `ended_ns - intended_ns` the latency (open loop: from the intended start).
#: `operation` indexes the plan's operations, `served_by` the recorder's table of server names (0: unknown).
#: `client` numbers the account, from 1, that the request was made for (0: unknown); `flags` see WITH_COOKIES.
#: The record's size stays; what is added comes out of `spare`, which is 0 in files from before.
EVENT_DTYPE = np.dtype(
    [
        ("pair", "<u4"),
        ("status", "<u2"),
        ("side", "u1"),
        ("operation", "u1"),
        ("intended_ns", "<i8"),
        ("sent_ns", "<i8"),
        ("ended_ns", "<i8"),
        ("served_by", "<u2"),
        ("failure", "u1"),
        ("flags", "u1"),
        ("client", "<u2"),
        ("spare", "u1", (2,)),
    ]
)
assert EVENT_DTYPE.itemsize == 40

Events = npt.NDArray[np.void]


def no_events() -> Events:
    """An empty event array."""
    return np.empty(0, dtype=EVENT_DTYPE)


def request_id(pair: int, side: Side | int) -> str:
    """The id that a request carries in `x-shiftproof-id`, and that the load balancer logs."""
    return f"{pair}-{int(side)}"
