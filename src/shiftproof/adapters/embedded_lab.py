"""Undo handlers for what only the embedded lab can do: the journal's kinds "legacy", "network", "boot-delay", "part".

Idempotent; raise UndoError.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from shiftproof.adapters.targets import load_target
from shiftproof.errors import ShiftproofError, UndoError
from shiftproof.lab.control import LabControl

AT_ONCE_S = 1.0
"""How long the ordinary boot delay is set for: after that the lab's own holds, which is the same."""


def undo_legacy(payload: Mapping[str, Any]) -> None:
    """Run (or stop) the service's process on legacy machines with the settings that they had.

    Payload: target, hosts: {host: {"running", "env"}} as LabControl.legacy_state tells it.
    """
    control = _control(payload)
    hosts: Mapping[str, Mapping[str, Any]] = payload["hosts"]

    def put_back(host: str) -> str | None:
        before = hosts[host]
        problem = control.change_legacy(host, before["env"], running=bool(before["running"]))["problem"]
        return None if problem is None else f"{host} does not answer: {problem}"

    try:
        with ThreadPoolExecutor(max(1, len(hosts))) as pool:
            problems = [problem for problem in pool.map(put_back, hosts) if problem is not None]
        now = control.legacy_state()
    except ShiftproofError as error:
        raise UndoError(f"the legacy machines could not be put back: {error}", hint=error.hint) from error
    problems += [f"{host} has not its old settings" for host, before in hosts.items() if now[host] != before]
    if problems:
        raise UndoError("; ".join(problems))


def undo_network(payload: Mapping[str, Any]) -> None:
    """Take a network fault away. Payload: target, id."""
    control = _control(payload)
    try:
        control.remove_network(str(payload["id"]))
        left = {fault["id"] for fault in control.status()["network"]}
    except ShiftproofError as error:
        raise UndoError(f"the network fault could not be taken away: {error}", hint=error.hint) from error
    if payload["id"] in left:
        raise UndoError("the network fault is still in force")


def undo_boot_delay(payload: Mapping[str, Any]) -> None:
    """Let machines boot as quickly as the target's file says, those too that are under way. Payload: target."""
    control = _control(payload)
    ordinary_s = load_target(str(payload["target"])).events.node_boot_s
    try:
        control.set_boot_delay(ordinary_s, AT_ONCE_S)
        held_s = control.set_boot_delay(ordinary_s, AT_ONCE_S)
    except ShiftproofError as error:
        raise UndoError(f"machines may still boot slowly: {error}", hint=error.hint) from error
    if held_s != ordinary_s:
        raise UndoError(f"machines still take {held_s:g} s to boot, not {ordinary_s:g} s")


def undo_part(payload: Mapping[str, Any]) -> None:
    """Let a part of the lab that was paused go on. Payload: target, part."""
    try:
        _control(payload).resume_part(str(payload["part"]))
    except ShiftproofError as error:
        raise UndoError(f"{payload['part']} may still stand still: {error}", hint=error.hint) from error


def _control(payload: Mapping[str, Any]) -> LabControl:
    target = load_target(str(payload["target"]))
    if target.kind != "lab":
        raise UndoError(f"target {target.name} is no lab, so nothing of this kind was changed there")
    return LabControl()
