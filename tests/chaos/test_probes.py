from __future__ import annotations

import pytest
from fakes.kubernetes_api import FakeKubernetes, node, pod

from shiftproof.adapters.kubernetes import KubernetesError
from shiftproof.chaos.probes import STEADY, missing, steady_within
from shiftproof.chaos.scene import Scene, wait_for
from shiftproof.errors import FaultError
from shiftproof.ports import TargetState

PODS = "/api/v1/namespaces/payments/pods"
HEALTHY = [TargetState("198.18.1.2:8080", "healthy"), TargetState("198.18.2.2:8080", "healthy")]


def test_all_ready_and_all_healthy_is_steady(fake_and_scene: tuple[FakeKubernetes, Scene]) -> None:
    _, scene = fake_and_scene
    leaving = TargetState("198.18.1.99:8080", "draining", "Target.DeregistrationInProgress")
    assert steady_within(scene, lambda: [*HEALTHY, leaving], 1) == STEADY


def test_what_is_missing_is_said(fake_and_scene: tuple[FakeKubernetes, Scene]) -> None:
    fake, scene = fake_and_scene
    assert missing(scene, list) == "the load balancer does not know the ready pod at 198.18.1.2"
    sick = [HEALTHY[0], TargetState("198.18.2.2:8080", "unhealthy", "Target.Timeout")]
    assert (
        missing(scene, lambda: sick) == "the load balancer calls the ready pod at 198.18.2.2 unhealthy Target.Timeout"
    )
    ghost = TargetState("198.18.1.99:8080", "healthy")
    assert "still sends to 198.18.1.99:8080" in missing(scene, lambda: [*HEALTHY, ghost])
    fake.put(f"{PODS}/p2", pod("p2", waiting=("CrashLoopBackOff", "back-off 10s")))
    assert missing(scene, lambda: HEALTHY) == "1 of 2 pods are ready (CrashLoopBackOff: back-off 10s (pod p2))"


def test_a_service_of_no_replicas_is_not_steady(fake_and_scene: tuple[FakeKubernetes, Scene]) -> None:
    fake, scene = fake_and_scene
    fake.objects["/apis/apps/v1/namespaces/payments/deployments/payments"]["spec"]["replicas"] = 0
    for name in ("p1", "p2"):
        fake.remove(f"{PODS}/{name}")
    assert missing(scene, list) == "0 of 0 pods are ready"


def test_it_becomes_steady_while_it_is_waited_for(fake_and_scene: tuple[FakeKubernetes, Scene]) -> None:
    _, scene = fake_and_scene
    looks = iter([[HEALTHY[0]], [HEALTHY[0]]])
    assert steady_within(scene, lambda: next(looks, HEALTHY), 5) == STEADY
    assert steady_within(scene, lambda: [HEALTHY[0]], 0.1).startswith("not steady after 0.1 s: the load balancer")


def test_a_node_that_is_not_back_proves_nothing(fake_and_scene: tuple[FakeKubernetes, Scene]) -> None:
    fake, scene = fake_and_scene
    fake.put(f"{PODS}/p2", pod("p2", node="node-2", ready=False))
    assert steady_within(scene, lambda: HEALTHY, 0.1).startswith("not steady"), "its node is there: its own fault"
    fake.put("/api/v1/nodes/node-2", node("node-2", ready=False))
    with pytest.raises(FaultError, match="because node-2 is not ready: 1 of 2 pods are ready"):
        steady_within(scene, lambda: HEALTHY, 0.1)


def test_a_cordon_excuses_nothing_since_a_drain_has_to_be_borne(fake_and_scene: tuple[FakeKubernetes, Scene]) -> None:
    fake, scene = fake_and_scene
    waits = pod("p2", ready=False)
    del waits["spec"]["nodeName"]
    fake.put(f"{PODS}/p2", waits)
    fake.put("/api/v1/nodes/node-2", node("node-2", cordoned=True))
    assert steady_within(scene, lambda: HEALTHY, 0.1).startswith("not steady after")


def test_a_wait_bears_an_api_server_that_is_silent_for_a_moment(fake_and_scene: tuple[FakeKubernetes, Scene]) -> None:
    looks = iter([True, True, False])

    def whole() -> bool:
        if next(looks):
            raise KubernetesError("the Kubernetes API does not answer")
        return True

    assert wait_for(whole, 0), "silence is no answer, so it is looked at once more"

    def refused() -> bool:
        raise KubernetesError("no", status=403)

    with pytest.raises(KubernetesError):
        wait_for(refused, 5)
