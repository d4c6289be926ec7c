"""The orders that a master takes on standard input."""

from __future__ import annotations

import os
import sys
from typing import Protocol

from gevent.event import Event
from gevent.fileobject import FileObjectPosix


class Commanded(Protocol):
    """Who obeys. begun: set once there is nothing more to wait for, be it a beginning or the end."""

    begun: Event

    def begin(self, start_ns: int) -> bool: ...

    def stop(self) -> None: ...

    def broke(self, problem: str) -> None: ...


class Orders:
    """What comes on standard input. Each line is answered with itself once it holds, and only then."""

    def __init__(self, master: Commanded) -> None:
        self._master = master
        self.reason = ""

    def take(self) -> None:
        try:
            for line in FileObjectPosix(sys.stdin.fileno(), "rb", close=False):
                if self._obey(line.decode("ascii", "replace").strip()):
                    os.write(sys.stdout.fileno(), line)
        finally:  # stdin has closed, or nobody reads the answers any more
            self._end("orphan")

    def _obey(self, order: str) -> bool:
        match order.split():
            case ["begin", start_ns] if start_ns.isdigit() and not self._master.begun.is_set():
                return self._master.begin(int(start_ns))
            case ["stop"]:
                self._end("told")
                return True
            case _:
                self._master.broke(f"an order that cannot be followed: {order!r}")
                return False

    def _end(self, reason: str) -> None:
        self.reason = self.reason or reason
        self._master.stop()
        self._master.begun.set()
