"""A load event as a Locust shape whose rates, not users, are what it says; and how one is read from loadprofiles/."""

from __future__ import annotations

# isort: off
from locust import LoadTestShape  # first of all: importing locust patches the standard library
# isort: on

import importlib.util
import traceback
from pathlib import Path
from typing import ClassVar

from shiftproof.errors import ConfigError
from shiftproof.model.load_event import LoadEvent, Piece

ENDS_AFTER_S = 30.0
"""Beyond the event's own end: what is in flight comes back, and each worker gives its account."""


class RateShape(LoadTestShape):
    """Write `title`, `begin` and `pieces` (see model/load_event.py); rates are shares of the service's declared peak.

    To Locust it is one user a worker from beginning to end: an open loop needs no more, and a number of users that
    each wait for their answers would be a closed one. Each worker sends its part of the rates (load/event).
    """

    abstract: ClassVar[bool] = True
    title: ClassVar[str]
    begin: ClassVar[float]
    pieces: ClassVar[tuple[Piece, ...]]
    workers: int = 1

    @classmethod
    def event(cls, name: str) -> LoadEvent:
        """What it describes. Raises ValueError for what is no event."""
        return LoadEvent(name, cls.title, cls.begin, tuple(cls.pieces))

    def tick(self) -> tuple[int, float] | None:
        ran_s: float = self.get_run_time()  # type: ignore[no-untyped-call]  # Locust's own, without types
        if ran_s > sum(piece.seconds for piece in self.pieces) + ENDS_AFTER_S:
            return None
        return self.workers, float(self.workers)


def read_shape(file: Path) -> tuple[type[RateShape], LoadEvent]:
    """The one shape in a file, and its event, named after the file, with hyphens. Raises ConfigError with its line."""
    spec = importlib.util.spec_from_file_location(f"loadprofiles.{file.stem.replace('-', '_')}", file)
    if spec is None or spec.loader is None or not file.is_file():
        raise ConfigError("there is no such load profile", file=file)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ConfigError(f"{type(error).__name__}: {error}", file=file, line=_line(error, file)) from error
    shapes = [
        found
        for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, RateShape) and found.__module__ == module.__name__
    ]
    if len(shapes) != 1:
        raise ConfigError(f"one RateShape is wanted in a load profile, this has {len(shapes)}", file=file)
    try:
        return shapes[0], shapes[0].event(file.stem.replace("_", "-"))
    except (AttributeError, TypeError, ValueError) as error:
        raise ConfigError(f"{shapes[0].__name__}: {error}", file=file) from error


def _line(error: Exception, file: Path) -> int | None:
    """Where in the file it went wrong."""
    if isinstance(error, SyntaxError):
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno for frame in reversed(frames) if frame.filename == str(file)), None)
