"""When a workload of any kind has settled: its newest template is all that runs, and all of it is healthy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shiftproof.adapters.kubernetes import paths
from shiftproof.adapters.kubernetes.api import Api
from shiftproof.adapters.kubernetes.pods import HOPELESS, is_ready, is_terminating, troubles, waiting

_WANTED = {"DaemonSet": "desiredNumberScheduled"}
_COUNTS = {
    "Deployment": ("updatedReplicas", "replicas", "availableReplicas"),
    "StatefulSet": ("updatedReplicas", "replicas", "readyReplicas"),
    "DaemonSet": ("updatedNumberScheduled", "numberAvailable"),
}


@dataclass(frozen=True, slots=True)
class Unsettled:
    """Why a workload has not settled. `seen`: its controller knows the change. `hopeless`: no waiting will mend it."""

    problem: str
    seen: bool
    hopeless: bool

    def __str__(self) -> str:
        return self.problem


def unsettled(api: Api, kind: str, workload: Mapping[str, Any] | None) -> Unsettled | None:
    """What is missing, with the pods' own reasons; None when it has settled, is not there, or is no workload."""
    if kind not in _COUNTS or workload is None:
        return None
    pods = api.items(
        paths.pods(workload["metadata"]["namespace"]),
        labelSelector=paths.selector_text(workload["spec"]["selector"]),
    )
    seen = _is_seen(workload)
    hopeless = any(waiting(pod)[0] in HOPELESS for pod in pods if not is_terminating(pod))
    problem = counts_problem(kind, workload) if seen else "its controller has not seen the change yet"
    if problem is not None:
        return Unsettled("; ".join(said for said in (problem, troubles(pods)) if said), seen, hopeless)
    leaving = sum(is_terminating(pod) for pod in pods)
    unready = sum(not is_ready(pod) for pod in pods)
    if leaving or unready:
        return Unsettled(f"{leaving} pods are leaving, {unready} are not ready", seen, hopeless)
    return None


def counts_problem(kind: str, workload: Mapping[str, Any]) -> str | None:
    """The controller's own counts against what is wanted, in words. Pure."""
    status = workload.get("status") or {}
    wanted = int(status.get(_WANTED[kind], 0) if kind in _WANTED else workload["spec"].get("replicas", 1))
    short = [f"{key} {status.get(key, 0)}" for key in _COUNTS[kind] if int(status.get(key, 0)) != wanted]
    return f"of {wanted} wanted: {', '.join(short)}" if short else None


def _is_seen(workload: Mapping[str, Any]) -> bool:
    seen = int((workload.get("status") or {}).get("observedGeneration", 0))
    return seen >= int(workload["metadata"].get("generation", 1))
