"""Nodes that join late: the machines that are launched meanwhile take longer to boot."""

from __future__ import annotations

import time
from typing import Any

from shiftproof.adapters.ec2 import Machines, connect
from shiftproof.adapters.kubernetes import paths
from shiftproof.adapters.kubernetes.nodes import machine_of
from shiftproof.adapters.kubernetes.pods import name_of
from shiftproof.chaos.scene import Report, Scene, confirmed, scene, wait_for
from shiftproof.chaos.undo import undo_kind
from shiftproof.errors import FaultError, RefusedError
from shiftproof.lab.control import LabControl

Json = dict[str, Any]

BOOT = "boot-delay"
TRUNCATED_S = 1.0
"""AWS tells a launch to the second, so a boot may seem up to this much longer than it was."""


def slow_joins(boot_s: float = 120, for_s: float = 300) -> Report:
    """Let machines take `boot_s` to boot from now on; ends when a node has joined that late. Lab only.

    The lab goes back to its own by itself after `for_s`. Raises FaultError when no node joined meanwhile, or one that
    was launched meanwhile joined sooner: then nothing was shown.
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
    late: list[Json] = []

    def joined() -> bool:
        """A machine that was launched before keeps its own boot up to now; it shows nothing, and is passed over."""
        for node in at.api.items(paths.NODES):
            machine = machine_of(node).id
            if name_of(node) in there or not machine:
                continue
            there.add(name_of(node))
            if machines.one(machine).launched_s + TRUNCATED_S >= began_s:
                late.append(node)
        return bool(late)

    if not wait_for(joined, for_s):
        raise FaultError(f"no machine was launched and joined within {for_s:g} s, so slow boots were not tried")
    name, machine = name_of(late[0]), machine_of(late[0]).id
    took_s = round(time.time() - machines.one(machine).launched_s, 1)
    if took_s < boot_s:
        raise FaultError(f"{name} joined {took_s:g} s after its launch, although a boot was to take {boot_s:g} s")
    # The machine and not the node is the victim: no node was taken away.
    facts = {"node": name, "boot_s": boot_s, "former_s": former_s, "joined_after_s": took_s}
    return confirmed({f"machine/{machine}": began_ns}, **facts)
