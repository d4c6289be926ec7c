"""Emptying a node through the Eviction API, as `kubectl drain` does, with the refusals of budgets counted."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shiftproof.adapters.kubernetes import KubernetesError, paths
from shiftproof.adapters.kubernetes.pods import is_terminating, name_of
from shiftproof.chaos.scene import Scene, wait_for
from shiftproof.errors import FaultError

Json = dict[str, Any]

AGAIN_AFTER_S = 0.25
GONE_WITHIN_S = 60.0
_MIRROR = "kubernetes.io/config.mirror"


@dataclass(frozen=True, slots=True)
class Drained:
    """Pods evicted, each with when it was (ns of CLOCK_MONOTONIC); how often a budget refused; and why pods of the

    service could not go, if so.
    """

    evicted: Mapping[str, int]
    refused: int
    problem: str | None


def evict_all(at: Scene, node: str, deadline_s: float) -> Drained:
    """Evict every pod on `node` that a drain moves, and wait until they are gone.

    Raises FaultError when there is none, when a pod that is not the service's cannot go, or when one does not end.
    """
    left = pods_to_move(at, node)
    if not left:
        raise FaultError(f"there is no pod to evict on {node}")
    own = {name_of(pod) for pod in at.pods()}
    going: list[Json] = []
    evicted: dict[str, int] = {}
    refused = 0
    words = ""
    give_up = time.monotonic() + deadline_s
    while left:
        still: list[Json] = []
        for pod in left:
            asked_ns = time.monotonic_ns()
            said = _evict(at, pod)
            if said is None:
                going.append(pod)
                evicted[name_of(pod)] = asked_ns
            else:
                words, refused = said, refused + 1
                still.append(pod)
        left = still
        if left and time.monotonic() >= give_up:
            return _blocked(left, own, evicted, refused, f"{deadline_s:g} s: {words}")
        if left:
            time.sleep(AGAIN_AFTER_S)
    _wait_gone(at, going)
    return Drained(evicted, refused, None)


def pods_to_move(at: Scene, node: str) -> list[Json]:
    """All pods on the node in all namespaces, less those of DaemonSets, static ones, and those that have ended."""
    on_node = at.api.items("/api/v1/pods", fieldSelector=f"spec.nodeName={node}")
    return [pod for pod in sorted(on_node, key=name_of) if _moves(pod)]


def _moves(pod: Json) -> bool:
    owners = pod["metadata"].get("ownerReferences") or ()
    if any(owner["kind"] == "DaemonSet" for owner in owners) or _MIRROR in (pod["metadata"].get("annotations") or {}):
        return False
    return pod.get("status", {}).get("phase") not in ("Succeeded", "Failed") and not is_terminating(pod)


def _evict(at: Scene, pod: Json) -> str | None:
    """None when the pod goes or is gone; the API server's words when a budget (or its own load) refuses for now."""
    name, namespace = name_of(pod), pod["metadata"].get("namespace", at.service.namespace)
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": namespace},
        "deleteOptions": {"preconditions": {"uid": pod["metadata"]["uid"]}},
    }
    try:
        at.api.post(f"{paths.pods(namespace)}/{name}/eviction", body)
    except KubernetesError as error:
        if error.status == 429:
            return str(error).split(": 429 ", 1)[-1]
        if error.status in (404, 409):  # gone, or replaced by one of its name: what was wanted
            return None
        raise FaultError(f"pod {name} could not be evicted: {error}") from error
    return None


def _blocked(left: list[Json], own: set[str], evicted: Mapping[str, int], refused: int, words: str) -> Drained:
    names = [name_of(pod) for pod in left]
    problem = f"the drain was refused for {words} (pods {', '.join(names)} could not go)"
    if not own & set(names):
        raise FaultError(problem)
    return Drained(evicted, refused, problem)


def _wait_gone(at: Scene, pods: list[Json]) -> None:
    left = {
        (pod["metadata"].get("namespace", at.service.namespace), name_of(pod)): pod["metadata"]["uid"] for pod in pods
    }

    def gone() -> bool:
        for (namespace, name), uid in list(left.items()):
            found = at.api.find(f"{paths.pods(namespace)}/{name}")
            if found is None or found["metadata"]["uid"] != uid:
                del left[namespace, name]
        return not left

    if not wait_for(gone, GONE_WITHIN_S):
        names = ", ".join(name for _, name in left)
        raise FaultError(f"{names} did not end within {GONE_WITHIN_S:g} s after eviction")
