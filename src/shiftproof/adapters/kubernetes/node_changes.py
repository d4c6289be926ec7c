"""Turns a node's changes into what happened. Pure; see changes for whose times these are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shiftproof.adapters.kubernetes.changes import Json, Remembering, happening
from shiftproof.adapters.kubernetes.nodes import machine_of
from shiftproof.adapters.kubernetes.pods import condition, is_ready
from shiftproof.model.history import Happening


class NodeReader(Remembering):
    """node.present, joined, described, ready, not-ready, cordoned, uncordoned, gone."""

    def _present(self, t_ns: int, thing: Json) -> Iterator[Happening]:
        state = {**_machine(thing), "ready": is_ready(thing), "cordoned": _cordoned(thing)}
        yield self._say(t_ns, thing, "node.present", **state)

    def _told(self, t_ns: int, old: Json | None, new: Json) -> Iterator[Happening]:
        if old is None:
            yield self._say(t_ns, new, "node.joined", **_machine(new))
        elif _machine(new) != _machine(old):  # whoever made the machine labels its node after it has joined
            yield self._say(t_ns, new, "node.described", **_machine(new))
        was_ready, was_cordoned = (is_ready(old), _cordoned(old)) if old is not None else (False, False)
        if is_ready(new) != was_ready:
            said = condition(new, "Ready")
            detail = str(said.get("message", "")) if not is_ready(new) else ""
            kind = "node.ready" if is_ready(new) else "node.not-ready"
            yield self._say(t_ns, new, kind, detail, reason=str(said.get("reason", "")))
        if _cordoned(new) != was_cordoned:
            yield self._say(t_ns, new, "node.cordoned" if _cordoned(new) else "node.uncordoned")

    def _gone(self, t_ns: int, thing: Json) -> Iterator[Happening]:
        yield self._say(t_ns, thing, "node.gone")

    @staticmethod
    def _say(t_ns: int, node: Json, kind: str, detail: str = "", **data: object) -> Happening:
        name = str(node["metadata"]["name"])
        addresses = {found["type"]: found["address"] for found in node.get("status", {}).get("addresses") or ()}
        return happening(t_ns, kind, f"node/{name}", detail, node=name, ip=addresses.get("InternalIP", ""), **data)


def _machine(node: Json) -> dict[str, Any]:
    machine = machine_of(node)
    return {"machine": machine.id, "capacity_type": machine.capacity_type, "zone": machine.zone}


def _cordoned(node: Json) -> bool:
    return bool(node.get("spec", {}).get("unschedulable"))
