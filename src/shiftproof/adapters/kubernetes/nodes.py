"""What a node's object says: of its machine, and which nodes keep a service's pods from serving. Pure.

What is a node's doing must not be blamed on the service.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shiftproof.adapters.kubernetes.pods import condition, is_ready, is_terminating, name_of

Json = Mapping[str, Any]

JUST_BACK_S = 30.0
"""A node that became ready less long ago is still making sandboxes and starting what it carried."""

_EC2_ID = re.compile(r"aws:///([^/]*)/(i-[0-9a-z]+)")
_CAPACITY_LABELS = (
    "karpenter.sh/capacity-type",
    "eks.amazonaws.com/capacityType",
    "node.kubernetes.io/lifecycle",
)
"""Where who makes nodes says how they were bought, in this order: Karpenter, EKS node groups, others by custom."""
SPOT = "spot"
_CAPACITY_WORDS = {"normal": "on-demand", "ondemand": "on-demand", "ec2spot": SPOT}
_NODE_POOL, _NODE_GROUP = "karpenter.sh/nodepool", "eks.amazonaws.com/nodegroup"
_ZONE_LABELS = ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone")


@dataclass(frozen=True, slots=True)
class Machine:
    """What a node stands on. id: of its EC2 instance. capacity_type: spot, on-demand, or the label's own word.

    Each is "" while nobody has said so: labels may come after the node has joined.
    """

    id: str = ""
    capacity_type: str = ""
    zone: str = ""


def machine_of(node: Json) -> Machine:
    """From its providerID (aws:///ZONE/INSTANCE) and its labels, whoever wrote them."""
    labels: Mapping[str, str] = node["metadata"].get("labels") or {}
    found = _EC2_ID.fullmatch(str(node.get("spec", {}).get("providerID") or ""))
    zone, instance = found.groups() if found else ("", "")
    said = next((labels[key] for key in _CAPACITY_LABELS if labels.get(key)), "")
    word = said.lower().replace("_", "-")
    labelled = next((labels[key] for key in _ZONE_LABELS if labels.get(key)), "")
    return Machine(instance, _CAPACITY_WORDS.get(word, word), labelled or zone)


def is_autoscaled(node: Json) -> bool:
    """Whether autoscaling brought it: it is of one of Karpenter's pools, or a machine that no fixed group claims.

    Labels may come after the node has joined, so a machine without any is taken for one of these. Whether the size of
    an EKS node group is fixed is not said on its nodes; they are the base, and too many of them show by their pods.
    """
    labels = node["metadata"].get("labels") or {}
    return bool(labels.get(_NODE_POOL)) or (bool(machine_of(node).id) and not labels.get(_NODE_GROUP))


def not_serving(pods: Iterable[Json]) -> list[Json]:
    """Pods that are not ready, or leaving."""
    return [pod for pod in pods if is_terminating(pod) or not is_ready(pod)]


def hindering(pods: Iterable[Json], nodes: Sequence[Json], now_ns: int) -> tuple[str, ...]:
    """In words, each node that is why one of `pods` does not serve; empty when it is the pods' own doing.

    A pod on a node is kept back by that node alone, and only when it is not ready or only just back: a cordon leaves
    what runs alone. A pod that is on none is kept back by any node that it may go to and cannot.
    """
    by_name = {name_of(node): node for node in nodes}
    found: set[str] = set()
    for pod in not_serving(pods):
        name = pod.get("spec", {}).get("nodeName")
        if name:
            found |= _said(name, "is gone" if name not in by_name else _absence(by_name[name], now_ns))
            continue
        for other, node in by_name.items():
            if _may_go(pod, node):
                found |= _said(other, _absence(node, now_ns) or _cordon(node))
    return tuple(sorted(found))


def _said(name: str, what: str | None) -> set[str]:
    return set() if what is None else {f"{name} {what}"}


def _absence(node: Json, now_ns: int) -> str | None:
    ready = condition(node, "Ready")
    if ready.get("status") != "True":
        return "is not ready"
    since = ready.get("lastTransitionTime")
    if not since:
        return None
    back_s = now_ns / 1e9 - datetime.fromisoformat(str(since)).timestamp()
    return f"is back for only {max(0.0, back_s):.0f} s" if back_s < JUST_BACK_S else None


def _cordon(node: Json) -> str | None:
    return "is cordoned" if node.get("spec", {}).get("unschedulable") else None


def _may_go(pod: Json, node: Json) -> bool:
    """By its node selector; other rules of placement are the scheduler's business."""
    labels = node["metadata"].get("labels") or {}
    wanted = pod.get("spec", {}).get("nodeSelector") or {}
    return all(labels.get(key) == value for key, value in wanted.items())
