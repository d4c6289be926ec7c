from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes.kubernetes_api import FakeKubernetes, node, pod

from shiftproof.chaos import nodes
from shiftproof.chaos.nodes import drain_one, lose_one, pick_node
from shiftproof.chaos.scene import Scene
from shiftproof.chaos.undo import undo_kind
from shiftproof.errors import FaultError, UndoError
from shiftproof.lab.control import LabControl

PODS = "/api/v1/namespaces/payments/pods"


def goes_at_once(fake: FakeKubernetes) -> None:
    def on_call(verb: str, path: str, body: Any) -> None:
        if verb == "GET" and "deletionTimestamp" in fake.objects.get(path, {}).get("metadata", {}):
            fake.remove(path)

    fake.on_call = on_call


def on_node_1(fake: FakeKubernetes, *extra: dict[str, Any]) -> None:
    """Only node-1 carries the service, so it is the one that is picked; `extra` pods are there as well."""
    fake.remove(f"{PODS}/p2")
    for thing in extra:
        fake.put(f"/api/v1/namespaces/payments/pods/{thing['metadata']['name']}", thing)


def cordoned(fake: FakeKubernetes, name: str) -> bool:
    return bool(fake.objects[f"/api/v1/nodes/{name}"]["spec"].get("unschedulable"))


def test_a_drain_asks_again_when_a_budget_refuses(fake_and_scene: tuple[FakeKubernetes, Scene]) -> None:
    fake, scene = fake_and_scene
    on_node_1(fake)
    goes_at_once(fake)
    fake.evictions = [429, 429, 429]
    report = drain_one(scene, 5)
    assert report["victims"] == ["node/node-1", "pod/p1"]
    assert report["facts"]["evictions_refused"] == 3
    assert "service_problem" not in report
    assert cordoned(fake, "node-1")


def test_a_budget_that_refuses_to_the_end_is_the_services_problem(fake_and_scene: tuple[FakeKubernetes, Scene]) -> None:
    fake, scene = fake_and_scene
    on_node_1(fake)
    fake.evictions = [429] * 1000
    report = drain_one(scene, 0.2)
    assert report["effect"] == "confirmed"
    assert "violate the pod's disruption budget" in report["service_problem"]
    assert "p1" in report["service_problem"]


def test_another_pods_budget_is_not_the_services_problem(fake_and_scene: tuple[FakeKubernetes, Scene]) -> None:
    fake, scene = fake_and_scene
    on_node_1(fake, pod("z-stranger", labels={"app": "other"}))
    goes_at_once(fake)
    fake.evictions = [201] + [429] * 1000
    with pytest.raises(FaultError, match="z-stranger could not go"):
        drain_one(scene, 0.2)


def test_a_drain_that_the_api_refuses_is_an_error(fake_and_scene: tuple[FakeKubernetes, Scene]) -> None:
    fake, scene = fake_and_scene
    on_node_1(fake)
    fake.evictions = [500]
    with pytest.raises(FaultError, match="could not be evicted"):
        drain_one(scene, 5)


def test_daemonsets_and_static_pods_stay(fake_and_scene: tuple[FakeKubernetes, Scene]) -> None:
    fake, scene = fake_and_scene
    daemon = pod("daemon", labels={"app": "d"})
    daemon["metadata"]["ownerReferences"] = [{"kind": "DaemonSet", "name": "d", "controller": True}]
    static = pod("static", labels={"app": "s"}, annotations={"kubernetes.io/config.mirror": "x"})
    on_node_1(fake, daemon, static)
    goes_at_once(fake)
    assert drain_one(scene, 5)["victims"] == ["node/node-1", "pod/p1"]


def test_the_cordon_is_on_disk_before_it_is_made(fake_and_scene: tuple[FakeKubernetes, Scene]) -> None:
    fake, scene = fake_and_scene
    on_node_1(fake)
    pending_at_patch: list[str] = []

    def on_call(verb: str, path: str, body: Any) -> None:
        if verb == "PATCH":
            pending_at_patch.extend(entry.subject for entry in scene.journal.pending())

    fake.on_call = on_call
    fake.evictions = [500]
    with pytest.raises(FaultError):
        drain_one(scene, 5)
    assert pending_at_patch == ["node/node-1"]


def test_uncordoning_undoes_this_runs_cordons_and_no_others(fake_and_scene: tuple[FakeKubernetes, Scene]) -> None:
    fake, scene = fake_and_scene
    on_node_1(fake)
    goes_at_once(fake)
    drain_one(scene, 5)
    fake.put("/api/v1/nodes/node-3", node("node-3", cordoned=True))
    assert list(undo_kind(scene, nodes.CORDON)) == ["node/node-1"]
    assert not cordoned(fake, "node-1")
    assert cordoned(fake, "node-3"), "an operator's cordon is not ours to take away"
    assert scene.journal.pending() == ()
    assert undo_kind(scene, nodes.CORDON) == {}, "a second time there is nothing to do"


def test_an_undo_that_fails_stays_on_disk(fake_and_scene: tuple[FakeKubernetes, Scene]) -> None:
    fake, scene = fake_and_scene
    on_node_1(fake)
    goes_at_once(fake)
    drain_one(scene, 5)
    scene.journal.record(kind=nodes.POWER, subject="node/node-1", undo={"target": "lab", "node": "node-1"}, lease_s=1)
    with pytest.raises(UndoError, match="could not be given its power back"):
        undo_kind(scene, nodes.POWER)  # there is no lab in this test
    assert [entry.kind for entry in scene.journal.pending()] == [nodes.CORDON, nodes.POWER]


def test_no_more_nodes_are_hurt_than_the_target_allows(fake_and_scene: tuple[FakeKubernetes, Scene]) -> None:
    fake, scene = fake_and_scene
    fake.put("/api/v1/nodes/node-3", node("node-3", ready=False))
    with pytest.raises(FaultError, match="allows 1 node to be hurt"):
        pick_node(scene)


def test_the_last_node_is_not_taken(fake_and_scene: tuple[FakeKubernetes, Scene]) -> None:
    fake, scene = fake_and_scene
    fake.remove("/api/v1/nodes/node-2")
    with pytest.raises(FaultError, match="no second node"):
        pick_node(scene)


class Lab(LabControl):
    """Closes the door of the pod, or does nothing although it says so."""

    def __init__(self, door: socket.socket | None, journal_before: list[int], scene: Scene) -> None:
        super().__init__(Path("/nowhere"))
        self.door = door
        self.journal_before = journal_before
        self.scene = scene

    def power_off(self, node: str, for_s: float) -> None:
        self.journal_before.append(len(self.scene.journal.pending()))
        if self.door is not None:
            self.door.close()


@pytest.fixture
def door(fake_and_scene: tuple[FakeKubernetes, Scene]) -> Iterator[socket.socket]:
    """A real port on which the pod of node-1 accepts connections."""
    fake, _ = fake_and_scene
    on_node_1(fake)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        there = pod("p1", ip="127.0.0.1")
        there["spec"]["containers"][0]["ports"] = [{"containerPort": listening.getsockname()[1]}]
        fake.put(f"{PODS}/p1", there)
        yield listening


def test_a_lost_node_is_confirmed_by_its_silence(
    fake_and_scene: tuple[FakeKubernetes, Scene], door: socket.socket
) -> None:
    _, scene = fake_and_scene
    journalled: list[int] = []
    report = lose_one(scene, Lab(door, journalled, scene), 20)
    assert report["victims"] == ["node/node-1", "pod/p1"]
    assert journalled == [1], "on disk before the power is cut"
    (entry,) = scene.journal.pending()
    assert (entry.kind, entry.lease_s) == ("node-power", 20)


def test_a_node_that_still_answers_was_not_lost(
    fake_and_scene: tuple[FakeKubernetes, Scene], door: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, scene = fake_and_scene
    monkeypatch.setattr(nodes, "CUT_SEEN_WITHIN_S", 0.1)
    with pytest.raises(FaultError, match="still answers"):
        lose_one(scene, Lab(None, [], scene), 20)


def test_a_pod_that_was_silent_before_proves_nothing(
    fake_and_scene: tuple[FakeKubernetes, Scene], door: socket.socket
) -> None:
    _, scene = fake_and_scene
    door.close()
    journalled: list[int] = []
    with pytest.raises(FaultError, match="did not answer before"):
        lose_one(scene, Lab(door, journalled, scene), 20)
    assert journalled == [], "and the power is left alone"
