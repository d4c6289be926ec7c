"""What master and workers say to each other beside Locust's own messages: names, and the fields of each.

CLOCK    to the worker {sent_ns}; back {sent_ns, read_ns}: both its own monotonic clocks
PART     to the worker: a Part as a dict
READY    back {}: it has its part
BEGIN    to the worker {start_ns}: when the event begins, on the run clock
RECORDS  to the master {names: [server, …], records: bytes}: whole records; names are new ones, in order of index
STOP     to the worker {}: send nothing that is due from now on
ACCOUNT  to the master: an Account as a dict, when its part is over
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CLOCK = "shiftproof-clock"
PART = "shiftproof-part"
READY = "shiftproof-ready"
BEGIN = "shiftproof-begin"
RECORDS = "shiftproof-records"
STOP = "shiftproof-stop"
ACCOUNT = "shiftproof-account"


@dataclass(frozen=True, slots=True)
class Part:
    """What one worker is to send. plan: a LoadPlan as a dict, its anchor the worker's own: with it added, the
    worker's monotonic clock is the run clock. points: (seconds, rate a second) of the whole event, of which it sends
    numbers part, part + parts, …"""

    plan: Mapping[str, Any]
    points: tuple[tuple[float, float], ...]
    part: int
    parts: int


@dataclass(frozen=True, slots=True)
class Account:
    """What a worker says of itself at its end, to be held against the records that came."""

    scheduled: int
    recorded: int
    late: int
    problem: str | None
