"""What the gate lends to adapters: a clock to wait by, and a journal for what has to be undone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Clock(Protocol):
    """The run clock: wall-clock nanoseconds that never step, and a sleep that may be cut short by an exception.

    The gate's clock raises ClearFail out of `sleep` once a sequential test has decided, so every adapter that waits
    must wait with it and must stay correct when it raises.
    """

    def now_ns(self) -> int: ...

    def sleep(self, seconds: float) -> None: ...


class UndoLog(Protocol):
    """What adapters see of the undo journal (shiftproof.safety.journal.Journal)."""

    def record(self, *, kind: str, subject: str, undo: Mapping[str, Any], lease_s: float) -> str: ...

    def done(self, entry_id: str) -> None: ...
