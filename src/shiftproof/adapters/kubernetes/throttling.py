"""How often pods were stopped by their CPU limit, as the kubelet counts it (cAdvisor's cpu_cfs counters).

The kernel gives a container with a limit a share of each period of 100 ms; when that is used up it stands still until
the next one, though the node may be idle. Only the counters tell a pod that is stopped from a pod that is slow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from shiftproof.adapters.kubernetes import paths
from shiftproof.adapters.kubernetes.api import Api, KubernetesError
from shiftproof.model.history import Happening, Source

Json = Mapping[str, Any]

_LINE = re.compile(r"^container_cpu_cfs_(throttled_periods|periods)_total\{([^}]*)\} (\S+)", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


def cpu_limit(pod: Json) -> str:
    """The limit of its first container that has one, as written ("50m"); "" when none has."""
    for container in pod.get("spec", {}).get("containers") or ():
        limit = ((container.get("resources") or {}).get("limits") or {}).get("cpu")
        if limit is not None:
            return str(limit)
    return ""


def throttled(api: Api, namespace: str, t_ns: int) -> Sequence[Happening]:
    """`pod.throttled` of each pod that has a CPU limit and was stopped by it; none when no pod has one.

    Best effort: a target that does not let us read its nodes' metrics loses this one sentence, and no evidence.
    """
    try:
        limited = {str(pod["metadata"]["name"]): pod for pod in api.items(paths.pods(namespace)) if cpu_limit(pod)}
        nodes = {str(pod["spec"].get("nodeName", "")) for pod in limited.values()} - {""}
        texts = [api.text(f"{paths.node(node)}/proxy/metrics/cadvisor") for node in sorted(nodes)]
    except KubernetesError:
        return ()
    found = []
    for name, (stopped, periods) in sorted(counted("\n".join(texts), namespace).items()):
        if name in limited and stopped:
            data = {"throttled": stopped, "periods": periods, "cpu_limit": cpu_limit(limited[name])}
            said = f"stopped in {stopped} of {periods} periods"
            found.append(Happening(t_ns, Source.KUBERNETES, "pod.throttled", f"pod/{name}", said, data))
    return found


def counted(metrics: str, namespace: str) -> dict[str, tuple[int, int]]:
    """(periods in which it was stopped, periods in which it ran) by pod, of its containers together. Pure."""
    found: dict[str, list[int]] = {}
    for sort, labels, value in _LINE.findall(metrics):
        of = dict(_LABEL.findall(labels))
        if of.get("namespace") == namespace and of.get("container") and of.get("pod"):
            found.setdefault(of["pod"], [0, 0])[sort == "periods"] += round(float(value))
    return {pod: (stopped, periods) for pod, (stopped, periods) in found.items() if periods}
