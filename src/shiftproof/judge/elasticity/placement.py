"""Which pods of critical namespaces were on machines that may be taken away at two minutes' notice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shiftproof.judge.elasticity.node_lives import apart
from shiftproof.judge.elasticity.pods import belongs
from shiftproof.model.history import Happening


@dataclass(frozen=True, slots=True)
class Placement:
    """critical: pods of critical namespaces that had a node. on_spot: those of them on Spot, with their node.

    strangers: pods whose namespace nobody told. unsure_nodes: machines that critical pods were on, of unknown sort.
    """

    critical: frozenset[str]
    on_spot: dict[str, str]
    strangers: int
    unsure_nodes: frozenset[str]


def placement(timeline: Iterable[Happening], critical: Sequence[str], deployment: str, namespace: str) -> Placement:
    """By what is told of pods, nodes and machines. The service's own pods are known without a namespace, too."""
    homes: dict[str, str] = {}
    spaces: dict[str, str] = {}
    machines: dict[str, str] = {}
    sorts: dict[str, str] = {}
    for happening in apart(timeline):
        sort, _, name = happening.subject.partition("/")
        data = happening.data
        if sort == "pod" and happening.kind.startswith("pod."):
            homes[name] = homes.get(name) or str(data.get("node") or "")
            told = str(data.get("namespace") or "")
            ours = belongs(happening, name, deployment, namespace)
            spaces[name] = told or spaces.get(name) or (namespace if ours else "")
        elif sort == "node" and happening.kind.startswith("node."):
            machines[name] = machines.get(name) or str(data.get("machine") or "")
            sorts[name] = sorts.get(name) or str(data.get("capacity_type") or "")
        elif happening.kind.startswith("machine."):
            sorts[f"machine/{name}"] = str(data.get("capacity_type") or "")
    placed = {name: node for name, node in homes.items() if node and spaces[name] in critical}
    of_node = {node: {sorts.get(node, ""), sorts.get(f"machine/{machines.get(node)}", "")} for node in placed.values()}
    return Placement(
        critical=frozenset(placed),
        on_spot={name: node for name, node in placed.items() if "spot" in of_node[node]},
        strangers=sum(1 for name in homes if homes[name] and not spaces[name]),
        unsure_nodes=frozenset(node for node, told in of_node.items() if machines.get(node) and not any(told)),
    )
