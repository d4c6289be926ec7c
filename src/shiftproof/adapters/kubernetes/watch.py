"""Watches what a service's pods and the nodes do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from shiftproof.adapters.kubernetes import paths
from shiftproof.adapters.kubernetes.changes import EndpointReader, PodReader, WarningReader
from shiftproof.adapters.kubernetes.node_changes import NodeReader
from shiftproof.adapters.kubernetes.streams import StreamsWatcher, WatchedList
from shiftproof.adapters.kubernetes.throttling import throttled
from shiftproof.ports import Clock

if TYPE_CHECKING:
    from kubernetes.client.api_client import ApiClient

_WARNINGS = "type=Warning"


class KubernetesWatcher(StreamsWatcher):
    """Pods, endpoints and warnings of the service's namespace, and the nodes.

    also: namespaces of workers, which have pods and no endpoints. Each costs two streams, and a gate has none.
    """

    def __init__(self, client: ApiClient, namespace: str, clock: Clock, also: Sequence[str] = ()) -> None:
        super().__init__(client, clock, [*_of_service(namespace), *_of_workers(namespace, also)], "kubernetes")
        self._namespace = namespace

    def stop(self) -> None:
        """Ask who was throttled, end the streams and wait for their threads. Safe to call twice."""
        if self._threads and not self._stop.is_set():
            told = throttled(self._api, self._namespace, self._clock.now_ns())
            with self._lock:
                self._seen.extend(told)
        super().stop()


def _of_service(namespace: str) -> tuple[WatchedList, ...]:
    return (
        WatchedList("pods", paths.pods(namespace), PodReader()),
        WatchedList(
            "endpointslices", paths.grouped("discovery.k8s.io/v1", namespace, "endpointslices"), EndpointReader()
        ),
        WatchedList("nodes", paths.NODES, NodeReader()),
        WatchedList("events", paths.core(namespace, "events"), WarningReader(), {"fieldSelector": _WARNINGS}),
        # Events about nodes are kept in the namespace "default".
        WatchedList(
            "node-events",
            paths.core("default", "events"),
            WarningReader(),
            {"fieldSelector": f"{_WARNINGS},involvedObject.kind=Node"},
        ),
    )


def _of_workers(service: str, namespaces: Sequence[str]) -> Iterator[WatchedList]:
    for name in dict.fromkeys(namespaces):
        if name == service:
            continue
        yield WatchedList(f"pods of {name}", paths.pods(name), PodReader())
        events = paths.core(name, "events")
        yield WatchedList(f"events of {name}", events, WarningReader(), {"fieldSelector": _WARNINGS})
