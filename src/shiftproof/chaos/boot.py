"""Nodes that join late: the machines that are launched meanwhile take longer to boot."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from shiftproof.adapters.ec2 import Machines, connect
from shiftproof.adapters.kubernetes import paths
from shiftproof.adapters.kubernetes.nodes import machine_of
from shiftproof.adapters.kubernetes.pods import name_of
from shiftproof.chaos.scene import Report, Scene, confirmed, scene, wait_for
from shiftproof.chaos.undo import undo_kind
from shiftproof.errors import FaultError, RefusedError
from shiftproof.lab.control import LabControl

BOOT = "boot-delay"
TRUNCATED_S = 1.0
"""AWS tells a launch to the second, so a boot may seem up to this much longer than it was."""


def slow_joins(boot_s: float = 120, for_s: float = 300) -> Report:
    """Let machines take `boot_s` to boot from now on; ends when the service has a pod on one that joined so. Lab only.

    A node that only others use joined late for them. The lab goes back to its own by itself after `for_s`. Raises
    FaultError when the service came to none meanwhile, or that node joined sooner: then nothing was shown.
    """
    at = scene()
    return slow_one(at, LabControl(), connect(at.target), boot_s, for_s)


def join_as_ever() -> Report:
    """Let machines boot as they did before this run. Does nothing when they do."""
    return {"ended": undo_kind(scene(), BOOT)}


def slow_one(at: Scene, lab: LabControl, machines: Machines, boot_s: float, for_s: float) -> Report:
    at.may_break()
    if at.target.kind != "lab":
        raise RefusedError(f"how long machines boot can be changed in the lab only, not on {at.target.name}")
    there = {name_of(node) for node in at.api.items(paths.NODES)}
    at.journal.record(kind=BOOT, subject="lab/boot-delay", undo={"target": at.target.name}, lease_s=for_s)
    began_ns, began_s = time.monotonic_ns(), time.time()
    former_s = lab.set_boot_delay(boot_s, for_s)
    if former_s >= boot_s:
        raise FaultError(f"machines take {former_s:g} s to boot as it is, so {boot_s:g} s are no fault")
    late: dict[str, _Joined] = {}
    used: list[_Joined] = []

    def carries() -> bool:
        """A machine that was launched before keeps its own boot up to now; it shows nothing, and is passed over."""
        for node in at.api.items(paths.NODES):
            name, machine = name_of(node), machine_of(node).id
            if name in there or not machine:
                continue
            there.add(name)
            launched_s = machines.one(machine).launched_s
            if launched_s + TRUNCATED_S >= began_s:
                late[name] = _Joined(name, machine, round(time.time() - launched_s, 1))
        used[:] = [late[name] for name in late.keys() & _nodes_of(at)]
        return bool(used)

    if not wait_for(carries, for_s):
        raise FaultError(_nothing_shown(at, sorted(late), for_s))
    first = min(used, key=lambda one: one.after_s)
    if first.after_s < boot_s:
        raise FaultError(
            f"{first.node} joined {first.after_s:g} s after its launch, although a boot was to take {boot_s:g} s"
        )
    # The machine and not the node is the victim: no node was taken away.
    facts = {"node": first.node, "boot_s": boot_s, "former_s": former_s, "joined_after_s": first.after_s}
    return confirmed({f"machine/{first.machine}": began_ns}, **facts)


@dataclass(frozen=True, slots=True)
class _Joined:
    """A node whose machine was launched while boots were slow. after_s: from its launch until it was there."""

    node: str
    machine: str
    after_s: float


def _nodes_of(at: Scene) -> set[str]:
    """Nodes that pods of the service have a place on."""
    return {str(pod["spec"].get("nodeName") or "") for pod in at.pods()}


def _nothing_shown(at: Scene, late: Sequence[str], for_s: float) -> str:
    if late:
        return f"no pod of {at.service.name} came to {', '.join(late)} within {for_s:g} s: late for others only"
    return f"no machine was launched and joined within {for_s:g} s, so slow boots were not tried"
