"""One tree of errors, so that "the service failed" is never mistaken for "we could not measure".

ShiftproofError
├── UserError             what was asked for cannot be: exit 3, one line that says what to do
│   ├── ConfigError       a file that a person wrote is wrong: carries file and line
│   └── RefusedError      understood, and refused: a peak window, a guard, no change to make
├── SetupError            our own set-up is not there or broke: exit 3
│   ├── LabError          the lab is not up, or a part of it would not start
│   ├── LockHeldError     somebody else is at work: says who
│   └── UndoError         something we changed could not be put back: says what is left
├── MeasureError          we could not measure: INCONCLUSIVE, never FAIL and never PASS
│   ├── LoadError         load not delivered, events lost or cut short
│   └── FaultError        a fault that did not take effect, or an undo that did not
└── ServiceFault          the service failed: FAIL
    └── ClearFail         decided already while the phase ran: the rest need not be run
"""

from __future__ import annotations

from pathlib import Path


class ShiftproofError(Exception):
    """Base of all. `str()` is one clear sentence; `hint` is the command or change that mends it."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    def one_line(self) -> str:
        return f"{self}  ->  {self.hint}" if self.hint else str(self)


class UserError(ShiftproofError):
    """Bad input. The person can mend it."""


class ConfigError(UserError):
    """A file written by a person is wrong at `line` (1-based; None where no line can be named)."""

    def __init__(self, message: str, *, file: Path | str, line: int | None = None, hint: str | None = None) -> None:
        where = f"{file}:{line}" if line is not None else f"{file}"
        super().__init__(f"{where}: {message}", hint=hint)
        self.file = Path(file)
        self.line = line


class RefusedError(UserError):
    """Understood and refused; the message says why and when or how it would be allowed."""


class SetupError(ShiftproofError):
    """Shiftproof's own set-up is missing or broken. Never a statement about the service."""


class LabError(SetupError):
    """The lab is not up, or one of its parts would not start or answer."""


class LockHeldError(SetupError):
    """Another gate, shift or recover holds the lock; the message names holder, pid and since when."""


class UndoError(SetupError):
    """Something changed could not be put back; the message lists what is left and how to undo it."""


class MeasureError(ShiftproofError):
    """We could not measure. Turns into INCONCLUSIVE with this reason."""


class LoadError(MeasureError):
    """The load was not delivered as planned, or its record is incomplete."""


class FaultError(MeasureError):
    """A fault did not take effect, or its undo did not; nothing was proven by it."""


class ServiceFault(ShiftproofError):
    """The service under test failed. Turns into FAIL with this reason."""


class ClearFail(ServiceFault):
    """A sequential test already decided FAIL; raised at the next wait so that the drill stops early."""
