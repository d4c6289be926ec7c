"""The loss of a zone: all of its nodes at once, as when its power or its network goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shiftproof.adapters.kubernetes import paths
from shiftproof.adapters.kubernetes.nodes import machine_of
from shiftproof.adapters.kubernetes.pods import name_of
from shiftproof.chaos.nodes import cut_power, whole
from shiftproof.chaos.scene import Report, Scene, scene
from shiftproof.errors import FaultError, RefusedError
from shiftproof.lab.control import LabControl


def lose_zone(for_s: float = 40) -> Report:
    """Cut the power of all nodes of a zone that carries pods of the service; they come back by themselves. Lab only.

    Undone by shiftproof.chaos.nodes.restore_node, as a single node is. Ends when none of the service's pods there
    answers any more. Raises FaultError when one still does, when no node is left elsewhere, or when every such zone has
    more nodes than the target allows it to have (`max_zone_nodes_hurt`): a zone is lost whole, or not at all.
    """
    return lose_one_zone(scene(), LabControl(), for_s)


def lose_one_zone(at: Scene, lab: LabControl, for_s: float) -> Report:
    at.may_break()
    if at.target.kind != "lab":
        raise RefusedError(f"a zone's power can be cut in the lab only, not on {at.target.name}")
    zone, nodes = pick_zone(at)
    report = cut_power(at, lab, nodes, for_s)
    return {**report, "facts": {**report["facts"], "zone": zone, "nodes": list(nodes)}}


def pick_zone(at: Scene) -> tuple[str, Sequence[str]]:
    """A zone that may be lost, by the seed, and its nodes. Raises FaultError when there is none."""
    found = at.api.items(paths.NODES)
    hurt = sorted(name_of(node) for node in found if not whole(node))
    if hurt:
        raise FaultError(f"{', '.join(hurt)} cannot be scheduled on already: a zone beside that would be two faults")
    zones: dict[str, list[str]] = {}
    for node in found:
        zones.setdefault(machine_of(node).zone, []).append(name_of(node))
    carrying = {pod["spec"].get("nodeName", "") for pod in at.serving_pods()}
    named = {zone: sorted(names) for zone, names in zones.items() if zone and carrying & set(names)}
    if not named:
        raise FaultError(f"no node that carries a ready pod of {at.service.name} says which zone it is in")
    if len(zones) < 2:
        raise FaultError(f"all nodes are in {next(iter(named))}: without it there is none that pods could go to")
    return _small_enough(at, named)


def _small_enough(at: Scene, zones: Mapping[str, Sequence[str]]) -> tuple[str, Sequence[str]]:
    most = at.target.max_zone_nodes_hurt or at.target.max_nodes_hurt
    few = sorted(zone for zone, names in zones.items() if len(names) <= most)
    if not few:
        said = ", ".join(f"{zone} has {len(names)}" for zone, names in sorted(zones.items()))
        raise FaultError(
            f"{at.target.name} allows a zone of {most} node{'s' if most > 1 else ''} to be lost, and {said}",
            hint=f"raise max_zone_nodes_hurt in infra/targets/{at.target.name}.yaml",
        )
    zone = str(at.random.choice(few))
    return zone, zones[zone]
