"""What the master knows of each worker, and the records of all of them in one file."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from shiftproof.load.event.clocks import Offset, Reading
from shiftproof.load.event.messages import Account
from shiftproof.load.recorder import FileSink
from shiftproof.model.event import EVENT_DTYPE


@dataclass(slots=True)
class Worker:
    """One worker as the master knows it. part: None until it was dealt one."""

    id: str
    readings: list[Reading] = field(default_factory=list)
    part: int | None = None
    offset: Offset | None = None
    ready: bool = False
    names: list[str] = field(default_factory=list)
    received: int = 0
    heard_s: float = 0.0
    account: Account | None = None
    lost: bool = False


class Gathering:
    """The records of all workers, in one file of events with one list of servers."""

    def __init__(self, sink: FileSink) -> None:
        self._sink = sink
        self._index_of: dict[str, int] = {"": 0}
        self.recorded = 0

    def add(self, worker: Worker, names: list[str], records: bytes) -> None:
        """Whole records of one worker, whose servers have numbers of their own. Raises OSError (a full disk)."""
        worker.names.extend(names)
        events = np.frombuffer(records, dtype=EVENT_DTYPE).copy()
        ours = np.array([0, *(self._index(name) for name in worker.names)], dtype=np.uint16)
        events["served_by"] = ours[events["served_by"]]
        left = bytearray(events.tobytes())
        while left:
            del left[: self._sink.write_records(left)]
        self.recorded += len(events)
        worker.received += len(events)

    def _index(self, name: str) -> int:
        known = self._index_of.get(name)
        if known is None:
            self._sink.write_name(name)
            known = self._index_of[name] = len(self._index_of)
        return known
