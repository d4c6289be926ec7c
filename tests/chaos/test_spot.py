from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any, cast

import pytest
from fakes.kubernetes_api import FakeKubernetes, node, pod

from shiftproof.adapters.ec2 import Ec2Machine, Machines, SpotMarket
from shiftproof.chaos.scene import Scene
from shiftproof.chaos.spot import interrupt_one, reclaim_all
from shiftproof.errors import FaultError, RefusedError

SPOT = {"karpenter.sh/capacity-type": "spot"}
NODES = "/api/v1/nodes"


class FakeMarket(SpotMarket):
    """Machines by id. What ends takes its node along, as the cloud's node controller does, unless `deaf`."""

    def __init__(self, fake: FakeKubernetes) -> None:
        super().__init__(cast("Machines", None), cast("Any", None), queue="q", region="r")
        self.fake = fake
        self.nodes: dict[str, str] = {}
        self.ended: list[str] = []
        self.told: list[str] = []
        self.deaf = False
        self.on_notice: Callable[[str], None] = lambda instance: None

    def notify(self, instance: str) -> None:
        self.told.append(instance)
        self.on_notice(instance)

    def kill(self, instance: str) -> None:
        if instance not in self.ended:
            self.ended.append(instance)
            if not self.deaf:
                self.fake.remove(f"{NODES}/{self.nodes[instance]}")

    def state(self, instance: str) -> Ec2Machine:
        machine = Ec2Machine(instance, 0.0, "spot", "a", "running", "1", {})
        return replace(machine, state="terminated") if instance in self.ended else machine


@pytest.fixture
def market(fake_and_scene: tuple[FakeKubernetes, Scene]) -> FakeMarket:
    """Two Spot nodes beside the two others, one with a worker's pod on it."""
    fake, _ = fake_and_scene
    made = FakeMarket(fake)
    for number in (1, 2):
        name, machine = f"spot-{number}", f"i-{number}"
        fake.put(f"{NODES}/{name}", node(name, labels=SPOT, provider_id=f"aws:///a/{machine}"))
        made.nodes[machine] = name
    worker = pod("statements-x", node="spot-2", labels={"app": "statements"})
    worker["metadata"]["namespace"] = "statements"
    fake.put("/api/v1/namespaces/statements/pods/statements-x", worker)
    return made


def test_one_that_carries_pods_is_interrupted_and_its_end_awaited(
    fake_and_scene: tuple[FakeKubernetes, Scene], market: FakeMarket
) -> None:
    fake, scene = fake_and_scene
    report = interrupt_one(scene, market, 0.05, 1)
    assert market.told == market.ended == ["i-2"], "told first; the other one carries nothing"
    assert report["victims"] == ["node/spot-2", "pod/statements-x"]
    assert report["effect"] == "confirmed"
    facts = report["facts"]
    assert (facts["noticed"], facts["left_early"], facts["machines"]) == (True, False, ["i-2"])
    assert facts["pods"] == ["statements/statements-x"]
    assert f"{NODES}/spot-2" not in fake.objects


def test_a_node_with_work_in_hand_goes_before_one_on_which_pods_only_begin(
    fake_and_scene: tuple[FakeKubernetes, Scene], market: FakeMarket
) -> None:
    fake, scene = fake_and_scene
    starting = pod("statements-y", node="spot-1", ready=False, labels={"app": "statements"})
    starting["metadata"]["namespace"] = "statements"
    fake.put("/api/v1/namespaces/statements/pods/statements-y", starting)
    chosen = {_first_choice(scene, market, seed) for seed in range(20)}
    assert chosen == {"spot-2"}
    fake.remove("/api/v1/namespaces/statements/pods/statements-x")
    chosen = {_first_choice(scene, market, seed) for seed in range(20)}
    assert chosen == {"spot-1"}, "better one where pods begin than one that carries none"
    fake.remove("/api/v1/namespaces/statements/pods/statements-y")
    chosen = {_first_choice(scene, market, seed) for seed in range(20)}
    assert chosen == {"spot-1", "spot-2"}


def _first_choice(scene: Scene, market: FakeMarket, seed: int) -> str:
    """The node that would be taken with that seed: its notice ends the run of it."""

    class ToldError(Exception):
        pass

    def told(instance: str) -> None:
        raise ToldError(market.nodes[instance])

    market.on_notice = told
    with pytest.raises(ToldError) as said:
        interrupt_one(replace(scene, random=Random(seed)), market, 0, 1)
    return str(said.value)


def test_a_notice_that_was_heeded_is_told(fake_and_scene: tuple[FakeKubernetes, Scene], market: FakeMarket) -> None:
    _, scene = fake_and_scene
    market.on_notice = market.kill
    assert interrupt_one(scene, market, 0.05, 1)["facts"]["left_early"] is True


def test_a_node_that_still_serves_was_not_taken_away(
    fake_and_scene: tuple[FakeKubernetes, Scene], market: FakeMarket
) -> None:
    _, scene = fake_and_scene
    market.deaf = True
    with pytest.raises(FaultError, match="spot-2 still counts as ready"):
        interrupt_one(scene, market, 0.01, 0.1)


def test_another_machine_of_the_nodes_name_is_another_node(
    fake_and_scene: tuple[FakeKubernetes, Scene], market: FakeMarket
) -> None:
    fake, scene = fake_and_scene

    def replaced(instance: str) -> None:
        market.kill(instance)
        fake.put(f"{NODES}/spot-2", node("spot-2", labels=SPOT, provider_id="aws:///a/i-9"))

    market.on_notice = replaced
    assert interrupt_one(scene, market, 0.01, 0.1)["victims"][0] == "node/spot-2"


def test_the_whole_pool_goes_without_a_word(fake_and_scene: tuple[FakeKubernetes, Scene], market: FakeMarket) -> None:
    _, scene = fake_and_scene
    report = reclaim_all(scene, market, 1)
    assert market.told == []
    assert sorted(market.ended) == ["i-1", "i-2"]
    assert report["victims"] == ["node/spot-1", "node/spot-2", "pod/statements-x"]
    assert report["facts"]["noticed"] is False


def test_without_a_spot_node_nothing_is_proven(fake_and_scene: tuple[FakeKubernetes, Scene]) -> None:
    fake, scene = fake_and_scene
    with pytest.raises(FaultError, match="there is no Spot node"):
        reclaim_all(scene, FakeMarket(fake), 1)
    with pytest.raises(FaultError, match="there is no Spot node"):
        interrupt_one(scene, FakeMarket(fake), 0, 1)


def test_the_pool_stays_where_nothing_else_would_be_left(
    fake_and_scene: tuple[FakeKubernetes, Scene], market: FakeMarket
) -> None:
    fake, scene = fake_and_scene
    for number in (1, 2):
        fake.put(f"{NODES}/node-{number}", node(f"node-{number}", ready=False))
    with pytest.raises(FaultError, match="only Spot nodes"):
        reclaim_all(scene, market, 1)
    assert market.ended == []


def test_outside_the_lab_it_must_be_allowed(fake_and_scene: tuple[FakeKubernetes, Scene], market: FakeMarket) -> None:
    _, scene = fake_and_scene
    there = replace(scene, target=scene.target.model_copy(update={"kind": "eks"}))
    with pytest.raises(RefusedError, match="not allowed"):
        reclaim_all(there, market, 1)
    assert market.ended == []
