"""Faults of a whole node: drained as maintenance does it, or lost as a power cut does."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from typing import Any

from shiftproof.adapters.kubernetes import paths
from shiftproof.adapters.kubernetes.pods import is_ready, name_of
from shiftproof.chaos.eviction import evict_all
from shiftproof.chaos.scene import Report, Scene, confirmed, scene, wait_for
from shiftproof.chaos.undo import undo_kind
from shiftproof.errors import FaultError, RefusedError
from shiftproof.lab.control import LabControl

Json = dict[str, Any]

CORDON = "node-cordon"
POWER = "node-power"
CUT_SEEN_WITHIN_S = 5.0
PROBE_S = 0.5


def drain_node(deadline_s: float = 60) -> Report:
    """Cordon a node that carries pods of the service, and evict every pod on it through the Eviction API.

    Honours PodDisruptionBudgets: an eviction that one refuses (429) is asked for again until `deadline_s`. Ends when
    the evicted pods are gone. A budget that refuses the service's own pod to the end is the service's problem, and is
    returned as such; DaemonSets' and static pods stay. Raises FaultError when nothing could be drained.
    """
    return drain_one(scene(), deadline_s)


def uncordon_node() -> Report:
    """Let the nodes that this run cordoned be scheduled on again. Does nothing when there is none."""
    return {"ended": undo_kind(scene(), CORDON)}


def lose_node(for_s: float = 30) -> Report:
    """Cut the power of a node that carries pods of the service; it comes back by itself after `for_s`. Lab only.

    Ends when none of the service's pods on it answers any more. Raises FaultError when one still does.
    """
    return lose_one(scene(), LabControl(), for_s)


def restore_node() -> Report:
    """Give the nodes whose power this run cut their power back. Does nothing when there is none."""
    return {"ended": undo_kind(scene(), POWER)}


def drain_one(at: Scene, deadline_s: float) -> Report:
    at.may_break()
    node = pick_node(at)
    at.journal.record(
        kind=CORDON, subject=f"node/{node}", undo={"target": at.target.name, "node": node}, lease_s=deadline_s
    )
    began_ns = time.monotonic_ns()
    at.api.patch(paths.node(node), {"spec": {"unschedulable": True}})
    if not at.api.get(paths.node(node))["spec"].get("unschedulable"):
        raise FaultError(f"{node} was cordoned, and the API server does not hold it so")
    drained = evict_all(at, node, deadline_s)
    facts = {"node": node, "drain_s": _seconds_since(began_ns), "evictions_refused": drained.refused}
    pods = {f"pod/{name}": asked_ns for name, asked_ns in drained.evicted.items()}
    report = confirmed({f"node/{node}": began_ns, **pods}, **facts)
    if drained.problem is not None:
        report["service_problem"] = drained.problem
    return report


def lose_one(at: Scene, lab: LabControl, for_s: float) -> Report:
    at.may_break()
    if at.target.kind != "lab":
        raise RefusedError(f"a node's power can be cut in the lab only, not on {at.target.name}")
    return cut_power(at, lab, [pick_node(at)], for_s)


def cut_power(at: Scene, lab: LabControl, nodes: Sequence[str], for_s: float) -> Report:
    """Of all `nodes`, one right after the other; each comes back by itself. See lose_node for what is raised."""
    pods = [pod for pod in at.serving_pods() if pod["spec"].get("nodeName") in nodes]
    doors = {(str(pod["status"]["podIP"]), _port(pod)): str(pod["spec"]["nodeName"]) for pod in pods}
    silent = [door for door in doors if not _answers(door)]
    if silent:
        raise FaultError(
            f"{silent[0][0]} on {doors[silent[0]]} did not answer before its power was cut: its silence proves nothing"
        )
    begun: dict[str, int] = {}
    for node in nodes:
        undo = {"target": at.target.name, "node": node}
        at.journal.record(kind=POWER, subject=f"node/{node}", undo=undo, lease_s=for_s)
        began_ns = time.monotonic_ns()
        lab.power_off(node, for_s)
        mine = [f"pod/{name_of(pod)}" for pod in pods if pod["spec"]["nodeName"] == node]
        begun |= dict.fromkeys([f"node/{node}", *mine], began_ns)
    if not wait_for(lambda: not any(_answers(door) for door in doors), CUT_SEEN_WITHIN_S):
        raise FaultError(f"the power of {', '.join(nodes)} was cut, and a pod there still answers")
    silent_s = _seconds_since(min(begun.values()))
    return confirmed(begun, node=", ".join(nodes), silent_after_s=silent_s, lease_s=for_s)


def pick_node(at: Scene) -> str:
    """A node that may be hurt, by the seed, out of those that carry ready pods of the service.

    Raises FaultError when that would hurt more nodes at once than the target allows, or leave none to go to.
    """
    nodes = {name_of(node): node for node in at.api.items(paths.NODES)}
    hurt = sorted(name for name, node in nodes.items() if not whole(node))
    if len(hurt) >= at.target.max_nodes_hurt:
        raise FaultError(
            f"{', '.join(hurt)} cannot be scheduled on already, and {at.target.name} allows "
            f"{at.target.max_nodes_hurt} node to be hurt at once"
        )
    carrying = {pod["spec"].get("nodeName", "") for pod in at.serving_pods()} - set(hurt)
    if not carrying:
        raise FaultError(f"no node that may be hurt carries a ready pod of {at.service.name}")
    if len(nodes) - len(hurt) < 2:
        raise FaultError("there is no second node that pods could go to")
    return str(at.random.choice(sorted(carrying)))


def whole(node: Json) -> bool:
    return is_ready(node) and not node.get("spec", {}).get("unschedulable")


def _seconds_since(began_ns: int) -> float:
    return round((time.monotonic_ns() - began_ns) / 1e9, 3)


def _port(pod: Json) -> int:
    for container in pod["spec"]["containers"]:
        for port in container.get("ports") or ():
            return int(port["containerPort"])
    raise FaultError(f"pod {name_of(pod)} declares no port, so it cannot be seen to fall silent")


def _answers(door: tuple[str, int]) -> bool:
    """Whether it accepts a connection: a node without power refuses none, it is silent."""
    try:
        socket.create_connection(door, timeout=PROBE_S).close()
    except OSError:
        return False
    return True
