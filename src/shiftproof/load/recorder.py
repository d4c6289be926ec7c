"""One fixed binary record a request, gathered in memory and written every 100 ms.

Locust's own outputs round response times, and text costs more than the request. The file holds whole records only as
far as its length says: a reader cuts off what is not whole yet.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Protocol

from shiftproof.load.answer import Answer
from shiftproof.load.schedule import Slot
from shiftproof.model.event import EVENT_DTYPE

LATE_NS = 20_000_000
RECORD = struct.Struct("<IHBBqqqHBBH2x")  # EVENT_DTYPE, field by field; a test holds the two against each other
if EVENT_DTYPE.itemsize != RECORD.size:
    raise ImportError("the record and the event's dtype differ")
SERVERS_MAX = 65_535
NAME_MAX = 120


class Sink(Protocol):
    """Where records go: the names of servers, each before the first record that uses it, and the records."""

    def write_name(self, name: str) -> None: ...

    def write_records(self, records: bytearray) -> int:
        """How many bytes were taken; the rest is offered again. Raises OSError (a full disk)."""
        ...

    def close(self) -> None: ...


class FileSink:
    """Implements Sink. servers_path: one name a line, the first (index 1) at line 1; index 0 is unknown."""

    def __init__(self, events_path: Path, servers_path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
        self._events = os.open(events_path, flags, 0o644)
        self._servers = os.open(servers_path, flags, 0o644)

    def write_name(self, name: str) -> None:
        os.write(self._servers, name.encode("utf-8", "replace") + b"\n")

    def write_records(self, records: bytearray) -> int:
        return os.write(self._events, records)

    def close(self) -> None:
        os.close(self._events)
        os.close(self._servers)


class Recorder:
    """Hands records and the names of servers to a sink; counts what it recorded."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._buffer = bytearray()
        self._outgoing = bytearray()
        self._index_of: dict[str, int] = {"": 0}
        self.recorded = 0
        self.late = 0

    def add(
        self,
        slot: Slot,
        side: int,
        operation: int,
        answer: Answer,
        times_ns: tuple[int, int],
        client: tuple[int, int] = (0, 0),
    ) -> None:
        """One request. operation: its index, which may differ from the slot's; times_ns: sent, ended; client: its
        number from 1 (0: unknown), and flags."""
        server = self._index_of.get(answer.served_by)
        if server is None:
            server = self._new_server(answer.served_by)
        sent_ns, ended_ns = times_ns
        intended_ns = slot.intended_ns
        number, flags = client
        self._buffer += RECORD.pack(
            slot.index,
            answer.status,
            side,
            operation,
            intended_ns,
            sent_ns,
            ended_ns,
            server,
            answer.failure,
            flags,
            number,
        )
        self.recorded += 1
        if sent_ns - intended_ns > LATE_NS:
            self.late += 1

    def gather(self) -> None:
        """Hand over to `write` what was added since."""
        self._outgoing += self._buffer
        self._buffer = bytearray()

    def write(self) -> None:
        """Write what was gathered; may run on another thread, but never while gathering.

        Raises OSError (a full disk) with everything kept that was not written.
        """
        while self._outgoing:
            del self._outgoing[: self._sink.write_records(self._outgoing)]

    def flush(self) -> None:
        self.gather()
        self.write()

    def close(self) -> None:
        self._sink.close()

    def _new_server(self, name: str) -> int:
        if len(self._index_of) > SERVERS_MAX:
            return 0
        self._sink.write_name("".join(char for char in name if char.isprintable())[:NAME_MAX])
        index = len(self._index_of)
        self._index_of[name] = index
        return index
