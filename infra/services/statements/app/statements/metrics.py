"""What Prometheus scrapes, and what /live asks."""

from __future__ import annotations

import threading
import time
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

#: produced: written and sent. repeated: it had been, by an earlier delivery. given_back: no time left to finish.
#: failed: the database or the queue did not answer. lost_lease: somebody else has it now. refused: a message that is
#: no job.
Outcome = Literal["produced", "repeated", "given_back", "failed", "lost_lease", "refused"]
OUTCOMES: tuple[Outcome, ...] = ("produced", "repeated", "given_back", "failed", "lost_lease", "refused")

_BUCKETS_S = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """Jobs by what became of them, how long each took, and how many are in hand."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._jobs = Counter(
            "statements_jobs", "Jobs taken, by what became of them.", ("outcome",), registry=self._registry
        )
        for outcome in OUTCOMES:
            self._jobs.labels(outcome)  # there from the start: a rate over a series that is not there is no zero
        self._seconds = Histogram(
            "statements_job_seconds", "From taking a job to its end.", buckets=_BUCKETS_S, registry=self._registry
        )
        self.in_hand = Gauge("statements_in_hand", "Jobs that are worked on.", registry=self._registry)
        self.queue_failures = Counter(
            "statements_queue_failures", "Looks at the queue that failed.", registry=self._registry
        )

    def ended(self, outcome: Outcome, seconds: float) -> None:
        self._jobs.labels(outcome).inc()
        self._seconds.observe(seconds)

    def text(self) -> bytes:
        """Prometheus' text format."""
        return bytes(generate_latest(self._registry))


class Pulse:
    """When each working thread last moved. One that stands still for good is what a restart is for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at_s: dict[int, float] = {}

    def beat(self) -> None:
        """Of the calling thread."""
        with self._lock:
            self._at_s[threading.get_ident()] = time.monotonic()

    def still_s(self) -> float:
        """How long the stillest thread has not moved; 0 while none has begun."""
        with self._lock:
            return time.monotonic() - min(self._at_s.values()) if self._at_s else 0.0
