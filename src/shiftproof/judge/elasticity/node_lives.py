"""Nodes of one name, one after the other: machines come and go, and a name may come again with another of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from shiftproof.model.history import Happening

_PRESENT, _JOINED = "node.present", "node.joined"


def apart(timeline: Iterable[Happening]) -> Iterator[Happening]:
    """The timeline by time, with each later life of a node under a name of its own: "node-11", then "node-11 (2)".

    What is told of pods names the node as it was called when that was told.
    """
    lives: dict[str, int] = {}
    for happening in sorted(timeline, key=lambda happening: happening.t_ns):
        sort, _, name = happening.subject.partition("/")
        if sort == "node":
            if happening.kind == _JOINED:
                lives[name] = lives.get(name, 0) + 1
            elif happening.kind == _PRESENT:
                lives.setdefault(name, 1)
            yield replace(happening, subject=f"node/{_called(name, lives)}")
        elif happening.data.get("node"):
            yield replace(happening, data={**happening.data, "node": _called(str(happening.data["node"]), lives)})
        else:
            yield happening


def _called(name: str, lives: dict[str, int]) -> str:
    life = lives.get(name, 1)
    return name if life == 1 else f"{name} ({life})"
