"""Our own actions, noted on the run clock beside all that the watchers see."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from threading import Lock

from shiftproof.model.history import Happening, Source


class Notes:
    """Happenings of source SHIFTPROOF; safe to write from several threads."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self._lock = Lock()
        self._notes: list[Happening] = []

    def add(self, kind: str, subject: str, detail: str = "", **data: object) -> None:
        with self._lock:
            self._notes.append(Happening(self._now_ns(), Source.SHIFTPROOF, kind, subject, detail, data))

    def happenings(self) -> Sequence[Happening]:
        with self._lock:
            return tuple(self._notes)


def merge_timelines(*parts: Sequence[Happening]) -> tuple[Happening, ...]:
    """All happenings of all watchers, by time."""
    return tuple(sorted((happening for part in parts for happening in part), key=lambda h: h.t_ns))


def write_timeline(path: Path, timeline: Sequence[Happening]) -> None:
    """One JSON object a line, for whoever wants to look with their own tools."""
    with path.open("w", encoding="utf-8") as file:
        for happening in timeline:
            file.write(json.dumps(asdict(happening), default=str) + "\n")
