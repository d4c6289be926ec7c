"""Undo handlers for what faults change. Idempotent: `shiftproof recover` may call them long after, or twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from shiftproof.adapters.embedded_lab import undo_boot_delay, undo_part
from shiftproof.adapters.kubernetes import Api, KubernetesError, connect, paths
from shiftproof.adapters.targets import load_target
from shiftproof.errors import LabError, UndoError
from shiftproof.lab.control import LabControl

if TYPE_CHECKING:
    from shiftproof.chaos.scene import Scene


def undo_kind(at: Scene, kind: str) -> dict[str, int]:
    """Undo this run's entries of `kind`, newest first, each marked as done once its handler has seen it undone.

    Returns when each ended, by its subject, in ns of CLOCK_MONOTONIC. Raises UndoError; what is left stays on disk.
    """
    handler = HANDLERS[kind]
    entries = [entry for entry in at.journal.pending() if entry.kind == kind and entry.run_id == at.run_id]
    ended: dict[str, int] = {}
    for entry in reversed(entries):
        handler(entry.undo)
        at.journal.done(entry.id)
        ended[entry.subject] = time.monotonic_ns()
    return ended


def restore_node_power(payload: Mapping[str, Any]) -> None:
    """{"target", "node"}: power on, at once; returns when its kubelet runs. Raises UndoError."""
    target = load_target(str(payload["target"]))
    if target.kind != "lab":
        raise UndoError(f"the power of {payload['node']} on {target.name} cannot be switched from here")
    try:
        LabControl().power_on(str(payload["node"]))
    except LabError as error:
        raise UndoError(f"{payload['node']} could not be given its power back: {error}", hint=error.hint) from error


def uncordon(payload: Mapping[str, Any]) -> None:
    """{"target", "node"}: schedulable again, and read back. A node that is gone needs nothing. Raises UndoError."""
    api = Api(connect(load_target(str(payload["target"]))))
    path = paths.node(str(payload["node"]))
    try:
        if api.find(path) is None:
            return
        held = api.patch(path, {"spec": {"unschedulable": None}})
    except KubernetesError as error:
        raise UndoError(f"{payload['node']} could not be uncordoned: {error}", hint=error.hint) from error
    if held.get("spec", {}).get("unschedulable"):
        raise UndoError(f"{payload['node']} is still cordoned")


HANDLERS: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
    "node-cordon": uncordon,
    "node-power": restore_node_power,
    "boot-delay": undo_boot_delay,
    "part": undo_part,
}
"""By the kind that an action records: the same ones as in gate.undo, which `recover` uses."""
