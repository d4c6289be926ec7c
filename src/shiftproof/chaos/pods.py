"""Faults of one pod: deleted as a deploy or a scale-in does it, or killed as a crash does."""

from __future__ import annotations

import time
from typing import Any

from shiftproof.adapters.kubernetes import paths
from shiftproof.adapters.kubernetes.pods import containers, name_of, restarts
from shiftproof.chaos.scene import Report, Scene, confirmed, scene, wait_for
from shiftproof.errors import FaultError, RefusedError
from shiftproof.lab.control import LabControl

Json = dict[str, Any]

KILLED = 137  # 128 + SIGKILL: what the kubelet reports of a container that was killed


def delete_pod(within_s: float = 60) -> Report:
    """Delete one ready pod, picked by the seed, with its own grace period; ends when it is gone.

    Raises FaultError when there is none, or when it is not gone in time.
    """
    return delete_one(scene(), within_s)


def kill_pod(within_s: float = 30) -> Report:
    """kill -9 the processes of one ready pod from its node; ends when the kubelet reports the death. Lab only.

    From the node, because process 1 of a container ignores `kill -9 1` from inside. Raises FaultError when nothing was
    killed or no container was seen to die.
    """
    return kill_one(scene(), LabControl(), within_s)


def delete_one(at: Scene, within_s: float) -> Report:
    at.may_break()
    victim = at.random.choice(at.serving_pods())
    name, uid = name_of(victim), victim["metadata"]["uid"]
    if not any(owner.get("controller") for owner in victim["metadata"].get("ownerReferences") or ()):
        raise FaultError(f"pod {name} has no controller that would replace it")
    path = f"{paths.pods(at.service.namespace)}/{name}"
    began_ns = time.monotonic_ns()
    answer = at.api.delete(path, {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}})
    if "deletionTimestamp" not in answer.get("metadata", {}):
        raise FaultError(f"pod {name} was to be deleted, and the API server did not mark it so")
    if not wait_for(lambda: is_gone(at, path, uid), within_s):
        raise FaultError(f"pod {name} is still there {within_s:g} s after it was deleted")
    ended_ns = time.monotonic_ns()
    report = confirmed({f"pod/{name}": began_ns}, gone_after_s=round((ended_ns - began_ns) / 1e9, 3))
    return {**report, "ended": {f"pod/{name}": ended_ns}}


def kill_one(at: Scene, lab: LabControl, within_s: float) -> Report:
    at.may_break()
    if at.target.kind != "lab":
        raise RefusedError(f"a pod can be killed from its node in the lab only, not on {at.target.name}")
    candidates = at.serving_pods()
    # A container that was killed a moment ago restarts with a back-off of 10 s and more: that would time the kubelet.
    fewest = min(restarts(pod) for pod in candidates)
    victim = at.random.choice([pod for pod in candidates if restarts(pod) == fewest])
    name, uid = name_of(victim), str(victim["metadata"]["uid"])
    before = {container["containerID"] for container in containers(victim) if container.get("containerID")}
    began_ns = time.monotonic_ns()
    pids = lab.kill_pod(victim["spec"]["nodeName"], uid)
    if not pids:
        raise FaultError(f"no process of pod {name} was killed")
    path = f"{paths.pods(at.service.namespace)}/{name}"
    if not wait_for(lambda: _died(at.api.find(path), before), within_s):
        raise FaultError(f"the processes {pids} of pod {name} were killed, and no container was seen to die")
    seen_after_s = round((time.monotonic_ns() - began_ns) / 1e9, 3)
    return confirmed({f"pod/{name}": began_ns}, pids=pids, death_seen_after_s=seen_after_s)


def is_gone(at: Scene, path: str, uid: str) -> bool:
    """Whether that very pod is gone; another one of its name does not count."""
    found = at.api.find(path)
    return found is None or found["metadata"]["uid"] != uid


def _died(pod: Json | None, before: set[str]) -> bool:
    """Whether one of the containers that ran before is now reported as killed."""
    for container in containers(pod) if pod is not None else ():
        for state in (container.get("state", {}), container.get("lastState", {})):
            ended = state.get("terminated") or {}
            if ended.get("containerID") in before and ended.get("exitCode") == KILLED:
                return True
    return False
