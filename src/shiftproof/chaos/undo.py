"""Undo handlers for what faults change. Idempotent: `shiftproof recover` may call them long after, or twice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shiftproof.adapters.kubernetes import Api, KubernetesError, connect, paths
from shiftproof.adapters.targets import load_target
from shiftproof.errors import LabError, UndoError
from shiftproof.lab.control import LabControl


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
