"""Which nodes are named when pods do not serve."""

from __future__ import annotations

from typing import Any

import pytest
from fakes.kubernetes_api import node, pod

from shiftproof.adapters.kubernetes.nodes import hindering

NOW_NS = 1_767_225_660_000_000_000  # 2026-01-01T00:01:00Z


def unplaced(**selector: str) -> dict[str, Any]:
    found = pod("p", ready=False)
    found["spec"] = {"nodeSelector": selector}
    return found


def ready_since(when: str) -> dict[str, Any]:
    found = node("node-2")
    found["status"]["conditions"][0]["lastTransitionTime"] = when
    return found


@pytest.mark.parametrize(
    ("thing", "second", "named"),
    [
        (pod("p", node="node-2"), node("node-2", ready=False), ()),
        (pod("p", node="node-2", ready=False), node("node-2"), ()),
        (pod("p", node="node-2", ready=False), node("node-2", ready=False), ("node-2 is not ready",)),
        (pod("p", node="node-2", ready=False), node("node-2", cordoned=True), ()),
        (pod("p", node="node-2", ready=False), ready_since("2026-01-01T00:00:50Z"), ("node-2 is back for only 10 s",)),
        (pod("p", node="node-2", ready=False), ready_since("2026-01-01T00:00:00Z"), ()),
        (pod("p", node="node-9", ready=False), node("node-2"), ("node-9 is gone",)),
        (unplaced(), node("node-2", cordoned=True), ("node-2 is cordoned",)),
        (unplaced(), node("node-2", ready=False, cordoned=True), ("node-2 is not ready",)),
        (unplaced(disk="fast"), node("node-2", cordoned=True), ()),
    ],
)
def test_a_node_is_named_only_for_what_it_does(thing: Any, second: Any, named: tuple[str, ...]) -> None:
    assert hindering([thing], [node("node-1"), second], NOW_NS) == named
