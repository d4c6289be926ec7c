"""What Prometheus scrapes. Label sets are looked up once and kept, because a lookup costs more than the count."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from payments.admission import Admission

_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.0, 5.0)


class Metrics:
    """Requests by route, method and status; latency by route; what is in flight and what waits."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, admission: Admission) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "payments_requests", "Answered requests.", ("method", "route", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "payments_request_seconds",
            "From the arrival of a request to the end of its answer, waiting included.",
            ("method", "route"),
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        in_flight = Gauge("payments_in_flight", "Requests admitted and not yet answered.", registry=self._registry)
        in_flight.set_function(lambda: admission.in_flight)
        waiting = Gauge("payments_waiting", "Requests that wait to be admitted.", registry=self._registry)
        waiting.set_function(lambda: admission.waiting)
        self._counters: dict[tuple[str, str, int], Counter] = {}
        self._histograms: dict[tuple[str, str], Histogram] = {}

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        counter = self._counters.get((method, route, status))
        if counter is None:
            counter = self._counters[method, route, status] = self._requests.labels(method, route, str(status))
        counter.inc()
        histogram = self._histograms.get((method, route))
        if histogram is None:
            histogram = self._histograms[method, route] = self._seconds.labels(method, route)
        histogram.observe(seconds)

    def text(self) -> bytes:
        """Prometheus' text format."""
        return bytes(generate_latest(self._registry))
