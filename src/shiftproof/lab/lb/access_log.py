"""HAProxy's access log: out of a pipe, into a file of bounded size.

Not HAProxy straight into the file: it makes its standard output non-blocking in a way that turns off appending, so two
of its processes (a reload) would write over each other, and the file could not be cut.
"""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

LIMIT_BYTES = 128 * 1024 * 1024
PIPE_BYTES = 1 << 20
"""Some seconds of lines: they wait here while this process is busy. HAProxy drops a line when it is full."""

PAUSE_S = 0.05
"""Between two looks: lines come in handfuls, and do not wake us one by one."""


class AccessLogPump:
    """Give `write_fd` to HAProxy as its standard output. A line is never split between two files."""

    def __init__(self, path: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        self._path = path
        self._limit_bytes = limit_bytes
        self._read_fd, self.write_fd = os.pipe()
        fcntl.fcntl(self.write_fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="access-log", daemon=True)
        path.touch()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Write down what is left. HAProxy must have ended."""
        self._stop.set()
        os.close(self.write_fd)
        self._thread.join(timeout=5)

    def _run(self) -> None:
        # A line is written to the pipe in one piece (it is shorter than PIPE_BUF), and we take all that there is. A
        # process that leaves says so in a line of its own, which is no request.
        while chunk := os.read(self._read_fd, PIPE_BYTES):
            with self._path.open("ab") as log:
                log.writelines(line for line in chunk.splitlines(keepends=True) if line.startswith(b"{"))
                size = log.tell()
            if size > self._limit_bytes:
                self._path.replace(self._path.with_name(self._path.name + ".1"))
                self._path.touch()
            self._stop.wait(PAUSE_S)
        os.close(self._read_fd)
