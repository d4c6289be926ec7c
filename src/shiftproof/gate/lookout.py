"""The thread that gate and rehearsal look with: it takes in what is new, shows it, and keeps what it trips over."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable

from shiftproof.errors import MeasureError, ShiftproofError

_LOG = logging.getLogger(__name__)


class Lookout(ABC):
    """Takes in and looks, every `tick_s`. `checkpoint` is called by the run's clock, and raises what was found."""

    def __init__(self, name: str, tick_s: float) -> None:
        self._name = name
        self._tick_s = tick_s
        self._view_failed = False
        self._found: ShiftproofError | None = None
        self._lock = threading.Lock()  # of what was taken in
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @abstractmethod
    def take_in(self) -> None:
        """Read what is new; to be called once more when the load has stopped."""

    @abstractmethod
    def _look(self) -> None:
        """At what was taken in and at what runs. Raises what is to end the run."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread. Safe to call twice."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def checkpoint(self) -> None:
        """Raises what the thread has found: what looking raised, or MeasureError when the thread itself failed."""
        if self._found is not None and not self._stop.is_set():
            raise self._found

    def _run(self) -> None:
        while not self._stop.wait(self._tick_s):
            try:
                self.take_in()
                self._look()
            except ShiftproofError as error:
                self._found = error
                return
            except Exception as error:  # noqa: BLE001 (a thread that dies says nothing by itself, and nobody decides)
                self._found = MeasureError(f"the {self._name} ended: {type(error).__name__}: {error}")
                return

    def _show(self, tell: Callable[[], None]) -> None:
        """A view that fails is not asked again, and said once; what is measured does not depend on who looks on."""
        if self._view_failed:
            return
        try:
            tell()
        except Exception:  # noqa: BLE001 (the view is not what is measured, so nothing that it does may end the measuring)
            self._view_failed = True
            _LOG.warning("the live view failed and is left out from here on", exc_info=True)
