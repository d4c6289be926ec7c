"""One line of JSON a conversation, gathered in memory and written with the events.

The file holds whole lines only as far as its last newline says: a reader leaves the rest for the next time.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

from shiftproof.model.probe import ProbeRecord


class ProbeLog:
    """Same use as the Recorder: `add` at any time, `gather` on the loop, `write` on a thread that may wait."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._buffer = bytearray()
        self._outgoing = bytearray()
        self.recorded = 0

    def add(self, record: ProbeRecord) -> None:
        """One conversation that has ended."""
        self._buffer += json.dumps(asdict(record), separators=(",", ":")).encode() + b"\n"
        self.recorded += 1

    def gather(self) -> None:
        """Hand over to `write` what was added since."""
        self._outgoing += self._buffer
        self._buffer = bytearray()

    def write(self) -> None:
        """Write what was gathered. Raises OSError with everything kept that was not written."""
        if self._outgoing and self._file is None:  # a load that holds no conversation leaves no file
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
            self._file = os.open(self._path, flags, 0o644)
        while self._outgoing and self._file is not None:
            written = os.write(self._file, self._outgoing)
            del self._outgoing[:written]

    def flush(self) -> None:
        self.gather()
        self.write()

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
