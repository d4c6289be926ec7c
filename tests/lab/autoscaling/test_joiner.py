"""Instances that come and go, with nodes that are only noted down."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import cast

import pytest

from shiftproof.errors import LabError
from shiftproof.lab.autoscaling import joiner
from shiftproof.lab.autoscaling.instances import Instance
from shiftproof.lab.autoscaling.joiner import BootDelay, Joiner
from shiftproof.lab.autoscaling.troubles import Troubles
from shiftproof.lab.kube import ApiError, KubeApi
from shiftproof.lab.network import PLACE_IPS
from shiftproof.lab.node import Node
from shiftproof.lab.node_config import Identity
from shiftproof.lab.waiting import until

ONE, TWO = Instance("i-1", "eu-west-1a"), Instance("i-2", "eu-west-1b")


class FakeNode:
    """Notes what is done to it. slow: its containers start only once that is set."""

    def __init__(self, place: str, identity: Identity, slow: threading.Event) -> None:
        self.place, self.identity, self._slow = place, identity, slow
        self.done: list[str] = []

    def start_containers(self) -> None:
        self._slow.wait(30)
        self.done.append("containers")

    def retire(self) -> None:
        self.done.append("retired")


class FakeApi:
    """Node objects that somebody may still hold on to."""

    def __init__(self) -> None:
        self.held: dict[str, int] = {}
        self.asked: list[str] = []

    def delete(self, path: str) -> None:
        name = path.rpartition("/")[2]
        self.asked.append(name)
        if self.held.get(name, 0) == 0:
            raise ApiError("not found", 404)
        self.held[name] -= 1


class Scene:
    def __init__(self, boot_s: float = 0.0) -> None:
        self.instances: list[Instance] = []
        self.nodes: dict[str, Node] = {}
        self.made: list[FakeNode] = []
        self.joined: list[str] = []
        self.slow = threading.Event()
        self.slow.set()
        self.api = FakeApi()
        self.boot = BootDelay(boot_s)
        self.unmade: list[Exception] = []
        self.joiner = Joiner(
            self.nodes,
            lambda: self.instances,
            self._make,
            self._join,
            cast("KubeApi", self.api),
            self.boot,
            Troubles(borne_s=0.0),
        )

    def _make(self, place: str, identity: Identity) -> Node:
        if self.unmade:
            raise self.unmade.pop()
        self.made.append(FakeNode(place, identity, self.slow))
        return cast("Node", self.made[-1])

    def _join(self, node: Node) -> None:
        self.joined.append(cast("FakeNode", node).place)


def soon(condition: Callable[[], bool], what: str) -> None:
    until(lambda: None if condition() else what, 30)


def test_each_instance_becomes_a_node_of_its_own_place_and_zone() -> None:
    scene = Scene()
    scene.instances = [ONE, TWO]
    scene.joiner.tick()
    scene.joiner.tick()
    soon(lambda: len(scene.joined) == 2, "both join")
    assert [node.identity for node in scene.made] == [Identity("eu-west-1a", "i-1"), Identity("eu-west-1b", "i-2")]
    assert list(scene.nodes) == [node.place for node in scene.made]
    assert set(scene.nodes) <= set(PLACE_IPS)


def test_it_joins_once_it_has_booted_and_not_before() -> None:
    scene = Scene(boot_s=600)
    scene.instances = [ONE]
    scene.joiner.tick()
    soon(lambda: scene.made[0].done == ["containers"], "containers start meanwhile")
    assert scene.joined == []
    scene.boot.set(0, 0)
    soon(lambda: scene.joined == ["node-11"], "it joins")


def test_what_ends_is_taken_away_with_its_object_and_its_place_is_free_again() -> None:
    scene = Scene()
    scene.instances = [ONE]
    scene.joiner.tick()
    soon(lambda: scene.joined == ["node-11"], "it joins")
    scene.api.held["node-11"] = 1
    scene.instances = []
    scene.joiner.tick()
    soon(lambda: scene.api.held["node-11"] == 0, "its object goes")
    assert "node-11" not in scene.nodes
    assert scene.made[0].done[-1] == "retired"
    soon(lambda: len(scene.api.asked) == 2, "until it is gone")

    def again() -> bool:
        scene.instances = [TWO]
        scene.joiner.tick()
        return bool(scene.nodes)

    soon(again, "another takes a place")
    assert next(iter(scene.nodes)) in PLACE_IPS


def test_a_place_that_somebody_holds_on_to_is_given_to_nobody() -> None:
    scene = Scene()
    scene.instances = [ONE]
    scene.joiner.tick()
    soon(lambda: scene.joined == ["node-11"], "it joins")
    scene.api.held["node-11"] = 10**6
    scene.instances = [TWO]
    scene.joiner.tick()
    soon(lambda: scene.joined == ["node-11", "node-12"], "the next place is taken")


def test_one_that_ends_while_it_boots_never_joins() -> None:
    scene = Scene(boot_s=600)
    scene.slow.clear()
    scene.instances = [ONE]
    scene.joiner.tick()
    scene.instances = []
    scene.joiner.tick()
    scene.slow.set()
    soon(lambda: not scene.nodes, "it is taken away")
    soon(
        lambda: scene.made[0].done[-2:] == ["containers", "retired"] or scene.made[0].done.count("retired") == 2,
        "twice",
    )
    assert scene.joined == []


def test_more_instances_than_places_are_a_problem_that_is_told() -> None:
    scene = Scene()
    scene.instances = [Instance(f"i-{number}", "eu-west-1a") for number in range(len(PLACE_IPS) + 1)]
    scene.joiner.tick()
    assert len(scene.nodes) == len(PLACE_IPS)
    assert scene.joiner.problem() == f"no place for i-8: the lab has {len(PLACE_IPS)} for machines"


def test_a_place_that_was_missing_is_told_to_whoever_measured_meanwhile() -> None:
    scene = Scene()
    before_s = time.monotonic()
    scene.instances = [Instance(f"i-{number}", "eu-west-1a") for number in range(len(PLACE_IPS) + 1)]
    scene.joiner.tick()
    scene.instances.pop()
    scene.joiner.tick()
    assert scene.joiner.problem() is None
    assert "no place for i-8" in str(scene.joiner.problem(before_s))
    assert scene.joiner.problem(time.monotonic()) is None


def test_what_did_not_boot_is_told_until_it_is_gone_and_to_whoever_measured_meanwhile() -> None:
    scene = Scene()
    before_s = time.monotonic()

    def refuse(_: Node) -> None:
        raise TimeoutError("containerd does not come up")

    scene.joiner._join = refuse
    scene.instances = [ONE]
    scene.joiner.tick()
    told = "node-11 (i-1) did not boot: containerd does not come up"
    soon(lambda: scene.joiner.problem() == told, "it is told")
    scene.instances = []
    scene.joiner.tick()
    soon(lambda: not scene.nodes, "it is gone")
    assert scene.joiner.problem() is None
    assert scene.joiner.problem(before_s) == told


def test_a_node_that_cannot_be_made_is_told_and_tried_again() -> None:
    scene = Scene()
    before_s = time.monotonic()
    scene.unmade = [LabError("no bridge"), TimeoutError()]
    scene.instances = [ONE]
    scene.joiner.tick()
    assert scene.joiner.problem() == "node-11 (i-1) could not be made: TimeoutError"
    scene.joiner.tick()
    assert scene.joiner.problem() == "node-11 (i-1) could not be made: no bridge"
    scene.joiner.tick()
    soon(lambda: scene.joined == ["node-11"], "it joins all the same")
    assert scene.joiner.problem() is None
    assert "could not be made" in str(scene.joiner.problem(before_s))


def test_one_that_was_never_made_is_no_trouble_once_it_is_gone() -> None:
    scene = Scene()
    scene.unmade = [LabError("no bridge")]
    scene.instances = [ONE]
    scene.joiner.tick()
    scene.instances = []
    scene.joiner.tick()
    assert (scene.joiner.problem(), scene.nodes) == (None, {})


def test_instances_that_cannot_be_followed_are_told_until_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    monkeypatch.setattr(joiner, "EVERY_S", 0.01)
    scene.joiner.start()
    answer = scene.joiner._instances

    def refuse() -> list[Instance]:
        raise ConnectionRefusedError("refused")

    monkeypatch.setattr(scene.joiner, "_instances", refuse)
    soon(lambda: scene.joiner.problem() == "instances cannot be followed: refused", "it is told")
    monkeypatch.setattr(scene.joiner, "_instances", answer)
    soon(lambda: scene.joiner.problem() is None, "it is over")
    scene.joiner.stop()


def test_a_changed_delay_ends_by_itself() -> None:
    boot = BootDelay(40)
    assert boot.set(220, 0.05) == 40
    assert boot.get() == 220
    soon(lambda: boot.get() == 40, "its end")


def test_an_aws_that_does_not_answer_is_told_and_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shiftproof.lab.autoscaling.joiner.EVERY_S", 0.01)
    scene = Scene()
    scene.joiner.start()
    answers = iter([LabError("no answer")])

    def instances() -> list[Instance]:
        for error in answers:
            raise error
        return [ONE]

    scene.joiner._instances = instances
    soon(lambda: scene.joined == ["node-11"], "it is asked again")
    scene.joiner.stop()
