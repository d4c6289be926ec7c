"""Watches what autoscalers see and how many pods are wanted: `scale.observed`, `scale.wanted`.

Any HorizontalPodAutoscaler is read, whoever made it (KEDA makes one from each ScaledObject). Its controller looks every
15 s, and writes its status then, so what is observed here is up to 15 s behind what its metric says; the moment is that
of receipt. What is wanted is the Deployment's own number of replicas: a controller writes it before its own status, and
two sources of one number would contradict each other for a moment at each change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from shiftproof.adapters.kubernetes import paths
from shiftproof.adapters.kubernetes.changes import Json, Remembering, happening
from shiftproof.adapters.kubernetes.pods import condition
from shiftproof.adapters.kubernetes.streams import StreamsWatcher, WatchedList
from shiftproof.model.history import Happening
from shiftproof.ports import Clock

if TYPE_CHECKING:
    from kubernetes.client.api_client import ApiClient

SOURCES = {
    "Resource": "resource",
    "ContainerResource": "containerResource",
    "Pods": "pods",
    "Object": "object",
    "External": "external",
}
"""Types of metrics, and the field in which each has its own."""

RATIO_DIGITS = 3
"""A difference in a thousandth is no change worth a line."""

Ratios = Mapping[str, float | None]


class ScaleWatcher(StreamsWatcher):
    """Autoscalers and Deployments of some namespaces. Implements ports.Watcher."""

    def __init__(self, client: ApiClient, namespaces: Sequence[str], clock: Clock) -> None:
        super().__init__(client, clock, list(_sources(namespaces)), "scaling")


def _sources(namespaces: Sequence[str]) -> Iterator[WatchedList]:
    for name in dict.fromkeys(namespaces):
        scalers = paths.grouped("autoscaling/v2", name, "horizontalpodautoscalers")
        yield WatchedList(f"autoscalers of {name}", scalers, AutoscalerReader())
        deployments = paths.grouped("apps/v1", name, "deployments")
        yield WatchedList(f"deployments of {name}", deployments, DeploymentReader())


class AutoscalerReader(Remembering):
    """scale.observed, of each metric whose ratio has changed. One that goes can read nothing any more."""

    def _present(self, t_ns: int, thing: Json) -> Iterator[Happening]:
        yield from self._told(t_ns, None, thing)

    def _told(self, t_ns: int, old: Json | None, new: Json) -> Iterator[Happening]:
        before: Ratios = ratios(old) if old is not None else {}
        for metric, ratio in ratios(new).items():
            if metric not in before or before[metric] != ratio:
                yield _observed(t_ns, new, metric, ratio, _why_blind(new) if ratio is None else "")

    def _gone(self, t_ns: int, thing: Json) -> Iterator[Happening]:
        for metric in ratios(thing):
            yield _observed(t_ns, thing, metric, None, "the autoscaler is gone")


class DeploymentReader(Remembering):
    """scale.wanted, once for each and at each change."""

    def _present(self, t_ns: int, thing: Json) -> Iterator[Happening]:
        yield _wanted(t_ns, thing, _replicas(thing))

    def _told(self, t_ns: int, old: Json | None, new: Json) -> Iterator[Happening]:
        if old is None or _replicas(old) != _replicas(new):
            yield _wanted(t_ns, new, _replicas(new))

    def _gone(self, t_ns: int, thing: Json) -> Iterator[Happening]:
        yield _wanted(t_ns, thing, 0)


def ratios(scaler: Json) -> Ratios:
    """What it sees of each metric relative to its target, by the metric's name: 1 where no change is needed.

    None: it cannot read it, or has not yet. The status may keep a value that was read before, so its condition
    ScalingActive is asked first.
    """
    status = scaler.get("status", {})
    now = {_key(one): one for one in status.get("currentMetrics") or () if one.get("type") in SOURCES}
    blind = condition(scaler, "ScalingActive").get("status") == "False"
    return {
        _name(one): None if blind else _ratio(one, now.get(_key(one)))
        for one in scaler["spec"].get("metrics") or ()
        if one.get("type") in SOURCES
    }


def _ratio(wanted: Json, now: Json | None) -> float | None:
    """Of the first value that the target has and the status knows: averageUtilization, averageValue, value."""
    if now is None:
        return None
    target, current = _own(wanted).get("target", {}), _own(now).get("current", {})
    for field in ("averageUtilization", "averageValue", "value"):
        if target.get(field) is not None and current.get(field) is not None:
            aim = number(target[field])
            return round(number(current[field]) / aim, RATIO_DIGITS) if aim > 0 else None
    return None


def number(quantity: object) -> float:
    """As Kubernetes writes numbers: 70, "28500m", "1k"."""
    from kubernetes.utils.quantity import parse_quantity

    return float(parse_quantity(quantity))  # type: ignore[no-untyped-call]


def _own(metric: Json) -> Mapping[str, Any]:
    found: Mapping[str, Any] = metric.get(SOURCES[metric["type"]]) or {}
    return found


def _key(metric: Json) -> tuple[str, str, str]:
    """By what a metric of the spec is found in the status: their order is the controller's own business."""
    own = _own(metric)
    about = own.get("describedObject") or {}
    return str(metric["type"]), _name(metric), str(own.get("container") or about.get("name") or "")


def _name(metric: Json) -> str:
    own = _own(metric)
    return str(own.get("name") or (own.get("metric") or {}).get("name") or metric["type"])


def _why_blind(scaler: Json) -> str:
    said = condition(scaler, "ScalingActive")
    return ": ".join(str(said[key]) for key in ("reason", "message") if said.get(key)) or "no value yet"


def _observed(t_ns: int, scaler: Json, metric: str, ratio: float | None, why: str) -> Happening:
    name = str(scaler["metadata"]["name"])
    workload = str(scaler["spec"]["scaleTargetRef"]["name"])
    where = {"namespace": str(scaler["metadata"].get("namespace", "")), "workload": workload}
    reason = {"reason": why} if why else {}
    return happening(t_ns, "scale.observed", f"autoscaler/{name}", why, metric=metric, ratio=ratio, **where, **reason)


def _wanted(t_ns: int, deployment: Json, replicas: int) -> Happening:
    metadata = deployment["metadata"]
    namespace = str(metadata.get("namespace", ""))
    return happening(t_ns, "scale.wanted", f"deployment/{metadata['name']}", replicas=replicas, namespace=namespace)


def _replicas(deployment: Json) -> int:
    """The API server fills in 1 where none is written."""
    found = deployment["spec"].get("replicas")
    return 1 if found is None else int(found)
