"""Faults for load events that the lab makes: a zone, the source of metrics, late nodes."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest
from fakes.kubernetes_api import FakeKubernetes, node, pod

from shiftproof.adapters import embedded_lab
from shiftproof.adapters.ec2 import Ec2Machine, Machines
from shiftproof.chaos import boot, metrics
from shiftproof.chaos.boot import slow_one
from shiftproof.chaos.metrics import hide_one, show_all
from shiftproof.chaos.scene import Scene
from shiftproof.chaos.undo import HANDLERS, undo_kind
from shiftproof.chaos.zones import lose_one_zone, pick_zone
from shiftproof.errors import FaultError
from shiftproof.gate.undo import HANDLERS as GATE_HANDLERS
from shiftproof.lab.control import LabControl

NODES, PODS = "/api/v1/nodes", "/api/v1/namespaces/payments/pods"
HPA = "/apis/autoscaling/v2/namespaces/payments/horizontalpodautoscalers/payments"
SCALED = "/apis/keda.sh/v1alpha1/namespaces/payments/scaledobjects/payments"


class FakeLab(LabControl):
    """Does what it is told, and remembers; each change must be on disk by then, with the end that it is given."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(Path("/nowhere"))
        self.scene = scene
        self.off: list[str] = []
        self.doors: dict[str, socket.socket] = {}
        self.paused: set[str] = set()
        self.boot_s = 40.0
        self.on_change: Any = lambda: None

    def power_off(self, node: str, for_s: float) -> None:
        self._journalled(for_s)
        self.off.append(node)
        self.doors[node].close()

    def pause_part(self, name: str, for_s: float) -> None:
        self._journalled(for_s)
        self.paused.add(name)
        self.on_change()

    def resume_part(self, name: str) -> None:
        self.paused.discard(name)
        self.on_change()

    def set_boot_delay(self, seconds: float, for_s: float) -> float:
        self._journalled(None)
        former_s, self.boot_s = self.boot_s, seconds
        self.on_change()
        return former_s

    def _journalled(self, for_s: float | None) -> None:
        pending = self.scene.journal.pending()
        assert pending, "it is on disk before it is made"
        assert for_s is None or pending[-1].lease_s == for_s


@pytest.fixture
def lab(fake_and_scene: tuple[FakeKubernetes, Scene], monkeypatch: pytest.MonkeyPatch) -> FakeLab:
    _, scene = fake_and_scene
    made = FakeLab(scene)
    monkeypatch.setattr(embedded_lab, "LabControl", lambda: made)
    monkeypatch.setattr(embedded_lab, "load_target", lambda name: scene.target)
    return made


def test_an_actions_undo_is_the_one_that_recover_uses() -> None:
    for kind, handler in HANDLERS.items():
        module, _, function = GATE_HANDLERS[kind].partition(":")
        assert handler.__name__ == function
        assert handler.__module__ == module


# --- a zone


def in_zone(fake: FakeKubernetes, zones: dict[str, str]) -> None:
    for name, zone in zones.items():
        labels = {"topology.kubernetes.io/zone": zone} if zone else {}
        fake.put(f"{NODES}/{name}", node(name, labels=labels))


@pytest.fixture
def doors(fake_and_scene: tuple[FakeKubernetes, Scene], lab: FakeLab) -> Iterator[None]:
    """A real port for the pod of each node."""
    fake, _ = fake_and_scene
    with ExitStack() as stack:
        for number in (1, 2):
            door = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            there = pod(f"p{number}", node=f"node-{number}", ip="127.0.0.1")
            there["spec"]["containers"][0]["ports"] = [{"containerPort": door.getsockname()[1]}]
            fake.put(f"{PODS}/p{number}", there)
            lab.doors[f"node-{number}"] = door
        yield


@pytest.mark.usefixtures("doors")
def test_a_zone_is_lost_whole(fake_and_scene: tuple[FakeKubernetes, Scene], lab: FakeLab) -> None:
    fake, scene = fake_and_scene
    in_zone(fake, {"node-1": "a", "node-2": "a", "node-3": "b"})
    scene = Scene(
        scene.target.model_copy(update={"max_zone_nodes_hurt": 2}),
        *(getattr(scene, name) for name in ("service", "api", "journal", "random", "faults_allowed", "run_id")),
    )
    report = lose_one_zone(scene, lab, 90)
    assert lab.off == ["node-1", "node-2"]
    assert report["victims"] == ["node/node-1", "pod/p1", "node/node-2", "pod/p2"]
    assert (report["effect"], report["facts"]["zone"]) == ("confirmed", "a")
    assert [entry.subject for entry in scene.journal.pending()] == ["node/node-1", "node/node-2"]


@pytest.mark.parametrize(
    ("zones", "said"),
    [
        ({"node-1": "a", "node-2": "a", "node-3": "b"}, "allows a zone of 1 node to be lost, and a has 2"),
        ({"node-1": "", "node-2": ""}, "says which zone"),
        ({"node-1": "a", "node-2": "a"}, "all nodes are in a"),
    ],
)
def test_a_zone_is_not_lost_in_part_nor_the_last_one(
    fake_and_scene: tuple[FakeKubernetes, Scene], zones: dict[str, str], said: str
) -> None:
    fake, scene = fake_and_scene
    in_zone(fake, zones)
    with pytest.raises(FaultError, match=said):
        pick_zone(scene)


def test_one_that_carries_the_service_is_picked(fake_and_scene: tuple[FakeKubernetes, Scene]) -> None:
    fake, scene = fake_and_scene
    in_zone(fake, {"node-1": "a", "node-2": "b", "node-3": "c"})
    assert {pick_zone(scene)[0] for _ in range(30)} == {"a", "b"}
    fake.put(f"{NODES}/node-3", node("node-3", cordoned=True))
    with pytest.raises(FaultError, match="two faults"):
        pick_zone(scene)


# --- metrics


def autoscaler(*, active: bool = True, keda: bool = False) -> dict[str, Any]:
    reason = "ValidMetricFound" if active else "FailedGetExternalMetric"
    owners = [{"kind": "ScaledObject", "name": "payments"}] if keda else []
    return {
        "metadata": {"name": "payments", "ownerReferences": owners},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "payments"}},
        "status": {"conditions": [{"type": "ScalingActive", "status": str(active), "reason": reason, "message": "no"}]},
    }


def scaled_object(*, fallback: bool) -> dict[str, Any]:
    said = {"type": "Fallback", "status": str(fallback), "reason": "FallbackExists", "message": "fallback is used"}
    return {"metadata": {"name": "payments"}, "status": {"conditions": [said]}}


def test_metrics_are_gone_and_back(fake_and_scene: tuple[FakeKubernetes, Scene], lab: FakeLab) -> None:
    fake, scene = fake_and_scene
    fake.put(HPA, autoscaler())
    lab.on_change = lambda: fake.put(HPA, autoscaler(active=not lab.paused))
    report = hide_one(scene, lab, "prometheus", 120, 5)
    assert lab.paused == {"prometheus"}
    assert report["victims"] == ["part/prometheus"]
    assert report["facts"]["blind"] == "FailedGetExternalMetric: no"
    assert list(show_all(scene, 5)["ended"]) == ["part/prometheus"]
    assert lab.paused == set()
    assert scene.journal.pending() == ()
    assert show_all(scene, 5) == {"ended": {}}, "a second time there is nothing to do"


def test_a_fallback_hides_blindness_from_the_autoscaler_and_not_from_us(
    fake_and_scene: tuple[FakeKubernetes, Scene], lab: FakeLab
) -> None:
    fake, scene = fake_and_scene
    fake.put(HPA, autoscaler(keda=True))
    fake.put(SCALED, scaled_object(fallback=False))
    lab.on_change = lambda: fake.put(SCALED, scaled_object(fallback=bool(lab.paused)))
    assert hide_one(scene, lab, "prometheus", 120, 5)["facts"]["blind"] == "FallbackExists: fallback is used"


def test_an_autoscaler_that_still_sees_was_not_made_blind(
    fake_and_scene: tuple[FakeKubernetes, Scene], lab: FakeLab
) -> None:
    fake, scene = fake_and_scene
    fake.put(HPA, autoscaler())
    with pytest.raises(FaultError, match="still sees its metric"):
        hide_one(scene, lab, "metrics-server", 1, 0.1)
    undo_kind(scene, metrics.PART)
    assert lab.paused == set()


def test_one_that_stays_blind_is_said(fake_and_scene: tuple[FakeKubernetes, Scene], lab: FakeLab) -> None:
    fake, scene = fake_and_scene
    fake.put(HPA, autoscaler())
    lab.on_change = lambda: fake.put(HPA, autoscaler(active=False))
    hide_one(scene, lab, "prometheus", 120, 5)
    with pytest.raises(FaultError, match="the metrics are back, and the autoscaler is blind"):
        show_all(scene, 0.1)


@pytest.mark.parametrize(
    ("hpa", "part", "for_s", "said"),
    [
        (None, "prometheus", 9, "has no autoscaler"),
        (autoscaler(active=False), "prometheus", 9, "blind already"),
        (autoscaler(), "karpenter", 9, "no autoscaler is blind without 'karpenter'"),
        (autoscaler(), "prometheus", 1, "before anybody need have missed it"),
    ],
)
def test_what_would_prove_nothing_is_not_made(
    fake_and_scene: tuple[FakeKubernetes, Scene], lab: FakeLab, hpa: Any, part: str, for_s: float, said: str
) -> None:
    fake, scene = fake_and_scene
    if hpa is not None:
        fake.put(HPA, hpa)
    with pytest.raises(FaultError, match=said):
        hide_one(scene, lab, part, for_s, 2)
    assert (lab.paused, scene.journal.pending()) == (set(), ())


# --- late nodes


class FakeMachines:
    """How long ago each machine was launched."""

    def __init__(self, **age_s: float) -> None:
        self.launched_s = {name.replace("_", "-"): time.time() - age for name, age in age_s.items()}

    def one(self, instance: str) -> Ec2Machine:
        return Ec2Machine(instance, self.launched_s[instance], "on-demand", "a", "running", "1", {})


def joins(fake: FakeKubernetes, name: str, machine: str) -> None:
    fake.put(f"{NODES}/{name}", node(name, provider_id=f"aws:///a/{machine}"))


def test_a_node_that_joined_late_is_the_proof(fake_and_scene: tuple[FakeKubernetes, Scene], lab: FakeLab) -> None:
    fake, scene = fake_and_scene
    machines = FakeMachines(i_old=30, i_new=0.5)
    lab.boot_s = 0.1

    def launch() -> None:
        joins(fake, "node-8", "i-old")
        joins(fake, "node-9", "i-new")
        fake.put(f"{PODS}/new", pod("new", node="node-9"))

    lab.on_change = launch
    report = slow_one(scene, lab, cast("Machines", machines), 0.2, 5)
    assert report["victims"] == ["machine/i-new"], "the other one was launched before, and no node was taken away"
    assert (report["facts"]["node"], report["facts"]["former_s"]) == ("node-9", 0.1)
    assert list(undo_kind(scene, boot.BOOT)) == ["lab/boot-delay"]
    assert lab.boot_s == scene.target.events.node_boot_s


def test_one_that_joined_in_no_time_shows_that_nothing_was_slow(
    fake_and_scene: tuple[FakeKubernetes, Scene], lab: FakeLab
) -> None:
    fake, scene = fake_and_scene

    def launch() -> None:
        joins(fake, "node-9", "i-new")
        fake.put(f"{PODS}/new", pod("new", node="node-9"))

    lab.on_change = launch
    with pytest.raises(FaultError, match="although a boot was to take 120 s"):
        slow_one(scene, lab, cast("Machines", FakeMachines(i_new=0)), 120, 5)


def test_a_node_that_only_others_use_was_not_late_for_the_service(
    fake_and_scene: tuple[FakeKubernetes, Scene], lab: FakeLab
) -> None:
    fake, scene = fake_and_scene
    lab.on_change = lambda: joins(fake, "node-9", "i-new")
    with pytest.raises(FaultError, match="no pod of payments came to node-9 within"):
        slow_one(scene, lab, cast("Machines", FakeMachines(i_new=0)), 120, 0.3)


def test_where_no_machine_is_launched_nothing_is_proven(
    fake_and_scene: tuple[FakeKubernetes, Scene], lab: FakeLab
) -> None:
    _, scene = fake_and_scene
    with pytest.raises(FaultError, match="no machine was launched"):
        slow_one(scene, lab, cast("Machines", FakeMachines()), 120, 0.1)
    with pytest.raises(FaultError, match="120 s to boot as it is"):
        slow_one(scene, lab, cast("Machines", FakeMachines()), 120, 0.1)
