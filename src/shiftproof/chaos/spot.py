"""Faults of Spot machines: taken away with AWS's notice, or all of them at once without one.

Whoever makes nodes brings new ones, so there is nothing to undo; that it did is the claim `spot`'s business.

Taking all of them has no blast radius that could be set: AWS reclaims a whole pool (one type of machine in one zone) at
once, so half of it would prove nothing about that day. What bounds it is where it may be done (`faults_allowed` of the
target, asked by `may_break`), and that it refuses where only Spot nodes are.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from shiftproof.adapters.ec2 import SpotMarket, connect_spot
from shiftproof.adapters.kubernetes import paths
from shiftproof.adapters.kubernetes.nodes import SPOT, machine_of
from shiftproof.adapters.kubernetes.pods import is_ready, name_of
from shiftproof.chaos.eviction import pods_to_move
from shiftproof.chaos.scene import Report, Scene, confirmed, scene, wait_for
from shiftproof.errors import FaultError

Json = dict[str, Any]


def interrupt_spot_node(notice_s: float = 120, within_s: float = 60) -> Report:
    """Give one Spot node AWS's notice, wait it out, and terminate its machine; ends when the node serves nobody.

    The node is picked by the seed, out of those on which pods are at work: a node that only just joined, or that is to
    go, has nothing in hand to lose. Where there is none, out of those that carry pods, then out of all. Raises
    FaultError when there is no Spot node, or when the node still serves `within_s` after its machine was terminated.
    """
    at = scene()
    return interrupt_one(at, connect_spot(at.target), notice_s, within_s)


def reclaim_spot_pool(within_s: float = 60) -> Report:
    """Terminate the machines of all Spot nodes at once, without a word; ends when none of the nodes serves any more.

    Raises FaultError as `interrupt_spot_node` does, also when nothing but Spot nodes would have been there.
    """
    at = scene()
    return reclaim_all(at, connect_spot(at.target), within_s)


def interrupt_one(at: Scene, market: SpotMarket, notice_s: float, within_s: float) -> Report:
    at.may_break()
    nodes = spot_nodes(at)
    node = at.random.choice(_busiest(at, sorted(nodes)))
    pods, began_ns, left_early = _pods_on(at, [node]), time.monotonic_ns(), False

    def wait_it_out(seconds: float) -> None:
        nonlocal left_early
        time.sleep(seconds)
        left_early = market.state(nodes[node]).going

    market.interrupt(nodes[node], notice_s, wait_it_out)
    _await_gone(at, market, {node: nodes[node]}, within_s)
    gone_s = round(_seconds_since(began_ns) - notice_s, 3)
    facts = {"noticed": True, "notice_s": notice_s, "left_early": left_early, "gone_after_s": gone_s}
    return _report([node], pods, began_ns, nodes, **facts)


def reclaim_all(at: Scene, market: SpotMarket, within_s: float) -> Report:
    at.may_break()
    nodes = spot_nodes(at)
    others = [name_of(node) for node in at.api.items(paths.NODES) if is_ready(node) and name_of(node) not in nodes]
    if not others:
        raise FaultError("there are only Spot nodes, so nothing would be left that pods could go to")
    pods, began_ns = _pods_on(at, sorted(nodes)), time.monotonic_ns()
    for node in sorted(nodes):
        market.kill(nodes[node])
    _await_gone(at, market, nodes, within_s)
    return _report(sorted(nodes), pods, began_ns, nodes, noticed=False, gone_after_s=_seconds_since(began_ns))


def spot_nodes(at: Scene) -> Mapping[str, str]:
    """The machine of each ready Spot node, by the node's name. Raises FaultError when there is none."""
    machines = {name_of(node): machine_of(node) for node in at.api.items(paths.NODES) if is_ready(node)}
    found = {name: machine.id for name, machine in machines.items() if machine.capacity_type == SPOT and machine.id}
    if not found:
        raise FaultError(f"there is no Spot node on {at.target.name} that could be taken away")
    return found


def _busiest(at: Scene, nodes: Sequence[str]) -> Sequence[str]:
    """Those with a ready pod; without any those with a pod; without any all of them."""
    carried = {node: pods_to_move(at, node) for node in nodes}
    at_work = [node for node in nodes if any(is_ready(pod) for pod in carried[node])]
    return at_work or [node for node in nodes if carried[node]] or nodes


def _pods_on(at: Scene, nodes: Sequence[str]) -> Sequence[Json]:
    return [pod for node in nodes for pod in pods_to_move(at, node)]


def _await_gone(at: Scene, market: SpotMarket, nodes: Mapping[str, str], within_s: float) -> None:
    """A machine that is terminated is not enough: its node must be gone, or not ready, for anybody to notice."""

    def left() -> list[str]:
        live = {name_of(node): machine_of(node).id for node in at.api.items(paths.NODES) if is_ready(node)}
        return [name for name, machine in nodes.items() if live.get(name) == machine]

    if not wait_for(lambda: not left(), within_s):
        raise FaultError(f"{', '.join(left())} still counts as ready {within_s:g} s after its machine was terminated")
    running = [machine for machine in nodes.values() if not market.state(machine).going]
    if running:
        raise FaultError(f"{', '.join(running)} should have been terminated, and AWS says that it runs")


def _report(
    nodes: Sequence[str], pods: Sequence[Json], began_ns: int, machines: Mapping[str, str], **facts: object
) -> Report:
    """facts: `noticed`; nodes and their machines; `pods` that were there, each NAMESPACE/NAME, for whoever looks for
    critical ones; `gone_after_s`: from the end of the notice, or the kill, until no node counted as ready.
    """
    victims = [*(f"node/{name}" for name in nodes), *(f"pod/{name_of(pod)}" for pod in pods)]
    where = [f"{pod['metadata'].get('namespace', '')}/{name_of(pod)}" for pod in pods]
    named = {"nodes": list(nodes), "machines": [machines[name] for name in nodes], "pods": where}
    return confirmed(dict.fromkeys(victims, began_ns), **named, **facts)


def _seconds_since(began_ns: int) -> float:
    return round((time.monotonic_ns() - began_ns) / 1e9, 3)
