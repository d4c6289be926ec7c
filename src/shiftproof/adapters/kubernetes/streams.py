"""Watches lists of the API, and records what their readers make of each change, on the run clock.

One thread a stream. A stream that ends is taken up where it stopped; when the API server no longer remembers that place
(410) everything is listed anew, and `problem()` says that the record has a gap.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import urllib3

from shiftproof.adapters.kubernetes.api import Api, KubernetesError, WatchStream
from shiftproof.adapters.kubernetes.changes import Reader
from shiftproof.errors import MeasureError
from shiftproof.model.history import WATCH_GAP, Happening, Source
from shiftproof.ports import Clock

if TYPE_CHECKING:
    from kubernetes.client.api_client import ApiClient

STREAM_S = 240
RETRY_S = 0.1
LATE_S = 1.0  # a stream away for longer: what it then brings was received late, so its times are not to be trusted
START_WITHIN_S = 15.0


@dataclass(slots=True)
class WatchedList:
    """One list of the API that is watched. version: the place reached in its changes, "" when it must be listed.

    away_since_ns: when its stream broke, None while it is whole.
    """

    name: str
    path: str
    reader: Reader
    query: Mapping[str, str] = field(default_factory=dict)
    version: str = ""
    away_since_ns: int | None = None


class StreamsWatcher:
    """Implements ports.Watcher. Its threads take a clock that is not cut short (see gate.clock).

    name: what its gaps are called by, `watcher/NAME`.
    """

    def __init__(self, client: ApiClient, clock: Clock, sources: Sequence[WatchedList], name: str) -> None:
        self._api = Api(client)
        self._clock = clock
        self._name = name
        self._sources = tuple(sources)
        self._lock = threading.Lock()
        self._seen: list[Happening] = []
        self._problems: list[str] = []
        self._streams: dict[str, WatchStream] = {}
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Returns once every list was read and its watch is about to be open; raises MeasureError when one was not."""
        listed = {source.name: threading.Event() for source in self._sources}
        for source in self._sources:
            thread = threading.Thread(
                target=self._run, args=(source, listed[source.name]), name=f"watch-{source.name}", daemon=True
            )
            self._threads.append(thread)
            thread.start()
        late = [name for name, event in listed.items() if not event.wait(START_WITHIN_S)]
        if late:
            self.stop()
            raise MeasureError(f"watching {', '.join(late)} did not start: {self.problem() or 'no answer'}")

    def stop(self) -> None:
        """End the streams and wait for their threads. Safe to call twice."""
        self._stop.set()
        with self._lock:
            streams = list(self._streams.values())
        for stream in streams:
            stream.close()
        for thread in self._threads:
            thread.join(timeout=5)

    def happenings(self) -> Sequence[Happening]:
        with self._lock:
            return sorted(self._seen, key=lambda happening: happening.t_ns)

    def problem(self) -> str | None:
        with self._lock:
            return "; ".join(self._problems) or None

    def _run(self, source: WatchedList, listed: threading.Event) -> None:
        """A thread's top: whatever ends it before its time is said, since a thread that dies says nothing by itself."""
        try:
            self._watch(source, listed)
        except Exception as error:  # noqa: BLE001 (a fault of our own here must leave a gap in the record, not silence)
            self._note(f"the watch of {source.name} ended: {type(error).__name__}: {error}")

    def _watch(self, source: WatchedList, listed: threading.Event) -> None:
        while not self._stop.is_set():
            try:
                if not source.version:
                    self._list(source, first=not listed.is_set())
                    listed.set()
                self._follow(source)
            except (KubernetesError, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                if self._stop.is_set():
                    return
                self._broken(source, error, listed=listed.is_set())
            self._stop.wait(RETRY_S)
        if source.away_since_ns is not None:
            self._note(f"the watch of {source.name} was still broken at the end")

    def _list(self, source: WatchedList, *, first: bool) -> None:
        found = self._api.get(source.path, **source.query)
        t_ns = self._clock.now_ns()
        self._keep(source, lambda: source.reader.listed(t_ns, found["items"], first=first))
        source.version = str(found["metadata"]["resourceVersion"])

    def _follow(self, source: WatchedList) -> None:
        """Follow one stream to its end. Raises KubernetesError with status 410 when the place is lost."""
        stream = self._api.watch(source.path, source.version, STREAM_S, **source.query)
        self._back(source)
        with self._lock:
            self._streams[source.name] = stream
        if self._stop.is_set():  # stop() may have looked just before the stream was there to be closed
            stream.close()
            return
        for change in stream:
            t_ns = self._clock.now_ns()
            thing: dict[str, Any] = change["object"]
            if change["type"] == "ERROR":
                raise KubernetesError(f"watch: {thing.get('message', '')}", status=int(thing.get("code", 500)))
            if change["type"] != "BOOKMARK":
                self._keep(source, partial(source.reader.changed, t_ns, change["type"], thing))
            source.version = str(thing["metadata"]["resourceVersion"])

    def _broken(self, source: WatchedList, error: Exception, *, listed: bool) -> None:
        if source.away_since_ns is None:
            source.away_since_ns = self._clock.now_ns()
        if isinstance(error, KubernetesError) and error.status == 410:
            source.version = ""
            self._note(f"the watch of {source.name} lost its place and was listed anew: it has a gap")
        elif not listed:
            self._note(f"{source.name}: {error}")

    def _back(self, source: WatchedList) -> None:
        """The stream is open (again): say so when what it missed will come too late to be timed."""
        if source.away_since_ns is None:
            return
        away_s = (self._clock.now_ns() - source.away_since_ns) / 1e9
        source.away_since_ns = None
        if away_s > LATE_S:
            self._note(f"the watch of {source.name} was away for {away_s:.1f} s: what it missed has late times")

    def _keep(self, source: WatchedList, read: Callable[[], Sequence[Happening]]) -> None:
        """What the reader makes of a change. One that it cannot read is a gap, and the next one is read all the same:

        taking the stream up again where it stopped would meet the same change again, for ever.
        """
        try:
            told = read()
        except Exception as error:  # noqa: BLE001 (what a server sends may trip a reader in any way)
            self._note(f"the watch of {source.name} could not read a change: {type(error).__name__}: {error}")
            return
        with self._lock:
            self._seen.extend(told)

    def _note(self, problem: str) -> None:
        gap = Happening(
            self._clock.now_ns(), Source.KUBERNETES, WATCH_GAP, f"watcher/{self._name}", problem, {"problem": problem}
        )
        with self._lock:
            if problem not in self._problems:
                self._problems.append(problem)
                self._seen.append(gap)
