"""Whose a pod is, and whose an autoscaler, as the timeline tells it."""

from __future__ import annotations

import re

from shiftproof.model.history import Happening

#: Kubernetes makes both ends of a pod's name from these: no vowels, and none of 0, 1 and 3 (apimachinery, util/rand).
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_REPLICA = re.compile(rf"-[{_LETTERS}]{{1,10}}-[{_LETTERS}]{{5}}")


def is_pod_of(name: str, deployment: str) -> bool:
    """Whether a pod's name is one that the Deployment's ReplicaSets give: NAME-hash-suffix.

    A prefix alone would take the pods of `payments-worker` for pods of `payments`.
    """
    return name.startswith(deployment) and _REPLICA.fullmatch(name, len(deployment)) is not None


def is_elsewhere(happening: Happening, namespace: str) -> bool:
    """Whether it is told to be of another namespace; "" is any, and what tells none may be of this one."""
    told = str(happening.data.get("namespace") or "")
    return bool(namespace and told and told != namespace)


def belongs(happening: Happening, name: str, deployment: str, namespace: str) -> bool:
    """Whether a pod is one of the Deployment's: by data.workload and data.namespace where told, else by its name."""
    if is_elsewhere(happening, namespace):
        return False
    workload = happening.data.get("workload")
    return str(workload) == deployment if workload else is_pod_of(name, deployment)


def scales(happening: Happening, deployment: str, namespace: str) -> bool:
    """Whether what is told of an autoscaler is of the service's: by data.workload where told, else by its name.

    KEDA names the HPA that it makes keda-hpa-NAME; people add to a service's name in front or behind.
    """
    if is_elsewhere(happening, namespace):
        return False
    workload = happening.data.get("workload")
    if workload:
        return str(workload) == deployment
    name = happening.subject.partition("/")[2]
    return name == deployment or name.startswith(f"{deployment}-") or name.endswith(f"-{deployment}")
