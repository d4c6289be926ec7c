"""Steady state: the hypothesis of every experiment, before the fault and after it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from shiftproof.adapters.kubernetes import paths
from shiftproof.adapters.kubernetes.nodes import hindering
from shiftproof.adapters.kubernetes.pods import is_ready, is_terminating, troubles
from shiftproof.chaos.scene import Scene, scene, wait_for
from shiftproof.errors import FaultError
from shiftproof.model.event import Side
from shiftproof.ports import TargetState

Json = dict[str, Any]
Targets = Callable[[], Sequence[TargetState]]

STEADY = "steady"
"""What `service_is_steady` answers when all is well, and so the tolerance to write in an experiment."""


def service_is_steady(within_s: float = 30) -> str:
    """ "steady" as soon as all replicas are ready, none is leaving, and the load balancer finds each of them healthy.

    Otherwise, after `within_s`, what is missing, in words: the tolerance `steady` then is not met. Raises FaultError,
    which proves nothing, when it is a node that was lost and is not back: a slow machine is not the service's fault.
    """
    from shiftproof.adapters.elbv2 import connect

    at = scene()
    router = connect(at.target, at.service)
    return steady_within(at, lambda: router.targets(Side.CLUSTER), within_s)


def steady_within(at: Scene, targets: Targets, within_s: float) -> str:
    said = ""

    def steady() -> bool:
        nonlocal said
        said = missing(at, targets)
        return not said

    if wait_for(steady, within_s):
        return STEADY
    away = nodes_away(at)
    if away:
        raise FaultError(f"not steady after {within_s:g} s, because {' and '.join(away)}: {said}")
    return f"not steady after {within_s:g} s: {said}"


def nodes_away(at: Scene) -> tuple[str, ...]:
    """Nodes that are not ready, or only just back, and for that reason keep pods of the service from serving.

    A cordoned one is none of them: a service has to bear a drain, in which the cordon is the very point.
    """
    nodes = [{**node, "spec": {}} for node in at.api.items(paths.NODES)]
    return hindering(_living(at), nodes, time.time_ns())


def missing(at: Scene, targets: Targets) -> str:
    """What keeps the service from being steady, or ""."""
    deployment = at.api.get(paths.deployment(at.service.namespace, at.service.deployment))
    wanted = int(deployment["spec"].get("replicas", 1))
    pods = _living(at)
    leaving = [pod for pod in pods if is_terminating(pod)]
    ready = [pod for pod in pods if is_ready(pod) and not is_terminating(pod)]
    if len(ready) != wanted or wanted == 0:
        why = troubles(pods)
        return f"{len(ready)} of {wanted} pods are ready" + (f" ({why})" if why else "")
    if leaving:
        return f"{len(leaving)} pods are still leaving"
    return _unhealthy({str(pod["status"].get("podIP", "")) for pod in ready}, targets())


def _living(at: Scene) -> list[Json]:
    return [pod for pod in at.pods() if pod.get("status", {}).get("phase") not in ("Failed", "Succeeded")]


def _unhealthy(addresses: set[str], targets: Sequence[TargetState]) -> str:
    """By address: what the load balancer thinks of pods that Kubernetes calls ready."""
    states = {target.address.rsplit(":", 1)[0]: target for target in targets}
    for address in sorted(addresses):
        target = states.get(address)
        if target is None:
            return f"the load balancer does not know the ready pod at {address}"
        if target.state != "healthy":
            return f"the load balancer calls the ready pod at {address} {target.state} {target.reason}".rstrip()
    strangers = [target.address for target in targets if target.state == "healthy" and _host(target) not in addresses]
    return f"the load balancer still sends to {', '.join(strangers)}, which is no ready pod" if strangers else ""


def _host(target: TargetState) -> str:
    return target.address.rsplit(":", 1)[0]
