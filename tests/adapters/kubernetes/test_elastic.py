"""What scales, as the API server holds it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes.kubernetes_api import FakeKubernetes, deployment, lab_target, node, pod, serving

from shiftproof.adapters.kubernetes import KubernetesElastic, connect, overlays_for
from shiftproof.adapters.targets import INFRA_ENV, load_service, load_worker
from shiftproof.errors import UserError
from shiftproof.ports import AutoscalerState
from shiftproof.safety.journal import Journal

ROOT = Path(__file__).parents[3]
PODS = "/api/v1/namespaces/payments/pods"
SCALERS = "/apis/autoscaling/v2/namespaces/payments/horizontalpodautoscalers"


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeKubernetes]:
    with serving(tmp_path) as (fake, _):
        fake.put("/apis/apps/v1/namespaces/payments/deployments/payments", deployment(replicas=3))
        yield fake


@pytest.fixture
def elastic(fake: FakeKubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KubernetesElastic:
    monkeypatch.setenv(INFRA_ENV, str(ROOT / "infra"))
    target = lab_target(tmp_path / "kubeconfig")
    journal = Journal(tmp_path / "journal", run_id="r", scope="lab:1")
    service, workers = load_service("payments"), [load_worker("statements")]
    return KubernetesElastic(connect(target), target, service, workers, journal, None)


def _scaler(name: str = "payments", **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "payments"}, "minReplicas": 2, "maxReplicas": 6},
        "status": status,
    }


def test_pods_and_nodes_are_counted_as_they_are(fake: FakeKubernetes, elastic: KubernetesElastic) -> None:
    waiting = pod("payments-c", ready=False)
    del waiting["spec"]["nodeName"]
    leaving = pod("payments-d")
    leaving["metadata"]["deletionTimestamp"] = "2025-01-01T00:00:00Z"
    evicted = pod("payments-e", ready=False)
    evicted["status"]["phase"] = "Failed"
    for thing in (pod("payments-a"), pod("payments-b", ready=False), waiting, leaving, evicted):
        fake.put(f"{PODS}/{thing['metadata']['name']}", thing)
    spot = node("spot-1", labels={"karpenter.sh/capacity-type": "spot"})
    by_custom = node("spot-2", labels={"node.kubernetes.io/lifecycle": "Ec2Spot"})
    for thing in (node("node-1"), node("node-2", ready=False), spot, by_custom):
        fake.put(f"/api/v1/nodes/{thing['metadata']['name']}", thing)
    state = elastic.state()
    assert (state.wanted, state.ready, state.pods, state.pending) == (3, 1, 4, 1)
    assert (state.nodes, state.spot_nodes, state.unready) == (
        frozenset({"node-1", "spot-1", "spot-2"}),
        frozenset({"spot-1", "spot-2"}),
        frozenset({"node-2"}),
    )
    assert state.workers == {"statements": 0}


def test_nodes_that_were_asked_for_are_on_their_way(fake: FakeKubernetes, elastic: KubernetesElastic) -> None:
    fake.put("/api/v1/nodes/node-1", node("node-1"))
    claims = [
        {"metadata": {"name": "claim-1"}, "status": {"nodeName": "node-1"}},
        {"metadata": {"name": "claim-2"}, "status": {}},
    ]
    fake.objects["/apis/karpenter.sh/v1/nodeclaims"] = {"items": claims}
    assert elastic.state().unready == frozenset({"claim-2"})


def test_nodes_that_autoscaling_brought_are_told_from_the_base(
    fake: FakeKubernetes, elastic: KubernetesElastic
) -> None:
    machine = "aws:///eu-west-1a/i-0a"
    for thing in (
        node("base"),
        node("pool", labels={"karpenter.sh/nodepool": "on-demand"}, provider_id=machine),
        node("not-labelled-yet", ready=False, provider_id=machine),
        node("group", labels={"eks.amazonaws.com/nodegroup": "system"}, provider_id=machine),
    ):
        fake.put(f"/api/v1/nodes/{thing['metadata']['name']}", thing)
    assert elastic.state().machines == {"pool", "not-labelled-yet"}


def test_workers_are_counted_and_those_that_are_ready(fake: FakeKubernetes, elastic: KubernetesElastic) -> None:
    fake.put("/apis/apps/v1/namespaces/statements/deployments/statements", deployment("statements"))
    labels = {"app": "statements"}
    for thing in (pod("statements-a", labels=labels), pod("statements-b", labels=labels, ready=False)):
        fake.put(f"/api/v1/namespaces/statements/pods/{thing['metadata']['name']}", thing)
    state = elastic.state()
    assert (state.workers, state.workers_ready) == ({"statements": 2}, {"statements": 1})


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        ({}, "it has not looked yet"),
        (
            {"conditions": [{"type": "ScalingActive", "status": "False", "reason": "FailedGet", "message": "no cpu"}]},
            "FailedGet: no cpu",
        ),
        ({"conditions": [{"type": "ScalingActive", "status": "True"}]}, "it has no value of its metric yet"),
        ({"conditions": [{"type": "ScalingActive", "status": "True"}], "currentMetrics": [{"type": "External"}]}, None),
    ],
)
def test_an_autoscaler_says_whether_it_sees(
    fake: FakeKubernetes, elastic: KubernetesElastic, status: dict[str, Any], problem: str | None
) -> None:
    fake.put(f"{SCALERS}/payments", _scaler(**status))
    assert elastic.autoscaler() == AutoscalerState("payments", 2, 6, problem)


def test_an_autoscaler_says_what_it_aims_at_for_one_pod(fake: FakeKubernetes, elastic: KubernetesElastic) -> None:
    scaler = _scaler()
    cpu = {"name": "cpu", "target": {"type": "AverageValue", "averageValue": "200m"}}
    scaler["spec"]["metrics"] = [
        {"type": "Resource", "resource": cpu},
        {"type": "External", "external": _aim(type="AverageValue", averageValue="30")},
        {"type": "Pods", "pods": _aim(type="AverageValue", averageValue="2500m")},
        {"type": "External", "external": _aim(type="Value", value="100")},
    ]
    fake.put(f"{SCALERS}/payments", scaler)
    found = elastic.autoscaler()
    assert found is not None
    assert found.per_pod == (30.0, 2.5)


def _aim(**target: str) -> dict[str, Any]:
    return {"metric": {"name": "requests"}, "target": target}


def test_no_autoscaler_and_that_of_another_are_none(fake: FakeKubernetes, elastic: KubernetesElastic) -> None:
    assert elastic.autoscaler() is None
    other = _scaler("other")
    other["spec"]["scaleTargetRef"]["name"] = "other"
    fake.put(f"{SCALERS}/other", other)
    assert elastic.autoscaler() is None


def test_two_autoscalers_are_one_too_many(fake: FakeKubernetes, elastic: KubernetesElastic) -> None:
    for name in ("payments", "keda-hpa-payments"):
        fake.put(f"{SCALERS}/{name}", _scaler(name))
    with pytest.raises(UserError, match="keda-hpa-payments, payments"):
        elastic.autoscaler()


def test_a_service_without_the_targets_overlay_is_refused(
    fake: FakeKubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(INFRA_ENV, str(ROOT / "infra"))
    target = lab_target(tmp_path / "kubeconfig")
    client, service = connect(target), load_service("payments")
    journal = Journal(tmp_path / "journal", run_id="r", scope="lab:1")
    assert overlays_for(target, service, [], str(ROOT / "infra"), journal, client) is None
    other = target.model_copy(update={"events": target.events.model_copy(update={"overlay": "big-day"})})
    with pytest.raises(UserError, match="'big-day', and payments has none"):
        overlays_for(other, service, [], str(ROOT / "infra"), journal, client)
